"""Yuma consensus: `kernel` explains it, `kernel_fast` computes it, `pallet` stores its outcome."""

from mycelia.pallets.subtensor.epoch.types import (
    EpochInput,
    EpochOutput,
    EpochParameters,
    SparseRow,
    pairs_of,
)

__all__ = ["EpochInput", "EpochOutput", "EpochParameters", "SparseRow", "pairs_of"]
