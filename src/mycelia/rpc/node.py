"""What the methods work on: the blocks and states of a read-only store, and the sealer behind its socket."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mycelia.chain import Header, History, verify_signature
from mycelia.primitives import Bug
from mycelia.primitives.errors import MalformedTransaction
from mycelia.rpc.budget import TimeBudget
from mycelia.rpc.errors import state_discarded, unknown_block
from mycelia.rpc.hub import Hub
from mycelia.rpc.metered import MeteredOverlay
from mycelia.rpc.ports import Fate, Sealed, Sealer
from mycelia.runtime import Extrinsic, Runtime
from mycelia.state import ReadView, StateDiscarded, Store

_KEPT_RUNTIMES: Final = 16


@dataclass(frozen=True)
class ChainInfo:
    """What the operator says of the network and the program."""

    name: str
    kind: str
    version: str


@dataclass
class Node:
    """One RPC process's view of its node. Reads never wait for the sealer."""

    store: Store
    sealer: Sealer
    info: ChainInfo
    hub: Hub
    counters: Callable[[], dict[str, int]] = dict
    explaining: TimeBudget = field(default_factory=TimeBudget)

    def __post_init__(self) -> None:
        self.history = History(self.store)
        self._rules = self.history.rules()
        self._runtimes: dict[int, tuple[Runtime, MeteredOverlay]] = {}
        self._stateless: Runtime | None = None
        self.listing: Future[list[bytes]] | None = None
        """What waits, being asked for or asked for last."""

    def height_of(self, hash_: bytes | None) -> int:
        """Height of a block hash, of the head for None; raises the unknown-block error."""
        if hash_ is None:
            return self.history.height()
        height = self.history.height_of(hash_)
        if height is None:
            raise unknown_block(hash_)
        return height

    def hash_at(self, height: int) -> bytes:
        """Hash of a block that is known to exist."""
        found = self.history.hash_at(height)
        if found is None:
            raise Bug(f"Block {height} was looked up by its hash and has none.")
        return found

    def header(self, hash_: bytes | None) -> Header | None:
        """A header by hash, the head's for None; None for a hash that is not ours."""
        height = self.history.height() if hash_ is None else self.history.height_of(hash_)
        return None if height is None else self.history.header_at(height)

    def state_at(self, hash_: bytes | None) -> ReadView:
        """Raw state after a block; raises the unknown-block and state-discarded errors."""
        return self.view_at(self.height_of(hash_))

    def view_at(self, height: int) -> ReadView:
        """Raw state after the block of a height; raises the state-discarded error."""
        try:
            return self.store.at(height)
        except StateDiscarded as cause:
            raise state_discarded(self.hash_at(height)) from cause

    def runtime_at(self, hash_: bytes | None) -> Runtime:
        """A runtime that reads the state after a block. Its few latest are kept with what they decoded."""
        return self._metered_at(hash_)[0]

    def call_api(self, name: str, data: bytes, hash_: bytes | None) -> bytes:
        """Run a runtime API on the state after a block, as `Runtime.call_api`; raises where it is too much work."""
        runtime, overlay = self._metered_at(hash_)
        overlay.begin()
        return runtime.call_api(name, data)

    def _metered_at(self, hash_: bytes | None) -> tuple[Runtime, MeteredOverlay]:
        height = self.height_of(hash_)
        found = self._runtimes.pop(height, None)
        if found is None:
            overlay = MeteredOverlay(self.view_at(height))
            found = Runtime(overlay, self._rules), overlay
        self._runtimes[height] = found
        if len(self._runtimes) > _KEPT_RUNTIMES:
            del self._runtimes[next(iter(self._runtimes))]
        return found

    def verified(self, raw: bytes) -> tuple[Extrinsic, int]:
        """An extrinsic, and the height for which its signature was verified; raises `InvalidTransaction`."""
        rules = self._stateless
        if rules is None:
            rules = self._stateless = self.runtime_at(None)
        xt = rules.decode(raw)
        if xt.signer is None:
            raise MalformedTransaction("Inherents are made by the block's author, not submitted.")
        # The store's head: a client may have signed for a block that it read there and that we were not told of yet.
        head = self.history.height()
        verify_signature(rules, self.history, xt, head + 1)
        return xt, head + 1

    def on_sealed(self, sealed: Sealed) -> None:
        """Hear of a block; what reads the store may know of it already."""
        self.hub.on_sealed(sealed)

    def on_reverted(self, head: Sealed) -> None:
        """Hear that an earlier block is the head again: heights above it will have other blocks."""
        self.history.forget()
        self._runtimes.clear()
        self.on_sealed(head)

    def on_fate(self, fate: Fate) -> None:
        """Hear what became of a waiting extrinsic."""
        self.hub.on_fate(fate)
