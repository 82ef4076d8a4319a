"""The arithmetic of the analysis subnet, the same for miners and validators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mycelia.models.embedding import Embedded, Vectors
from mycelia.subnets.analysis.messages import Answer, Ask, packed

TOLERANCE = 0.001
"""Greatest distance of an honest vector, or similarity, from this machine's own.

Unit vectors of the declared model on other kernels are off by 1e-6, half precision on the way adds
2e-4; cheaper ways of making them are off by 0.05 and more: `calibrate.py` measures.
"""


def answered(ask: Ask, embedded: Embedded) -> Answer:
    """Answer an ask, given the vectors of `ask.texts()`."""
    count = len(ask.input)
    if not ask.classes:
        return Answer(vectors=packed(embedded.vectors), tokens=embedded.tokens)
    near = similarities(ask, embedded.vectors)
    labels = tuple(ask.classes[int(best)].label for best in near.argmax(axis=1))
    return Answer(
        labels=labels,
        similarities=tuple(tuple(round(float(x), 6) for x in near[i]) for i in range(count)),
        tokens=embedded.tokens,
    )


def similarities(ask: Ask, vectors: Vectors) -> NDArray[np.float64]:
    """Cosines (inputs, classes) between each input and each class's centroid.

    A centroid is the mean of the vectors of a class's examples, scaled to length 1.
    """
    start = len(ask.input)
    inputs = vectors[:start].astype(np.float64)
    centroids = np.empty((len(ask.classes), vectors.shape[1]))
    for row, kind in enumerate(ask.classes):
        mean = vectors[start : start + len(kind.examples)].astype(np.float64).mean(axis=0)
        centroids[row] = mean / np.linalg.norm(mean)
        start += len(kind.examples)
    return inputs @ centroids.T


def deviation(given: Vectors, own: Vectors) -> float:
    """Greatest distance between a given vector and this machine's own; infinite if not comparable."""
    if given.shape != own.shape or not np.isfinite(given).all():
        return float("inf")
    distances = np.linalg.norm(given.astype(np.float64) - own, axis=1)
    return float(distances.max(initial=0.0))


def similarity_deviation(given: Sequence[Sequence[float]], own: NDArray[np.float64]) -> float:
    """Greatest difference between a given similarity and this machine's own; as above."""
    if [len(row) for row in given] != [own.shape[1]] * own.shape[0]:
        return float("inf")
    gap = np.abs(np.array(given, dtype=np.float64).reshape(own.shape) - own)
    return float(gap.max(initial=0.0)) if np.isfinite(gap).all() else float("inf")
