"""The price of a neuron slot: it jumps with each registration and halves every half-life.

Source: subtensor@14bc6f9 `subnets/registration.rs`, `utils/misc.rs::decay_factor_q32`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from mycelia.primitives import Uid
from mycelia.primitives.fixed import ONE_Q32, ONE_Q64, U64_MAX, clamped

_HALF_Q32: Final = 1 << 31


def mul_by_q32(value: int, factor_q32: int) -> int:
    """Product with a number of 32 fraction bits, rounded down, saturating to unsigned 64 bits."""
    return min((value * factor_q32) >> 32, U64_MAX)


def power_q32(base_q32: int, exponent: int) -> int:
    """base^exponent by squaring; each step rounds down."""
    result, factor = ONE_Q32, base_q32
    while exponent:
        if exponent & 1:
            result = mul_by_q32(result, factor)
        exponent >>= 1
        if exponent:
            factor = mul_by_q32(factor, factor)
    return result


@lru_cache(maxsize=1024)
def decay_factor_q32(half_life_blocks: int) -> int:
    """The largest factor whose power over one half-life is at most one half; 1 when there is no half-life."""
    if half_life_blocks == 0:
        return ONE_Q32
    low, high = 0, ONE_Q32
    while low + 1 < high:
        middle = (low + high) // 2
        if power_q32(middle, half_life_blocks) > _HALF_Q32:
            high = middle
        else:
            low = middle
    return low


def decayed_price(price_rao: int, half_life_blocks: int, low_rao: int, high_rao: int) -> int:
    """The price one block later, rounded down, inside its bounds."""
    return clamped(mul_by_q32(price_rao, decay_factor_q32(half_life_blocks)), low_rao, high_rao)


def bumped_price(price_rao: int, multiplier_q64: int, low_rao: int, high_rao: int) -> int:
    """The price after a registration: multiplied, at least by 1, rounded down, inside its bounds."""
    raised = (price_rao * max(multiplier_q64, ONE_Q64)) >> 64
    return clamped(raised, low_rao, high_rao)


class Candidate(NamedTuple):
    """A neuron as pruning sees it; ordered by who has to go first."""

    emission_rao: int
    registered_at: int
    uid: Uid
    immune: bool


def uid_to_prune(candidates: Iterable[Candidate], least_open: int) -> Uid | None:
    """The slot that a newcomer to a full subnet takes, or None.

    Least emission goes first, then the older registration, then the lower uid. An immune neuron goes only when at most
    `least_open` others are open, so that a wave of newcomers cannot empty a subnet of its settled neurons.

    Units: `emission_rao` of the last epoch. Source: `subnets/registration.rs::get_neuron_to_prune`.
    """
    ordered = sorted(candidates)
    exposed = [c for c in ordered if not c.immune]
    if len(exposed) > least_open:
        return exposed[0].uid
    return next((c.uid for c in ordered if c.immune), None)
