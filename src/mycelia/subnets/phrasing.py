"""How people type: not always with capitals, nor with a full stop."""

from __future__ import annotations

import random

_LOWER_CASE = 0.25
_UNFINISHED = 0.4


def as_typed(text: str, rng: random.Random) -> str:
    """Write a composed text a little as people would."""
    if rng.random() < _LOWER_CASE:
        text = text.lower()
    if rng.random() < _UNFINISHED:
        text = text.rstrip(".?!")
    return text
