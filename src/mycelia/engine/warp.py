"""Time warp: what a developer may do to the time of a network of his own.

Blocks are sealed at once, each a slot after the one before; the chain jumps to a subnet's next epoch; the head
goes back to an earlier block as if nothing had happened since; the clock is set. None of it is for a network that
others rely on: the node refuses these orders unless it was started for development.
"""

from __future__ import annotations

from typing import Final

from mycelia.chain import Chain
from mycelia.engine.clock import Clock
from mycelia.engine.solo import Solo
from mycelia.primitives import AppError, NetUid
from mycelia.state import StateDiscarded

_DEFERRED: Final = 256
"""Blocks by which other subnets' epochs may put one off, at most."""


class Warp:
    """Orders to one engine, its chain, pool and clock. Every refusal is an `AppError` and changes nothing."""

    def __init__(self, solo: Solo, clock: Clock) -> None:
        self._solo = solo
        self._clock = clock

    @property
    def _chain(self) -> Chain:
        return self._solo.chain

    async def seal(self, blocks: int) -> list[bytes]:
        """Seal blocks now; their hashes."""
        return await self._solo.seal(blocks)

    async def seal_epoch(self, netuid: int) -> list[bytes]:
        """Seal blocks up to the one in which the subnet's next epoch runs; their hashes."""
        schedule = self._chain.runtime.pallets.schedule
        expected = schedule.next_epoch_start(NetUid(netuid))
        if (
            expected is None
            or not self._chain.runtime.pallets.subnets.networks_added[NetUid(netuid)]
        ):
            raise AppError(
                "no_epoch",
                f"Subnet {netuid} has no epoch to come.",
                "Create it, or give it a tempo.",
            )
        used = schedule.index_of(NetUid(netuid))
        hashes: list[bytes] = []
        for _ in range(max(0, expected - self._chain.height) + _DEFERRED):
            hashes += await self._solo.seal()
            # Asked anew: the pallets of a chain that went back are others.
            if self._chain.runtime.pallets.schedule.index_of(NetUid(netuid)) != used:
                return hashes
        raise AppError(
            "epoch_put_off",
            f"Subnet {netuid} had no epoch in {len(hashes)} blocks.",
            "Look at its tempo, and at how many epochs a block may run.",
        )

    async def snapshot(self) -> bytes:
        """The hash of the head, to `revert` to later. Nothing is copied: the store keeps its history."""
        return self._chain.head_hash

    async def revert(self, block: bytes) -> None:
        """Make an earlier block the head again. What waits in the pool goes; the clock stays as it is."""
        height = self._chain.history.height_of(block)
        if height is None:
            raise AppError(
                "unknown_snapshot",
                f"0x{block.hex()} is no block of this chain.",
                "Take the hash that mycelia_snapshot gave; one that was reverted past is gone.",
            )
        try:
            await self._solo.rewind(height)
        except StateDiscarded as cause:
            raise AppError(
                "snapshot_discarded",
                f"The state after block {height} is no longer kept.",
                "Start the node with --archive to go back further.",
            ) from cause

    async def set_time(self, now_ms: int) -> None:
        """Set the clock: the next block that isn't in a hurry carries this time, and time goes on from there."""
        earliest = self._chain.now_ms() + 1
        if not earliest <= now_ms < 1 << 63:
            raise AppError(
                "time_runs_forward",
                f"The next block must be later than the newest, at {earliest - 1} ms.",
                "Choose a later time, or revert to an earlier block first.",
            )
        self._clock.set(now_ms)
