"""Does an answer follow from the declared model? A judgement of token shortfalls.

The caller's seed fixes the noise by which tokens are sampled, so the declared model leaves no
choice: on the same build every token is the winner and every shortfall exactly zero. Another honest
build or attention kernel rounds differently, which shows as a few small shortfalls. Other weights
show as many; a forged token, such as an end put where the text does not end, as a great one.

The limits stand between what an honest build with another kernel and what re-quantised weights were
measured at, see docs/adr/verify-text-by-shortfall.md; `python -m mycelia.subnets.text.calibrate`
measures again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tolerance:
    """How far an honest answer may be from this machine's own. Units: logits."""

    one_token: float = 3.0
    """Greatest shortfall of a single token."""
    fixed: float = 0.5
    per_token: float = 0.04
    """A window of n tokens may fall short by `fixed + per_token * n` in total."""
    window: int = 64
    """Tokens that are judged together. A longer answer is judged in windows, of which each must
    pass: a dull stretch, in which any model agrees, makes up for nothing."""


def strain(shortfalls: NDArray[np.float64], tolerance: Tolerance | None = None) -> float:
    """How much of the tolerance an answer uses up: 0 for an identical one, above 1 is too much."""
    limit = tolerance or Tolerance()
    windows = np.split(shortfalls, range(limit.window, len(shortfalls), limit.window))
    total = max(float(w.sum()) / (limit.fixed + limit.per_token * len(w)) for w in windows)
    return max(total, float(shortfalls.max(initial=0.0)) / limit.one_token)


def follows(shortfalls: NDArray[np.float64], tolerance: Tolerance | None = None) -> bool:
    """Whether an answer with these shortfalls may come from the declared model."""
    return strain(shortfalls, tolerance) <= 1.0
