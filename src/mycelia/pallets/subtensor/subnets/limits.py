"""Rate limits: the block at which something limited was last done."""

from __future__ import annotations

from typing import Final, Protocol

from mycelia.codec import U16, U64
from mycelia.frame import Blake2_128Concat, Identity, Map, NMap, Pallet, State
from mycelia.pallets.subtensor.types import RateLimitKey
from mycelia.primitives import AccountId, BlockNumber, NetUid

SET_WEIGHTS_VERSION_KEY: Final = U16(4)
MECHANISM_COUNT: Final = U16(7)
MECHANISM_SPLIT: Final = U16(8)
TRIM: Final = U16(9)
SET_TEMPO: Final = U16(11)
"""What an owner did, by the chain's number for it. Source: `utils/rate_limiting.rs::TransactionType`."""


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

    transaction_key_last_block = NMap[U64](
        (AccountId, NetUid, U16),
        U64,
        hashers=(Blake2_128Concat, Identity, Identity),
        default=U64(0),
        doc="Block at which a key last did something limited on a subnet; 0 for never.",
    )

    clock: Clock

    def __init__(self, state: State, *, clock: Clock) -> None:
        super().__init__(state, clock=clock)

    def owner_passes(self, who: AccountId, netuid: NetUid, what: U16, limit_blocks: int) -> bool:
        """Whether `limit_blocks` have passed since the owner did that; always the first time."""
        last = self.transaction_key_last_block[who, netuid, what]
        return last == 0 or self.clock.now() - last >= limit_blocks

    def mark_owner(self, who: AccountId, netuid: NetUid, what: U16) -> None:
        """The owner does that now."""
        self.transaction_key_last_block[who, netuid, what] = U64(self.clock.now())

    def remove_subnet(self, netuid: NetUid) -> None:
        """Forget what owners did on a subnet: the next one starts afresh."""
        for who, at, what in self.transaction_key_last_block.keys():  # noqa: SIM118  # a storage map
            if at == netuid:
                del self.transaction_key_last_block[who, at, what]
        for key in self.last_rate_limited_block.keys():  # noqa: SIM118  # a storage map
            if getattr(key, "netuid", None) == netuid:
                del self.last_rate_limited_block[key]

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
