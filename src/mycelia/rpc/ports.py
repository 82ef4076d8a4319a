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

    def submit(self, raw: bytes) -> Future[str]:
        """Let a verified extrinsic wait: "ready" or "future", or `InvalidTransaction`."""
        ...

    def next_nonce(self, who: AccountId) -> Future[int]:
        """The account's nonce after everything that waits."""
        ...

    def pending(self) -> Future[list[bytes]]:
        """What waits, oldest first."""
        ...

    def seal(self, blocks: int) -> Future[list[bytes]]:
        """Seal blocks now; their hashes. `AppError` where the engine doesn't take orders."""
        ...

    def stats(self) -> Future[dict[str, int | float]]:
        """Counters of pool and engine."""
        ...


class Listener(Protocol):
    """Who hears of blocks and fates, in the order in which they happened."""

    def on_sealed(self, sealed: Sealed) -> None: ...
    def on_fate(self, fate: Fate) -> None: ...
