"""A validator's own copy of the declared model, and its judgement of answers."""

from __future__ import annotations

import math

from mycelia.models.embedding import Embedded, Embedder
from mycelia.models.onnx import Optimised
from mycelia.subnets.analysis.kernel import (
    TOLERANCE,
    deviation,
    similarities,
    similarity_deviation,
)
from mycelia.subnets.analysis.messages import Answer, Ask, unpacked

WAYS: tuple[Optimised, ...] = ("all", "basic", "none")
"""How far validators have the runtime rearrange the model; each has the way of its uid, modulo
their number. No arrangement of one runtime decides alone what a right answer is."""


class Judge:
    """Tells genuine answers from others. Blocking; one caller at a time."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._last: tuple[Ask, Embedded] | None = None

    def strain(self, ask: Ask, answer: Answer) -> float:
        """How much of the tolerance an answer uses up: 0 for an identical one, above 1 is too much.

        Infinite for an answer that is malformed, or contradicts itself.
        """
        own = self._own(ask)
        if answer.tokens != own.tokens:
            return math.inf
        if ask.classes:
            return _of_labels(ask, answer, own)
        return _of_vectors(answer, own)

    def _own(self, ask: Ask) -> Embedded:
        """This machine's vectors. The last are kept: a round's answers are to one ask."""
        if self._last is None or self._last[0] != ask:
            self._last = ask, self._embedder.embed(ask.texts())
        return self._last[1]


def _of_vectors(answer: Answer, own: Embedded) -> float:
    if answer.labels or answer.similarities:
        return math.inf
    try:
        given = unpacked(answer.vectors)
    except ValueError:
        return math.inf
    return deviation(given, own.vectors) / TOLERANCE


def _of_labels(ask: Ask, answer: Answer, own: Embedded) -> float:
    off = similarity_deviation(answer.similarities, similarities(ask, own.vectors))
    if answer.vectors or math.isinf(off) or len(answer.labels) != len(ask.input):
        return math.inf
    names = [kind.label for kind in ask.classes]
    for label, row in zip(answer.labels, answer.similarities, strict=True):
        if label != names[row.index(max(row))]:
            return math.inf
    return off / TOLERANCE
