"""Arithmetic of the fast kernel: unsigned arrays of shares, exact to the last bit.

Shares lie in [0, 1] = [0, 2^32]. A product of two needs 65 bits only where both are one, so one
factor is split at bit 32 before multiplying; a quotient is taken in as many steps as its bits need.
Products and quotients round down.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mycelia.pallets.subtensor.epoch.alpha import (
    E_Q32,
    EXPONENT_LIMIT_Q32,
    HALF_Q32,
    TERMS,
    Speeds,
)
from mycelia.primitives.fixed import ONE_Q32

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

SHIFT: Final = np.uint64(32)
LOW: Final = np.uint64(ONE_Q32 - 1)
ONE: Final = np.uint64(ONE_Q32)
CHUNK: Final = 2**15
"""As many exponentials at once as fit into a processor's cache."""


def mul(a: U64, b: U64 | np.uint64) -> U64:
    """Product of two shares; the first may also be any number below 2^63."""
    return (a >> SHIFT) * b + ((a & LOW) * b >> SHIFT)


def div(a: U64, b: U64 | np.uint64, shift: int = 32) -> U64:
    """Quotient with so many fraction bits more than a has over b; 0 for a zero divisor.

    A zero divisor is always the sum of zero numerators. The quotient has to fit into 64 bits.
    """
    b = np.maximum(b, np.uint64(1))
    step = min(shift, 64 - int(a.max(initial=0)).bit_length())
    if step == shift:
        return (a << np.uint64(step)) // b
    longest = int(b.max(initial=0)).bit_length()
    quotient, rest = np.divmod(a << np.uint64(step), b)
    while shift := shift - step:
        step = min(shift, 64 - longest)
        digits, rest = np.divmod(rest << np.uint64(step), b)
        quotient = (quotient << np.uint64(step)) + digits
    return quotient


def normalized(vector: U64) -> U64:
    """Scaled to the sum of one; a zero sum leaves it as it is."""
    return div(vector, vector.sum())


def liquid_alphas(consensus: U64, weights: U64, bonds: U64, speeds: Speeds) -> U64:
    """`alpha.liquid_alpha` of each entry; the slowest speed is not above the fastest."""
    reference = np.where(weights >= bonds, consensus, weights)
    target = np.maximum(weights, bonds)
    boldness = np.minimum(np.where(target > reference, target - reference, 0), ONE)
    exponents = exponents_of(boldness, speeds.slope_q32)
    alphas = np.empty_like(weights)
    for start in range(0, len(alphas), CHUNK):
        part = slice(start, start + CHUNK)
        alphas[part] = mul(sigmoids(exponents[part]), np.uint64(speeds.high_q32 - speeds.low_q32))
    return alphas + np.uint64(speeds.low_q32)


def exponents_of(boldness: U64, slope_q32: int) -> I64:
    """The slope times (d - 1/2), rounded down, within +-20; the slope is split at bit 32."""
    centred = boldness.astype(np.int64) - HALF_Q32
    whole, part = divmod(slope_q32, ONE_Q32)
    product = centred * whole + (centred * part >> 32)
    return np.clip(product, -EXPONENT_LIMIT_Q32, EXPONENT_LIMIT_Q32)


def sigmoids(exponents: I64) -> U64:
    """1 / (1 + e^x)."""
    sizes = np.abs(exponents).astype(np.uint64)
    whole, part = sizes >> SHIFT, sizes & LOW
    totals, terms = sizes + ONE, sizes.copy()
    for i in range(2, TERMS):
        terms = (terms * whole + (terms >> SHIFT) * part + ((terms & LOW) * part >> SHIFT)) // i
        totals += terms
    grown = np.where(exponents < 0, reciprocals(totals), totals)
    grown[exponents == ONE_Q32] = E_Q32
    return reciprocals(grown + ONE)


def reciprocals(values: U64) -> U64:
    """1 / v, whose numerator is one more than 64 bits hold."""
    quotients, rests = np.divmod(np.uint64(2**64 - 1), values)
    exact: U64 = quotients + (rests == values - np.uint64(1))
    return exact
