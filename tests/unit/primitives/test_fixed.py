"""Fixed-point arithmetic rounds as its names say and saturates where it must."""

from __future__ import annotations

import pytest

from mycelia.primitives import fixed
from mycelia.primitives.fixed import I64_MAX, I64_MIN, ONE_Q32, ONE_Q64, U64_MAX, U128_MAX


@pytest.mark.parametrize(
    ("a", "b", "product"),
    [
        (ONE_Q32, ONE_Q32, ONE_Q32),
        (1, 1, 0),
        (-1, 1, -1),  # down, also below zero
        (3, ONE_Q32 // 2, 1),
        (-3, ONE_Q32 // 2, -2),
        (I64_MAX, I64_MAX, I64_MAX),
        (I64_MAX, I64_MIN, I64_MIN),
    ],
)
def test_products_round_down_and_saturate(a: int, b: int, product: int) -> None:
    assert fixed.mul_q32(a, b) == product


@pytest.mark.parametrize(
    ("a", "b", "quotient"),
    [
        (ONE_Q32, 3 * ONE_Q32, 1_431_655_765),
        (-ONE_Q32, 3 * ONE_Q32, -1_431_655_765),  # toward zero
        (ONE_Q32, 0, 0),
        (I64_MAX, 1, 0),  # does not fit
        (0, 5, 0),
    ],
)
def test_quotients_round_toward_zero(a: int, b: int, quotient: int) -> None:
    assert fixed.div_q32(a, b) == quotient


def test_sums_saturate() -> None:
    assert fixed.add_q32(I64_MAX, 1) == I64_MAX
    assert fixed.sub_q32(I64_MIN, 1) == I64_MIN
    assert fixed.add_q32(2, 3) == 5


def test_shares_of_16_bits() -> None:
    assert fixed.q32_of_u16_share(65_535) == ONE_Q32
    assert fixed.u16_share_of_q32(ONE_Q32) == 65_535
    assert fixed.u16_share_of_q32(ONE_Q32 // 2) == 32_767
    assert fixed.u16_share_of_q32(-1) == 0
    assert fixed.u16_share_of_q32(2 * ONE_Q32) == 65_535


def test_wide_numbers() -> None:
    assert fixed.mul_u96f32(U128_MAX, U128_MAX) == U128_MAX
    assert fixed.div_u96f32(U128_MAX, 1) == 0
    assert fixed.div_u96f32(ONE_Q32, 0) == 0
    assert fixed.div_u64f64(ONE_Q64, 3 * ONE_Q64) == ONE_Q64 // 3
    assert fixed.div_u64f64(U128_MAX, 1) == 0
    assert fixed.div_u64f64(1, 0) == 0
    assert fixed.mul_u64f64(U128_MAX, U128_MAX) == U128_MAX
    assert fixed.u64_of_q32((5 << 32) + 7) == 5
    assert fixed.u64_of_q32(U128_MAX) == U64_MAX
    assert fixed.u64_of_q32(-1) == 0
