"""What differs between networks in the rules themselves. Every network has one value of each, fixed at genesis."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """Choices of rules.

    `slot_ms` is the block time that clients are told. `author` is the key that Aura lists.
    """

    slot_ms: int = 12_000
