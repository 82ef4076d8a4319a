"""A chain of one's own in a test's process, ready in milliseconds: people, calls, time warp; and a node around it.

`DevChain` is called directly. `dev_node` puts the real RPC on a loopback port before the same chain, for clients. Both
start from the development network's genesis: `//Alice`, the operator, `//Bob` and `//Charlie` own a million TAO each.
Fixtures of the same names are in `mycelia.testing.plugin`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from mycelia.chain import Chain, open_chain
from mycelia.codec import U32
from mycelia.engine import SoloConfig
from mycelia.node.genesis import development_genesis
from mycelia.node.link import Kind, SealerClient
from mycelia.node.rpc_process import deliver
from mycelia.node.sealer import Sealer
from mycelia.pallets.system.types import ApplyExtrinsic
from mycelia.primitives import NetUid
from mycelia.rpc import ChainInfo, Node, RpcServer
from mycelia.rpc.hub import Hub
from mycelia.runtime import GenesisConfig, Rules
from mycelia.state import MemoryStore
from mycelia.testing.oracle import Person, compose
from mycelia.testing.world import Result, _name_of
from mycelia.txpool import Pool

SLOT_MS: Final = 250
START_MS: Final = 1_700_000_000_000
"""Time of block 1: the same in every run."""


@cache
def _genesis() -> GenesisConfig:
    return development_genesis()


@dataclass(frozen=True)
class Snapshot:
    """A block to go back to."""

    height: int
    next_ms: int


class DevChain:
    """A chain that seals when told to. Time is its own: it begins at `START_MS`, a slot per block."""

    def __init__(self, genesis: GenesisConfig | None = None, *, slot_ms: int = SLOT_MS) -> None:
        self.chain: Chain = open_chain(MemoryStore(), genesis or _genesis(), Rules(slot_ms=slot_ms))
        self._next_ms = START_MS

    @property
    def height(self) -> int:
        """Height of the newest block."""
        return self.chain.height

    @property
    def pallets(self) -> Any:
        """The rules' own view of the state after the newest block, to read from."""
        return self.chain.runtime.pallets

    @staticmethod
    def address(uri: str) -> str:
        """The address of a key, as calls take it."""
        return Person(uri).address

    def free(self, uri: str) -> int:
        """What a key may spend, in rao."""
        return int(self.pallets.balances.free_balance(Person(uri).account))

    def submit(self, uri: str, pallet: str, call: str, /, **params: Any) -> Result:
        """Sign a call, seal a block with it, and tell how it ended.

        Raises:
            InvalidTransaction: it may not be included, say for a fee that can't be paid; no block was sealed.
        """
        return self.apply(uri, compose(pallet, call, **params))

    def sudo(self, pallet: str, call: str, /, **params: Any) -> Result:
        """Have a call made as root by the operator, in a block of its own."""
        inner = compose(pallet, call, **params)
        result = self.apply("//Alice", compose("Sudo", "sudo", call=inner))
        outcome = result.events("Sudid")[0].sudo_result
        return Result(_name_of(getattr(outcome, "error", None)), result.told)

    def apply(self, uri: str, call: bytes) -> Result:
        """As `submit`, of call bytes."""
        who, chain = Person(uri), self.chain
        raw = who.sign(call, nonce=chain.next_nonce(who.account), genesis_hash=chain.genesis_hash)
        draft = chain.draft(self._next_ms)
        try:
            draft.add(chain.runtime.decode(raw))
        except BaseException:
            chain.discard()
            raise
        index = ApplyExtrinsic(U32(len(draft) - 1))
        chain.finalize(draft.finish())
        told = tuple(entry for entry in chain.runtime.state.told if entry.phase == index)
        self._commit()
        return Result(_name_of(getattr(told[-1].event, "dispatch_error", None)), told)

    def seal(self, blocks: int = 1) -> None:
        """Seal empty blocks."""
        for _ in range(blocks):
            self.chain.finalize(self.chain.draft(self._next_ms).finish())
            self._commit()

    def seal_epoch(self, netuid: int, limit: int = 100_000) -> int:
        """Seal up to the block in which the subnet's next epoch runs; its height."""
        used = self.pallets.schedule.index_of(NetUid(netuid))
        for _ in range(limit):
            self.seal()
            if self.pallets.schedule.index_of(NetUid(netuid)) != used:
                return self.height
        raise AssertionError(f"Subnet {netuid} had no epoch in {limit} blocks.")

    def snapshot(self) -> Snapshot:
        """The chain as it is now, for `revert`."""
        return Snapshot(self.height, self._next_ms)

    def revert(self, snapshot: Snapshot) -> None:
        """Go back as if nothing had happened since."""
        self.chain.rewind(snapshot.height)
        self._next_ms = snapshot.next_ms

    def set_time(self, now_ms: int) -> None:
        """Give the next block this time, in ms since 1970; it must be later than the newest block's."""
        if now_ms <= self.chain.now_ms():
            raise ValueError(f"{now_ms} ms is not after the newest block's time.")
        self._next_ms = now_ms

    def _commit(self) -> None:
        self.chain.commit()
        self._next_ms = self.chain.now_ms() + self.chain.slot_ms


@dataclass(frozen=True)
class DevNode:
    """A node in this process: its address, and the chain behind it for looking inside."""

    url: str
    chain: Chain
    sealer: Sealer


@contextlib.asynccontextmanager
async def dev_node(
    genesis: GenesisConfig | None = None, *, slot_ms: int = SLOT_MS, interval_ms: int | None = 50
) -> AsyncIterator[DevNode]:
    """A node on a free loopback port, in this process and event loop, with its state in memory.

    It tells clients that a slot is `slot_ms` and seals every `interval_ms`; None seals on orders only.
    """
    chain = open_chain(MemoryStore(), genesis or _genesis(), Rules(slot_ms=slot_ms))
    sealer = Sealer(
        chain,
        Pool(height=chain.height),
        SoloConfig(interval_ms=interval_ms),
        start_info={},
        may_be_told=True,
        on_sealed=lambda _: None,
    )
    loop = asyncio.get_running_loop()
    node: Node | None = None

    def on_news(kind: Kind, _ticket: int, payload: bytes) -> None:
        if node is not None:
            deliver(node, kind, payload)

    client = SealerClient(on_news, lambda: None)
    ours, theirs = socket.socketpair()
    await loop.create_connection(sealer.link, sock=ours)
    await loop.create_connection(lambda: client.link, sock=theirs)
    store = chain.store
    hub = Hub(lambda keys: [store.head().get(key) for key in keys])
    node = Node(store, client, ChainInfo("mycelia", "Development", "0"), hub)
    server = RpcServer(node)
    work = [asyncio.create_task(sealer.solo.run()), asyncio.create_task(sealer.obey())]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await server.start(listener)
        try:
            yield DevNode(f"ws://127.0.0.1:{listener.getsockname()[1]}", chain, sealer)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await server.stop()
            client.link.close()
