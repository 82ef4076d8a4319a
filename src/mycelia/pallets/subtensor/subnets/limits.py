"""Rate limits: the block at which something limited was last done."""

from __future__ import annotations

from typing import Protocol

from mycelia.codec import U64
from mycelia.frame import Identity, Map, Pallet, State
from mycelia.pallets.subtensor.types import RateLimitKey
from mycelia.primitives import BlockNumber


class Clock(Protocol):
    """The height of the block being built."""

    def now(self) -> BlockNumber: ...


class RateLimits(Pallet, name="SubtensorModule"):
    """Who did last when what may not be done too often."""

    last_rate_limited_block = Map[RateLimitKey, U64](
        RateLimitKey,
        U64,
        hasher=Identity,
        default=U64(0),
        doc="Block at which something limited was last done; 0 for never.",
    )

    clock: Clock

    def __init__(self, state: State, *, clock: Clock) -> None:
        super().__init__(state, clock=clock)

    def passes(self, key: RateLimitKey, limit_blocks: int) -> bool:
        """Whether `limit_blocks` have passed since the last time; always the first time."""
        last = self.last_rate_limited_block[key]
        return last == 0 or self.clock.now() - last >= limit_blocks

    def passes_strictly(self, key: RateLimitKey, limit_blocks: int) -> bool:
        """Whether more than `limit_blocks` have passed; a limit of 0 always passes."""
        last = self.last_rate_limited_block[key]
        return last == 0 or limit_blocks == 0 or self.clock.now() - last > limit_blocks

    def mark(self, key: RateLimitKey) -> None:
        """It is done now."""
        self.last_rate_limited_block[key] = U64(self.clock.now())
