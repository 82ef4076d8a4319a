"""What the RPC needs of the process that makes blocks. `mycelia.node` supplies it over a local socket."""

from __future__ import annotations

from asyncio import Future
from dataclasses import dataclass
from typing import Protocol

from mycelia.chain import Header
from mycelia.primitives import AccountId


@dataclass(frozen=True)
class Sealed:
    """A block that is durable and final."""

    header: Header
    hash: bytes
    included: tuple[bytes, ...]
    """Hashes of its extrinsics, in order."""


@dataclass(frozen=True)
class Fate:
    """What became of a waiting extrinsic without a block: ready, usurped, dropped, invalid."""

    hash: bytes
    status: str
    by: bytes | None = None


class Sealer(Protocol):
    """The pool and the engine, at the other end of a socket. A lost socket fails every future."""

    def submit(self, raw: bytes, height: int) -> Future[str]:
        """Let an extrinsic wait that was verified for this height: "ready" or "future", or `InvalidTransaction`."""
        ...

    def next_nonce(self, who: AccountId) -> Future[int]:
        """The account's nonce after everything that waits."""
        ...

    def pending(self) -> Future[list[bytes]]:
        """What waits, oldest first, up to 4 MiB of it."""
        ...

    def seal(self, blocks: int) -> Future[list[bytes]]:
        """Seal blocks now; their hashes. `AppError` where the engine doesn't take orders."""
        ...

    def seal_epoch(self, netuid: int) -> Future[list[bytes]]:
        """Seal up to the block of a subnet's next epoch; the hashes. As `seal`."""
        ...

    def snapshot(self) -> Future[bytes]:
        """The hash of the head, to go back to. As `seal`."""
        ...

    def revert(self, block: bytes) -> Future[None]:
        """Make an earlier block the head again. As `seal`."""
        ...

    def set_time(self, now_ms: int) -> Future[None]:
        """Set the clock of blocks. As `seal`."""
        ...

    def stats(self) -> Future[dict[str, int | float]]:
        """Counters of pool and engine."""
        ...


class Listener(Protocol):
    """Who hears of blocks and fates, in the order in which they happened."""

    def on_sealed(self, sealed: Sealed) -> None: ...
    def on_reverted(self, head: Sealed) -> None: ...
    def on_fate(self, fate: Fate) -> None: ...
