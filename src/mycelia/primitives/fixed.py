"""Fixed-point arithmetic on plain ints, rounding exactly as the chain's number types do.

A number with f fraction bits is stored as `floor(x * 2^f)`; its name ends in `_q32` or `_q64`.
Every operation says which way it rounds. Products round down (toward minus infinity), quotients
toward zero, division by zero gives zero, and results that do not fit saturate (`mul`, `add`, `sub`)
or become zero (`div`), because that is what the compatible rules do.

Not a number class: a checked type costs twenty times a plain int, so types guard the edges and
kernels use these functions.

Source: substrate-fixed 0.6.0 (`I32F32`, `I64F64`, `I96F32`, `U96F32`, `U64F64`); subtensor
`primitives/safe-math`.
"""

from typing import Final

ONE_Q32: Final = 1 << 32
ONE_Q64: Final = 1 << 64
U16_MAX: Final = 2**16 - 1
U64_MAX: Final = 2**64 - 1
I64_MAX: Final = 2**63 - 1
I64_MIN: Final = -(2**63)
U128_MAX: Final = 2**128 - 1


def clamped(value: int, low: int, high: int) -> int:
    """The value, or the nearer end of [low, high]."""
    return low if value < low else min(value, high)


def trunc_div(numerator: int, denominator: int) -> int:
    """Quotient rounded toward zero; the denominator is not zero."""
    quotient = abs(numerator) // abs(denominator)
    return -quotient if (numerator < 0) != (denominator < 0) else quotient


# I32F32: 64-bit signed, 32 fraction bits. The type of the epoch.


def mul_q32(a_q32: int, b_q32: int) -> int:
    """Product of two I32F32, rounded down, saturating."""
    return clamped((a_q32 * b_q32) >> 32, I64_MIN, I64_MAX)


def div_q32(a_q32: int, b_q32: int) -> int:
    """Quotient of two I32F32 rounded toward zero; 0 where the divisor is 0 or it does not fit."""
    if b_q32 == 0:
        return 0
    quotient = trunc_div(a_q32 << 32, b_q32)
    return quotient if I64_MIN <= quotient <= I64_MAX else 0


def add_q32(a_q32: int, b_q32: int) -> int:
    """Sum of two I32F32, saturating."""
    return clamped(a_q32 + b_q32, I64_MIN, I64_MAX)


def sub_q32(a_q32: int, b_q32: int) -> int:
    """Difference of two I32F32, saturating."""
    return clamped(a_q32 - b_q32, I64_MIN, I64_MAX)


def q32_of_u16_share(share_u16: int) -> int:
    """0..65535 read as 0..1, rounded down."""
    return (share_u16 << 32) // U16_MAX


def u16_share_of_q32(value_q32: int) -> int:
    """0..1 written as 0..65535, rounded down; what lies outside becomes the nearer end."""
    return clamped(mul_q32(value_q32, U16_MAX << 32) >> 32, 0, U16_MAX)


# Unsigned wide types of the coinbase: U96F32 and U64F64, both 128 bits.


def mul_u96f32(a_q32: int, b_q32: int) -> int:
    """Product of two U96F32, rounded down, saturating."""
    return min((a_q32 * b_q32) >> 32, U128_MAX)


def div_u96f32(a_q32: int, b_q32: int) -> int:
    """Quotient of two U96F32, rounded down; 0 where the divisor is 0 or it does not fit."""
    if b_q32 == 0:
        return 0
    quotient = (a_q32 << 32) // b_q32
    return quotient if quotient <= U128_MAX else 0


def mul_u64f64(a_q64: int, b_q64: int) -> int:
    """Product of two U64F64, rounded down, saturating."""
    return min((a_q64 * b_q64) >> 64, U128_MAX)


def div_u64f64(a_q64: int, b_q64: int) -> int:
    """Quotient of two U64F64, rounded down; 0 where the divisor is 0 or it does not fit."""
    if b_q64 == 0:
        return 0
    quotient = (a_q64 << 64) // b_q64
    return quotient if quotient <= U128_MAX else 0


def u64_of_q32(value_q32: int) -> int:
    """Whole part of a wide number with 32 fraction bits, saturating to unsigned 64 bits."""
    return clamped(value_q32 >> 32, 0, U64_MAX)
