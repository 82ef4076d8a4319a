"""What differs between networks in the rules themselves. Every network has one value of each, fixed at genesis."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """Choices of rules.

    `slot_ms` is the block time that clients are told. With `has_modular_epochs` epochs follow from the height and the
    netuid alone, as clients of the 10.x line compute them; otherwise each runs a tempo after the one before. With
    `is_fast` new subnets have a tempo of 10 and owners hardly wait, as on the official local network.
    """

    slot_ms: int = 12_000
    has_modular_epochs: bool = False
    is_fast: bool = False
