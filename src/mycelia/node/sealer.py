"""The process that makes blocks: it owns the store's write side, the chain, the pool and the engine.

It answers what RPC processes ask over their links, and sends them the news. It verifies no signature that
an RPC process has verified: both are this program, and the link is theirs alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson

from mycelia.chain import Chain
from mycelia.crypto import blake2_256
from mycelia.engine import Clock, Sealing, ShieldKeys, Solo, SoloConfig, Warp
from mycelia.node.beacon import Rounds
from mycelia.node.link import (
    STATUS_BYTE,
    Kind,
    Link,
    decode_submission,
    encode_refusal,
    encode_sealed,
    pack,
    unpack,
)
from mycelia.primitives import AccountId, AppError, Bug, InvalidTransaction
from mycelia.runtime import Extrinsic
from mycelia.txpool import AlreadyImported, Pool, Status

log = logging.getLogger("mycelia.node")

SEALS_BY_ITSELF: Final = AppError(
    "seals_by_itself",
    "This node seals by itself.",
    "Start it with --dev or --manual to give it orders.",
)
_LISTED_BYTES: Final = 4 * 1024 * 1024
ORDERS: Final = ("seal", "seal_epoch", "snapshot", "revert", "set_time")
"""Calls that change the course of time; for development."""


@dataclass
class Counters:
    """What happened since the start."""

    blocks: int = 0
    included: int = 0
    admitted: int = 0
    refused: int = 0
    rejected: int = 0
    sealing_ms: float = 0.0
    """Spent on making blocks, all together."""
    last_block_ms: float = 0.0
    last_block_extrinsics: int = 0


class Sealer:
    """Chain, pool and engine, and the links to RPC processes."""

    def __init__(
        self,
        chain: Chain,
        pool: Pool[Extrinsic],
        engine: SoloConfig,
        *,
        start_info: dict[str, Any],
        may_be_told: bool,
        on_sealed: Callable[[Sealing], None],
    ) -> None:
        self._chain = chain
        self._pool = pool
        clock = Clock()
        self.solo = Solo(
            chain,
            pool,
            engine,
            on_sealed=self._sealed,
            clock_ms=clock,
            shield=ShieldKeys(),
        )
        self._warp = Warp(self.solo, clock)
        self.counters = Counters()
        self.sealed_at_s = time.monotonic()
        """When the newest block became durable, or this began; by the monotonic clock."""
        self._links: dict[Link, dict[str, float]] = {}
        self._bug: Bug | None = None
        self._is_broken = asyncio.Event()
        self._start_info = start_info
        self._may_be_told = may_be_told
        self._on_sealed = on_sealed
        self._orders: asyncio.Queue[tuple[Link, int, str, Any]] = asyncio.Queue()

    def link(self) -> Link:
        """A new end for an RPC process, to be connected by the caller."""

        def lost() -> None:
            self._links.pop(end, None)

        end = Link(lambda kind, ticket, payload: self._on_frame(end, kind, ticket, payload), lost)
        self._links[end] = {}
        return end

    async def broken(self) -> None:
        """Wait for a `Bug` met while an RPC process was answered, and raise it."""
        await self._is_broken.wait()
        if self._bug is not None:
            raise self._bug

    @property
    def rpc_reports(self) -> list[dict[str, float]]:
        """What each linked RPC process last said of itself."""
        return list(self._links.values())

    def submit(self, raw: bytes, *, verified_for: int | None) -> Status:
        """Let an extrinsic wait; raises `InvalidTransaction`. `verified_for` is as for `Chain.check`."""
        hash_ = blake2_256(raw)
        if hash_ in self._pool:
            raise AlreadyImported(hash_)
        xt, validity = self._chain.check(raw, verified_for=verified_for)
        status = self._pool.add(xt, validity, validity.account_nonce)
        self.counters.admitted += 1
        return status

    def rounds_of(self, secret: bytes) -> Rounds:
        """The task that brings the rounds of a beacon with this key; `AppError` where another is believed."""
        return Rounds(
            self._chain,
            secret,
            submit=lambda raw: self.submit(raw, verified_for=self._chain.height + 1),
            next_nonce=self.next_nonce,
        )

    async def obey(self) -> None:
        """Do what RPC clients order, one order after the other, until cancelled."""
        while True:
            link, ticket, name, argument = await self._orders.get()
            try:
                answer = [await self._done(name, argument), None]
            except AppError as refusal:
                answer = _refused(refusal)
            link.send(Kind.RESULT, ticket, orjson.dumps(answer))

    async def _done(self, name: str, argument: Any) -> Any:
        warp = self._warp
        match name:
            case "seal":
                return [hash_.hex() for hash_ in await warp.seal(argument)]
            case "seal_epoch":
                return [hash_.hex() for hash_ in await warp.seal_epoch(argument)]
            case "snapshot":
                return (await warp.snapshot()).hex()
            case "revert":
                await warp.revert(bytes.fromhex(argument))
                self._tell_fates()
                head = encode_sealed(self._chain.head.encode(), ())
                for link in self._links:
                    link.send(Kind.REVERTED, 0, head)
            case _:
                await warp.set_time(argument)
        return None

    def next_nonce(self, who: AccountId) -> int:
        """The account's nonce after everything that waits."""
        waiting = self._pool.next_nonce(who)
        return self._chain.next_nonce(who) if waiting is None else waiting

    def stats(self) -> dict[str, Any]:
        """Counters of pool and engine."""
        return {
            "height": self._chain.height,
            "waiting": len(self._pool),
            "waiting_bytes": self._pool.size_bytes,
            **asdict(self.counters),
        }

    def _sealed(self, sealing: Sealing) -> None:
        counters = self.counters
        counters.blocks += 1
        counters.included += len(sealing.hashes)
        counters.rejected += sealing.rejected
        counters.sealing_ms += sealing.made_ms
        counters.last_block_ms = round(sealing.made_ms, 3)
        counters.last_block_extrinsics = len(sealing.hashes)
        self.sealed_at_s = time.monotonic()
        self._tell_fates()
        news = encode_sealed(sealing.block.header.encode(), sealing.hashes)
        for link in list(self._links):
            if link.is_behind:
                log.warning("rpc_behind")  # it doesn't read, so its link is closed
                link.close()
            link.send(Kind.SEALED, 0, news)
        self._on_sealed(sealing)

    def _tell_fates(self) -> None:
        changes = self._pool.take_changes()
        if not changes or not self._links:
            return
        fates = [[c.hash.hex(), c.status, c.by.hex() if c.by else None] for c in changes]
        payload = orjson.dumps(fates)
        for link in self._links:
            link.send(Kind.FATES, 0, payload)

    def _on_frame(self, link: Link, kind: Kind, ticket: int, payload: bytes) -> None:
        try:
            self._take(link, kind, ticket, payload)
        except Bug as bug:
            # The event loop would only close the link over it; `broken` takes the node down.
            self._bug = bug
            self._is_broken.set()

    def _take(self, link: Link, kind: Kind, ticket: int, payload: bytes) -> None:
        if kind is Kind.SUBMIT:
            verdicts = [self._verdict(submission) for submission in unpack(payload)]
            link.send(Kind.VERDICTS, ticket, pack(verdicts))
            self._tell_fates()
        elif kind is Kind.CALL:
            name, argument = orjson.loads(payload)
            if name == "report":
                self._links[link] = argument
                link.send(Kind.RESULT, ticket, orjson.dumps([None, None]))
            elif name not in ORDERS:
                link.send(Kind.RESULT, ticket, orjson.dumps([self._answer(name, argument), None]))
            elif self._may_be_told:
                self._orders.put_nowait((link, ticket, name, argument))
            else:
                link.send(Kind.RESULT, ticket, orjson.dumps(_refused(SEALS_BY_ITSELF)))

    def _verdict(self, submission: bytes) -> bytes:
        raw, height = decode_submission(submission)
        try:
            return STATUS_BYTE[self.submit(raw, verified_for=height)]
        except InvalidTransaction as refusal:
            self.counters.refused += 1
            return encode_refusal(refusal)
        except Bug:
            raise  # an invariant is gone: the node must stop
        except Exception:
            # An edge: an extrinsic that breaks a rule while it is looked at must not stop the node.
            log.exception("extrinsic_broke_a_check raw=0x%s", raw[:256].hex())
            self.counters.refused += 1
            return encode_refusal(InvalidTransaction("The runtime can't judge this extrinsic"))

    def _listed(self) -> list[str]:
        """What waits, oldest first, as much of it as one answer should hold."""
        found, left = [], _LISTED_BYTES
        for entry in self._pool.entries():
            left -= len(entry.xt.raw)
            if left < 0:
                break
            found.append(entry.xt.raw.hex())
        return found

    def _answer(self, name: str, argument: Any) -> Any:
        match name:
            case "next_nonce":
                return self.next_nonce(AccountId(bytes.fromhex(argument)))
            case "pending":
                return self._listed()
            case "start":
                return self._start_info
            case _:
                return self.stats()


def _refused(refusal: AppError) -> list[Any]:
    """What the other end makes the same error of."""
    return [None, [refusal.code, refusal.message, refusal.remedy]]
