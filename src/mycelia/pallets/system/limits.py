"""What a block may weigh and how long it may be, as clients read it.

A block here ends by a budget of time and bytes (`chain.Budget`), not by weight: weights price calls, and bound one
extrinsic. The figures below are what weights were made for.

Source: subtensor@14bc6f9 `runtime/src/lib.rs` (4 s a block, three quarters of it for normal extrinsics);
`frame_system::limits::BlockWeights::with_sensible_defaults`, which sets a tenth aside for a block's start.
"""

from __future__ import annotations

from typing import Final

from mycelia.codec import U32, U64
from mycelia.frame import Weight
from mycelia.pallets.system.types import (
    BlockLength,
    BlockWeights,
    PerClassBytes,
    PerClassWeights,
    RuntimeDbWeight,
    WeightsPerClass,
)
from mycelia.primitives.fixed import U64_MAX

MAX_BLOCK_BYTES: Final = U32(5 * 1024 * 1024)
MAX_PICOSECONDS: Final = 4 * 10**12
NORMAL_PERCENT: Final = 75
START_PERCENT: Final = 10
NOTHING: Final = Weight(U64(0))
BASE_BLOCK: Final = Weight(U64(431_614_000))
BASE_EXTRINSIC: Final = Weight(U64(108_157_000))
DB_WEIGHT: Final = RuntimeDbWeight(read=U64(25_000_000), write=U64(100_000_000))


def _part(percent: int, less: Weight = NOTHING) -> Weight:
    """A part of the most that a block weighs, rounded down, less a weight."""
    time, proof = (most * percent // 100 for most in (MAX_PICOSECONDS, U64_MAX))
    return Weight(U64(time - less.ref_time), U64(proof - less.proof_size))


MAX_EXTRINSIC: Final = _part(NORMAL_PERCENT - START_PERCENT, BASE_EXTRINSIC)
"""What one extrinsic may weigh but for the operator's orders; this holds here, too: a block never ends amid one."""

BLOCK_WEIGHTS: Final = BlockWeights(
    BASE_BLOCK,
    _part(100),
    PerClassWeights(
        normal=WeightsPerClass(
            BASE_EXTRINSIC,
            max_extrinsic=MAX_EXTRINSIC,
            max_total=_part(NORMAL_PERCENT),
            reserved=NOTHING,
        ),
        operational=WeightsPerClass(
            BASE_EXTRINSIC,
            max_extrinsic=_part(100 - START_PERCENT, BASE_EXTRINSIC),
            max_total=_part(100),
            reserved=_part(100 - NORMAL_PERCENT),
        ),
        mandatory=WeightsPerClass(
            BASE_EXTRINSIC, max_extrinsic=None, max_total=None, reserved=None
        ),
    ),
)
BLOCK_LENGTH: Final = BlockLength(PerClassBytes(MAX_BLOCK_BYTES, MAX_BLOCK_BYTES, MAX_BLOCK_BYTES))
