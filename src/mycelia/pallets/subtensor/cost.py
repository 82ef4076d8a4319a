"""What calls cost: picoseconds of the reference machine and bytes of proof, as benchmarked there."""

from __future__ import annotations

from mycelia.codec import U64
from mycelia.frame import Weight


def cost(ref_time: int, proof_bytes: int) -> Weight:
    """A weight from plain numbers. Source: subtensor@14bc6f9 `weights.rs`, reads and writes included."""
    return Weight(U64(ref_time), U64(proof_bytes))
