"""The time of a block, set once by its first extrinsic. Inside the chain it is a value, never a clock."""

from __future__ import annotations

from mycelia.codec import U64, Compact
from mycelia.frame import Constant, Origin, Pallet, State, Value, Weight, call, ensure
from mycelia.frame.dispatch import BadOrigin


class Timestamp(Pallet, name="Timestamp"):
    """The time of a block, set once by its first extrinsic."""

    minimum_period = Constant(U64, U64(1), doc="Least milliseconds between two blocks.")

    now = Value(U64, default=U64(0), doc="Time of the current block, in milliseconds since 1970.")
    did_update = Value(bool, default=False, doc="Whether the current block has set its time.")

    def __init__(self, state: State) -> None:
        super().__init__(state)

    def on_finalize(self) -> None:
        """Forget that the time was set."""
        self.did_update = False

    @call(index=0, weight=Weight(U64(1_000_000)), pays=False)
    def set(self, origin: Origin, now: Compact[U64]) -> None:
        """Set the block's time. Inherent, once per block, later than the block before."""
        # CHECK
        origin.none()
        ensure(not self.did_update, BadOrigin)
        ensure(self.now == 0 or now >= self.now + self.minimum_period, BadOrigin)
        # CHANGE
        self.now = now
        self.did_update = True
