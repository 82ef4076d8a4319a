"""An RPC node without processes: a chain in memory and a sealer that answers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from mycelia.chain import Chain
from mycelia.crypto import blake2_256
from mycelia.primitives import AccountId, AppError, InvalidTransaction
from mycelia.rpc import ChainInfo, Node, Sealed
from mycelia.rpc.hub import Hub
from mycelia.runtime import Extrinsic
from mycelia.testing.blocks import grow, new_chain
from mycelia.txpool import Pool


class InstantSealer:
    """A pool and a chain behind the face of `mycelia.rpc.Sealer`; `seal` tells the node."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.pool: Pool[Extrinsic] = Pool(height=chain.height)
        self.on_sealed: Callable[[Sealed], None] = lambda _: None
        self.on_reverted: Callable[[Sealed], None] = lambda _: None
        self.times_ms: list[int] = []

    def submit(self, raw: bytes, height: int) -> asyncio.Future[str]:
        return self._answer(lambda: self._admit(raw, height))

    def next_nonce(self, who: AccountId) -> asyncio.Future[int]:
        waiting = self.pool.next_nonce(who)
        return self._answer(lambda: self.chain.next_nonce(who) if waiting is None else waiting)

    def pending(self) -> asyncio.Future[list[bytes]]:
        return self._answer(lambda: [entry.xt.raw for entry in self.pool.entries()])

    def seal(self, blocks: int) -> asyncio.Future[list[bytes]]:
        return self._answer(lambda: [self._seal() for _ in range(blocks)])

    def seal_epoch(self, netuid: int) -> asyncio.Future[list[bytes]]:
        return self._answer(lambda: [self._seal()] if netuid else [])

    def snapshot(self) -> asyncio.Future[bytes]:
        return self._answer(lambda: self.chain.head_hash)

    def revert(self, block: bytes) -> asyncio.Future[None]:
        return self._answer(lambda: self._revert(block))

    def set_time(self, now_ms: int) -> asyncio.Future[None]:
        return self._answer(lambda: self.times_ms.append(now_ms))

    def stats(self) -> asyncio.Future[dict[str, int | float]]:
        return self._answer(lambda: {"height": self.chain.height, "waiting": len(self.pool)})

    def _admit(self, raw: bytes, height: int) -> str:
        xt, validity = self.chain.check(raw, verified_for=height)
        return self.pool.add(xt, validity, validity.account_nonce)

    def _seal(self) -> bytes:
        entries = list(self.pool.ready())
        grow(self.chain, *(entry.xt.raw for entry in entries))
        self.pool.included([entry.xt.hash for entry in entries], self.chain.height)
        block = self.chain.history.block_at(self.chain.height)
        assert block is not None
        included = tuple(blake2_256(raw) for raw in block.extrinsics)
        self.on_sealed(Sealed(block.header, block.hash, included))
        return block.hash

    def _revert(self, block: bytes) -> None:
        height = self.chain.history.height_of(block)
        if height is None:
            raise AppError("unknown_snapshot", "No block of this chain.", "Take one of its own.")
        self.chain.rewind(height)
        self.pool.clear(height)
        self.on_reverted(Sealed(self.chain.head, self.chain.head_hash, ()))

    @staticmethod
    def _answer(work: Callable[[], Any]) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            future.set_result(work())
        except (InvalidTransaction, AppError) as refusal:
            future.set_exception(refusal)
        return future


def rpc_node(chain: Chain | None = None) -> tuple[Node, InstantSealer]:
    """A node over a chain at genesis, and its sealer."""
    chain = chain or new_chain()
    sealer = InstantSealer(chain)
    store = chain.store
    hub = Hub(lambda keys: [store.head().get(key) for key in keys])
    node = Node(store, sealer, ChainInfo("test", "Development", "0"), hub)
    sealer.on_sealed, sealer.on_reverted = node.on_sealed, node.on_reverted
    return node, sealer
