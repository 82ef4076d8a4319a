"""Yuma consensus: `kernel` explains it, `kernel_fast` computes it, `pallet` stores its outcome."""

from mycelia.pallets.subtensor.epoch.types import (
    MYCELIA,
    YUMA2,
    YUMA3,
    YUMA3_DENSE,
    EpochInput,
    EpochOutput,
    EpochParameters,
    EpochRules,
    SparseRow,
    pairs_of,
)

__all__ = [
    "MYCELIA",
    "YUMA2",
    "YUMA3",
    "YUMA3_DENSE",
    "EpochInput",
    "EpochOutput",
    "EpochParameters",
    "EpochRules",
    "SparseRow",
    "pairs_of",
]
