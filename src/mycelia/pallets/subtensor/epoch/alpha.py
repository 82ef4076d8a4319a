"""Liquid alpha: how fast a bond follows a weight depends on how bold the change is.

With one speed for all, a validator that copies yesterday's consensus soon holds the same bonds as
one that found out by itself. Liquid alpha gives each bond its own speed: buying what others do not
back yet, and selling what has lost its worth, is fast; agreeing is slow.

Numbers are I32F32 (`_q32`).
Source: subtensor's `pallets/subtensor/src/epoch/run_epoch.rs`, spec 425; substrate-fixed 0.6.0
`transcendental.rs`. Its exponential series is part of the rules, as are its two exact arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mycelia.pallets.subtensor.epoch.types import EpochParameters
from mycelia.primitives.fixed import (
    I64_MAX,
    I64_MIN,
    ONE_Q32,
    add_q32,
    clamped,
    div_q32,
    mul_q32,
    q32_of_u16_share,
    sub_q32,
    trunc_div,
)

HALF_Q32: Final = ONE_Q32 // 2
EXPONENT_LIMIT_Q32: Final = 20 << 32
E_Q32: Final = 11_674_931_200
"""e with the 23 fraction bits in which the original keeps it."""
TERMS: Final = 32
"""The series stops before this power."""


@dataclass(frozen=True)
class Speeds:
    """The slowest and the fastest speed of bonds, and how sharply one becomes the other."""

    low_q32: int
    high_q32: int
    slope_q32: int


def speeds_of(parameters: EpochParameters) -> Speeds:
    """As the subnet chose them; the slope is negated, as the exponent needs it.

    Source: epoch/run_epoch.rs::alpha_sigmoid, utils/misc.rs::get_alpha_values_32
    """
    slope = trunc_div(parameters.alpha_steepness_percent << 32, -100)
    return Speeds(
        q32_of_u16_share(parameters.alpha_low_u16),
        q32_of_u16_share(parameters.alpha_high_u16),
        clamped(slope, I64_MIN, I64_MAX),
    )


def liquid_alpha(consensus: int, weight: int, bond: int, speeds: Speeds) -> int:
    """alpha_ij = low + sigmoid(steepness (d - 1/2)) (high - low), within [low, high].

    d is how far the weight exceeds the consensus where it buys, and how far it stays behind the
    bond where it sells. Products round down.

    Source: epoch/run_epoch.rs::alpha_sigmoid
    """
    ahead = sub_q32(weight, consensus) if weight >= bond else sub_q32(bond, weight)
    boldness = clamped(ahead, 0, ONE_Q32)
    exponent = mul_q32(speeds.slope_q32, boldness - HALF_Q32)
    sigmoid = div_q32(ONE_Q32, add_q32(ONE_Q32, exponential(exponent)))
    span = sub_q32(speeds.high_q32, speeds.low_q32)
    alpha = add_q32(speeds.low_q32, mul_q32(sigmoid, span))
    return max(min(alpha, speeds.high_q32), speeds.low_q32)


def exponential(exponent: int) -> int:
    """e^x for x within +-20, what lies outside taken as the nearer end.

    The sum over i below 32 of x^i / i!, each term made from the one before: times x rounded down,
    divided by i rounded toward zero. A negative x gives one divided by the result for -x.

    Source: epoch/math.rs::exp_safe, substrate-fixed transcendental.rs::exp
    """
    x = clamped(exponent, -EXPONENT_LIMIT_Q32, EXPONENT_LIMIT_Q32)
    if x == ONE_Q32:
        return E_Q32
    size = abs(x)
    total, term = ONE_Q32 + size, size
    for i in range(2, TERMS):
        term = (term * size >> 32) // i
        total += term
    return total if x >= 0 else (ONE_Q32 << 32) // total
