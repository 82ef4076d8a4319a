"""What a row of weights must look like, and how it is stored.

Source: subtensor@14bc6f9 `subnets/weights.rs`, `epoch/math.rs`.
"""

from __future__ import annotations

from collections.abc import Sequence

from mycelia.primitives.fixed import ONE_Q32, U16_MAX, clamped, div_q32, mul_q32


def max_upscaled(values_u16: Sequence[int]) -> list[int]:
    """The row scaled so that its largest value is 65535, each value rounded half up; all zeros stay zeros.

    The two branches differ in which product is rounded down first, and so in the last digit.
    Source: `epoch/math.rs::vec_max_upscale_to_u16`.
    """
    largest = max(values_u16, default=0)
    if largest == 0:
        return [0] * len(values_u16)
    if largest > U16_MAX // 2 + 1:
        ratio = div_q32(U16_MAX << 32, largest << 32)
        return [_rounded(mul_q32(value << 32, ratio)) for value in values_u16]
    return [_rounded(div_q32((value * U16_MAX) << 32, largest << 32)) for value in values_u16]


def _rounded(value_q32: int) -> int:
    return clamped((value_q32 + ONE_Q32 // 2) >> 32, 0, U16_MAX)


def is_self_weight(uid: int, uids: Sequence[int]) -> bool:
    """Whether the row names the setter alone: allowed to any neuron."""
    return len(uids) == 1 and uids[0] == uid


def has_duplicates(uids: Sequence[int]) -> bool:
    """Whether a uid is named twice."""
    return len(frozenset(uids)) < len(uids)


def exceeds_share(values_u16: Sequence[int], limit_u16: int) -> bool:
    """Whether the largest value's share of the sum is above `limit_u16`. Shares round down, so the setter gains.

    Source: `epoch/math.rs::check_vec_max_limited`.
    """
    total = sum(values_u16)
    if total == 0:
        return False
    share_q32 = div_q32(max(values_u16) << 32, total << 32)
    return share_q32 > div_q32(limit_u16 << 32, U16_MAX << 32)
