"""Figures that calibrations report: what given scores would earn, and how sure an error rate is."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mycelia.neuron.book import Identity, Sample, Standing, Verdict, record, weigh

_WEIGHED_EVERY = 10


def shares(
    scores: Mapping[str, Sequence[float]], *, rounds: int = 400, seed: int = 1
) -> dict[str, float]:
    """Mean share of the pay per miner over some rounds; shares sum to 1.

    In each round each miner gets one of its scores, drawn at random: the more scores of real
    answers there are, the closer this is to what a validator would see of it.
    """
    rng = random.Random(seed)  # noqa: S311 -- a repeatable simulation, no secret
    miners = [Identity(uid, name, 0) for uid, name in enumerate(scores)]
    book: dict[int, Standing] = {}
    sums = dict.fromkeys(scores, 0.0)
    for number in range(1, rounds + 1):
        for miner in miners:
            drawn = rng.choice(scores[miner.hotkey])
            record(book, Sample(miner, number, Verdict.SCORED, drawn))
        if number % _WEIGHED_EVERY == 0:
            weights = weigh(book)
            total = sum(weights.values())
            for miner in miners:
                sums[miner.hotkey] += weights[miner.uid] / total if total else 0.0
    total = sum(sums.values())
    return {name: earned / total if total else 0.0 for name, earned in sums.items()}


def part_time(
    honest: Sequence[float], cheating: Sequence[float], *, tenths: int = 1
) -> list[float]:
    """Scores of a miner that cheats in some tenths of its answers and is honest otherwise."""
    length = min(len(honest), len(cheating))
    return [*honest[:length]] * (10 - tenths) + [*cheating[:length]] * tenths


def error_bound(wrong: int, trials: int, *, confidence: float = 0.95) -> float:
    """Greatest error rate that is still compatible with what was seen.

    Source: Clopper, Pearson, "The use of confidence or fiducial limits" (1934), the upper limit.
    """

    def chance_of_so_few(rate: float) -> float:
        return math.fsum(
            math.comb(trials, k) * rate**k * (1.0 - rate) ** (trials - k) for k in range(wrong + 1)
        )

    low, high = wrong / trials, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if chance_of_so_few(middle) > 1.0 - confidence else (low, middle)
    return high


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """How well two orders agree, from -1 to 1; equal values share their mean rank.

    Source: Spearman, "The proof and measurement of association between two things" (1904).
    """
    a, b = _ranks(one), _ranks(other)
    return float(np.corrcoef(a, b)[0, 1])


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    below = (array[:, None] > array[None, :]).sum(axis=1)
    equal = (array[:, None] == array[None, :]).sum(axis=1)
    ranks: NDArray[np.float64] = below + (equal + 1) / 2
    return ranks
