"""A subnet in forty lines: miners unscramble words. Run it: `python examples/anagram.py`.

What a subnet author writes is the class and a miner. The routes, the rounds, the weights and the gateway's typed call
follow from them; here both run in one process, without a chain, to see whether merit is what gets paid.
"""

import asyncio
import random

from mycelia.models import ModelStore
from mycelia.neuron import Challenge, Meta, Miner, Reply, Request, Subnet

WORDS = ("mycelium", "fungus", "spore", "hypha", "lichen", "truffle", "morel", "chanterelle")


class Anagram(Subnet):
    """Finds the word that was scrambled; the score is the share of letters in their place."""

    name = "anagram"

    class Ask(Request):
        """Letters of one word, in any order."""

        letters: str

    class Answer(Reply):
        """The word."""

        word: str

    async def challenge(self, rng: random.Random) -> Challenge:
        """Scramble a word; only the validator keeps it."""
        word = rng.choice(WORDS)
        return Challenge(self.Ask(letters="".join(rng.sample(word, len(word)))), truth=word)

    async def score(self, ask: Ask, answer: Answer, truth: str, meta: Meta) -> float:
        """Compare letter by letter; a word made of other letters is worth nothing."""
        if sorted(answer.word) != sorted(ask.letters):
            return 0.0
        return sum(a == b for a, b in zip(answer.word, truth, strict=True)) / len(truth)


@Anagram.miner
async def honest(ask: Anagram.Ask) -> Anagram.Answer:
    """Look for the word with the same letters."""
    return Anagram.Answer(word=next(w for w in WORDS if sorted(w) == sorted(ask.letters)))


@Anagram.miner
async def lazy(ask: Anagram.Ask) -> Anagram.Answer:
    """Send the letters back as they came."""
    return Anagram.Answer(word=ask.letters)


async def rehearse(subnet: Subnet, miner: Miner, rounds: int = 50, seed: int = 7) -> float:
    """Mean score of a miner over seeded challenges, without a network."""
    rng, total = random.Random(seed), 0.0
    for _ in range(rounds):
        challenge = await subnet.challenge(rng)
        answer = await miner(challenge.ask)
        meta = Meta(latency_ms=0.0, first_byte_ms=0.0, hotkey="")
        total += await subnet.score(challenge.ask, answer, challenge.truth, meta) or 0.0
    return total / rounds


if __name__ == "__main__":
    for function in (honest, lazy):
        score = asyncio.run(rehearse(Anagram(ModelStore()), function))
        print(f"{function.__name__:8} {score:.2f}")
