"""The analysis subnet: texts to vectors, and to labels, by one declared embedding model.

Vectors of different miners must be comparable, or nobody could store some of one miner and search
with those of another. So there is one model, and the subnet pays for being it: a validator makes
the same vectors with its own copy and compares. Labels follow from the vectors by arithmetic, so
they are checked by the similarities that decide them.
"""

from __future__ import annotations

import random
from typing import Any, ClassVar

from mycelia.models import ModelStore
from mycelia.models.catalog import MINILM
from mycelia.models.embedding import load_embedder
from mycelia.models.worker import Worker
from mycelia.neuron import Challenge, Declared, Limits, Meta, Subnet
from mycelia.subnets.analysis.judge import WAYS, Judge
from mycelia.subnets.analysis.messages import Answer, Ask, Class
from mycelia.subnets.analysis.texts import labelled, request

OPENAI_MODEL = "all-minilm-l6-v2"
_CLASSIFIED = 0.4
"""Share of challenges that ask for labels."""
_AUDITED = 2.0
"""How much of the tolerance an answer to a consumer may use up, who may have searched for it."""


class Analysis(Subnet):
    """Pays miners whose vectors and labels are those of the declared model."""

    name: ClassVar[str] = "analysis"
    version: ClassVar[int] = 1
    Ask = Ask
    Answer = Answer
    limits: ClassVar[Limits] = Limits(deadline_s=20.0, first_byte_s=20.0, body_bytes=512 * 1024)
    declared: ClassVar[Declared | None] = MINILM.name
    needs_truth: ClassVar[bool] = False

    def __init__(self, models: ModelStore) -> None:
        super().__init__(models)
        self._worker = Worker("analysis-judge")
        self._judge: Judge | None = None

    async def challenge(self, rng: random.Random) -> Challenge:
        """Compose texts. There is no truth to keep: the model itself is the judge."""
        return Challenge(challenge_ask(rng))

    async def score(self, ask: Any, answer: Any, truth: Any, meta: Meta) -> float | None:
        """1 if the answer is the declared model's, else 0."""
        del truth
        strain = await self._worker.call(lambda: self._loaded().strain(ask, answer))
        return float(strain <= (_AUDITED if meta.audited else 1.0))

    def _loaded(self) -> Judge:
        """Load the judge on first use, on the worker's thread: a launcher never needs it."""
        if self._judge is None:
            way = WAYS[self.uid % len(WAYS)]
            self._judge = Judge(load_embedder(self.models, optimised=way))
        return self._judge


def challenge_ask(rng: random.Random) -> Ask:
    """Draw what a challenge asks."""
    if rng.random() >= _CLASSIFIED:
        return Ask(input=request(rng))
    texts, classes = labelled(rng)
    return Ask(
        input=texts,
        classes=tuple(Class(label=label, examples=examples) for label, examples in classes),
    )
