"""The text subnet: chat by a declared model, checked token by token.

Every request names the seed of the sampling noise. So the declared model has exactly one answer to
it, and a validator with its own copy of the weights can tell how far a miner's answer is from that,
without trusting the miner and without asking for identical strings.

It pays for honest work, not for speed: a late answer fails by the deadline, and the gateway
prefers quick miners.
"""

from __future__ import annotations

import random
from typing import Any, ClassVar

from mycelia.models import ModelStore
from mycelia.models.catalog import SMOLLM2
from mycelia.models.worker import Worker
from mycelia.neuron import Challenge, Declared, Limits, Meta, Subnet
from mycelia.subnets.text.judge import WAYS, Judge
from mycelia.subnets.text.messages import Answer, Ask, Piece
from mycelia.subnets.text.prompts import brief, open_ended

OPENAI_MODEL = SMOLLM2.name

_DEFAULT = Ask.model_fields["max_tokens"].default
_OPEN = 0.3
"""Share of challenges that could be answered at length."""
_LIMITS = (*(_DEFAULT,) * 8, 20, 50, 64, 100, 100, 128, 150, 200)
_LIMITS_OF_OPEN = (16, 20, 32, 50, 50, 50, 64, 64, 100, 100)
"""Tokens that answers may have, as often as they stand here."""
_TEMPERATURES = (
    *(Ask.model_fields["temperature"].default,) * 8,
    0.0,
    0.0,
    0.2,
    0.3,
    0.5,
    0.8,
    1.0,
    1.0,
)
_CHOSEN_SEED, _SEEDS = 0.08, (0, 1, 7, 42, 42, 123, 1234)
"""How often a seed is one that people choose, and which."""
_AUDITED = 2.0
"""How much of the tolerance an answer to a consumer may use up, who may have searched for it."""


class Text(Subnet):
    """Pays miners whose answers follow from the declared model."""

    name: ClassVar[str] = "text"
    version: ClassVar[int] = 1
    Ask = Ask
    Answer = Answer
    Piece = Piece
    limits: ClassVar[Limits] = Limits(
        deadline_s=45.0, first_byte_s=20.0, body_bytes=256 * 1024, inflight=8
    )
    declared: ClassVar[Declared | None] = SMOLLM2.name
    needs_truth: ClassVar[bool] = False

    def __init__(self, models: ModelStore) -> None:
        super().__init__(models)
        self._worker = Worker("text-judge")
        self._judge: Judge | None = None

    async def challenge(self, rng: random.Random) -> Challenge:
        """Compose a conversation. There is no truth to keep: the model itself is the judge."""
        return Challenge(challenge_ask(rng))

    async def score(self, ask: Any, answer: Any, truth: Any, meta: Meta) -> float | None:
        """1 if the answer follows from the declared model, else 0."""
        del truth
        strain = await self._worker.call(lambda: self._loaded().strain(ask, answer))
        return float(strain <= (_AUDITED if meta.audited else 1.0))

    def _loaded(self) -> Judge:
        """Load the judge on first use, on the worker's thread: a launcher never needs it."""
        if self._judge is None:
            way = WAYS[self.uid % len(WAYS)]
            self._judge = Judge(self.models.path(SMOLLM2.name), way)
        return self._judge


def challenge_ask(rng: random.Random) -> Ask:
    """Draw what a challenge asks: like consumers, most of whom leave all but the words out.

    What is soon answered may have as many tokens as anybody. What could go on for long seldom may:
    a validator has to wait for it, and to follow it token by token.
    """
    is_open = rng.random() < _OPEN
    turns = open_ended(rng) if is_open else brief(rng)
    limits = _LIMITS_OF_OPEN if is_open else _LIMITS
    fields = {
        "max_tokens": rng.choice(limits),
        "temperature": rng.choice(_TEMPERATURES),
        "seed": rng.choice(_SEEDS) if rng.random() < _CHOSEN_SEED else rng.getrandbits(63),
    }
    return Ask.model_validate({"messages": turns, **fields})
