"""Miners of the text subnet: three with the declared model, two that save themselves the work."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from mycelia.models import ModelStore
from mycelia.models.catalog import SMOLLM2, SMOLLM2_Q4_0
from mycelia.models.llama import ContextExceeded, LlamaModel, Schedule, Vocabulary
from mycelia.models.worker import Worker
from mycelia.neuron import Miner, Variant
from mycelia.subnets.text.messages import Ask, Piece
from mycelia.subnets.text.subnet import Text
from mycelia.wire.errors import Rejection

_STOCK = """\
That's a great question! There are many ways to look at it, and the best one depends on your goals.
I'd be happy to help with that. Could you tell me a little more about what you need?
In short, it is a rich subject with a long history, and people discover new things about it daily.
""".splitlines()


def language_model(name: str) -> Callable[[ModelStore], Miner]:
    """Make miners that answer with a model of the store."""

    def make(models: ModelStore) -> Miner:
        model = LlamaModel.load(models.path(name), Schedule())
        worker = Worker(name)

        @Text.miner
        async def chat(ask: Ask) -> AsyncIterator[Piece]:
            prompt = model.vocabulary.conversation(ask.turns())
            try:
                model.check_room(len(prompt), ask.max_tokens)
            except ContextExceeded as cause:
                raise Rejection(400, cause.code, cause.message, cause.remedy) from cause
            steps = worker.iterate(
                lambda: model.generate(
                    prompt, max_tokens=ask.max_tokens, seed=ask.seed, temperature=ask.temperature
                )
            )
            sent = 0
            async with contextlib.aclosing(steps):
                async for step in steps:
                    sent += 1
                    ended = step.token in model.vocabulary.end_tokens
                    final = ended or sent == ask.max_tokens
                    yield Piece(
                        text=step.text,
                        tokens=(step.token,),
                        finish=("stop" if ended else "length") if final else None,
                        prompt_tokens=len(prompt) if final else 0,
                    )

        return chat

    return make


def canned(models: ModelStore) -> Miner:
    """Cheat: give one of a few stored answers, at once."""
    vocabulary = Vocabulary(models.path(SMOLLM2.name))
    end = min(vocabulary.end_tokens)

    @Text.miner
    async def recite(ask: Ask) -> AsyncIterator[Piece]:
        stored = vocabulary.tokens(_STOCK[ask.seed % len(_STOCK)])
        tokens = [*stored, end][: ask.max_tokens]
        yield Piece(
            text=vocabulary.text(tokens),
            tokens=tuple(tokens),
            finish="stop" if tokens[-1] == end else "length",
            prompt_tokens=len(vocabulary.conversation(ask.turns())),
        )

    return recite


MINERS = {
    variant.name: variant
    for variant in (
        *(
            Variant(f"honest-{letter}", honest=True, make=language_model(SMOLLM2.name),
                    about="the declared model", model=SMOLLM2.name)
            for letter in "abc"
        ),
        Variant("requantised", honest=False, make=language_model(SMOLLM2_Q4_0.name),
                about="a four-bit copy under the declared model's name", model=SMOLLM2.name),
        Variant("canned", honest=False, make=canned, about="stored answers",
                model=SMOLLM2.name),
    )
}  # fmt: skip
