"""Slots. Clients read the block time from here: a slot of 250 ms tells them that the chain runs fast."""

from __future__ import annotations

from mycelia.codec import U64, Bytes32
from mycelia.frame import Constant, Pallet, State, Value


class Aura(Pallet, name="Aura"):
    """Slots, and who may author."""

    slot_duration = Constant(
        U64, U64(12_000), doc="Milliseconds between blocks; each network publishes its own."
    )

    authorities = Value[tuple[bytes, ...]](
        tuple[Bytes32, ...], default=(), doc="Keys that may author blocks."
    )
    current_slot = Value(U64, default=U64(0), doc="Slot of the current block.")

    def __init__(self, state: State) -> None:
        super().__init__(state)

    def author_in(self, blocks: int) -> bytes | None:
        """The author whose turn it is that many slots from now; None where nobody may author."""
        keys = self.authorities
        return keys[(self.current_slot + blocks) % len(keys)] if keys else None
