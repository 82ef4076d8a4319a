"""One sealer, final at once: on an interval, on demand, or as fast as the machine can.

A block is made in slices, between which the event loop runs on: however full the pool, extrinsics are admitted, and a
block ends when its budget does. News of a block goes out only when it is durable.

An extrinsic may hide another, encrypted for this author: what is inside comes right after it, or in a later block.

Time follows the wall clock but never stands still: blocks sealed faster than their slots run ahead of it (time warp).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from mycelia.chain import Block, Budget, Chain, Draft
from mycelia.engine.clock import wall_clock_ms
from mycelia.pallets.shield.pallet import ciphertext_in
from mycelia.primitives import AccountId, Bug, InvalidTransaction
from mycelia.primitives.errors import ExhaustsResources
from mycelia.runtime import Extrinsic
from mycelia.txpool import Pool

log = logging.getLogger("mycelia.engine")

_SLICE_S: Final = 0.005
"""How long extrinsics are executed before the event loop gets a turn."""


@dataclass(frozen=True)
class SoloConfig:
    """How blocks are made. `interval_ms` None seals on demand only, 0 one block after the other."""

    interval_ms: int | None = 1_000
    budget: Budget = field(default_factory=Budget)


@dataclass(frozen=True)
class Sealing:
    """A block that is durable, and what making it took."""

    block: Block
    hashes: tuple[bytes, ...]
    rejected: int
    made_ms: float


class Shield(Protocol):
    """The author's keys for secret extrinsics; see `engine.shield`."""

    def announce(self, *, is_fresh: bool = True) -> bytes: ...
    def opened(self, ciphertext: bytes) -> bytes | None: ...


class Solo:
    """Seals the chain's blocks from the pool. `on_sealed` hears of each after its commit."""

    def __init__(
        self,
        chain: Chain,
        pool: Pool[Extrinsic],
        config: SoloConfig | None = None,
        *,
        on_sealed: Callable[[Sealing], None],
        clock_ms: Callable[[], int] = wall_clock_ms,
        shield: Shield | None = None,
    ) -> None:
        self._chain = chain
        self._pool = pool
        self._config = config or SoloConfig()
        self._on_sealed = on_sealed
        self._clock_ms = clock_ms
        self._shield = shield
        self._opened: dict[bytes, Extrinsic] = {}  # secret ones that did not fit a block yet
        self._spent: list[tuple[AccountId, int]] = []  # nonces of secret ones in the open block
        self._sealing = asyncio.Lock()

    @property
    def chain(self) -> Chain:
        """The chain it seals."""
        return self._chain

    async def run(self) -> None:
        """Seal on the interval until cancelled. A late block shifts none of those after it.

        On demand only the first block is sealed here: it sets the time, which clients read.
        """
        interval_ms = self._config.interval_ms
        if interval_ms is None:
            if not self._chain.height:
                await self.seal(is_warping=False)
            return
        loop = asyncio.get_running_loop()
        interval_s = interval_ms / 1000
        due = loop.time()
        while True:
            await self.seal(is_warping=not interval_ms)
            if not interval_ms:
                await asyncio.sleep(0)
                continue
            due += interval_s
            late = loop.time() - due
            if late > 0:
                due += interval_s * (late // interval_s)
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def seal(self, blocks: int = 1, *, is_warping: bool = True) -> list[bytes]:
        """Seal blocks now; their hashes. In a time warp each is a slot after the one before."""
        hashes = []
        for _ in range(blocks):
            async with self._sealing:
                sealing = await self._seal_one(is_warping=is_warping)
            hashes.append(sealing.block.hash)
            await asyncio.sleep(0)
        return hashes

    async def rewind(self, height: int) -> None:
        """Make an earlier block the head again, between two blocks; what waits goes."""
        async with self._sealing:
            self._chain.rewind(height)
            self._pool.clear(height)
            self._opened.clear()

    async def _seal_one(self, *, is_warping: bool) -> Sealing:
        started = time.perf_counter()
        now_ms = self._next_ms(is_warping=is_warping)
        key = self._key(is_warping=is_warping)
        draft = self._chain.draft(now_ms, self._config.budget, shield_key=key)
        self._spent.clear()
        try:
            hashes, rejected = await self._fill(draft, started)
        except BaseException:
            self._chain.discard()
            raise
        self._chain.finalize(draft.finish())
        block = self._chain.commit()
        self._pool.included(hashes, block.height)
        for sender, nonce in self._spent:
            self._pool.spent(sender, nonce)
        made_ms = (time.perf_counter() - started) * 1000
        sealing = Sealing(block, tuple(hashes), rejected, made_ms)
        self._on_sealed(sealing)
        return sealing

    def _key(self, *, is_warping: bool) -> bytes | None:
        """The key to announce; none without keys, or where the chain names no author to have them."""
        if self._shield is None or not self._chain.has_author():
            return None
        # In a time warp nobody can use a key between two blocks, so the last one stays.
        return self._shield.announce(is_fresh=not is_warping)

    def _next_ms(self, *, is_warping: bool) -> int:
        """The wall clock, or later: a slot after the parent in a time warp, else just after it."""
        step = self._chain.slot_ms if is_warping else 1
        return max(self._clock_ms(), self._chain.now_ms() + step)

    async def _fill(self, draft: Draft, started: float) -> tuple[list[bytes], int]:
        """Take in what is ready until the budget is used up; hashes in the block's order, and how many were refused."""
        ends = started + self._config.budget.time_ms / 1000
        slice_ends = time.perf_counter() + _SLICE_S
        hashes: list[bytes] = []
        rejected = 0
        passed_over: set[AccountId] = set()
        revealed: set[bytes] = set()
        for secret in list(self._opened.values()):
            if self._take_secret(draft, secret):
                revealed.add(secret.hash)
                hashes.append(secret.hash)
        for entry in self._pool.ready():
            if draft.is_full:
                break
            if entry.sender in passed_over or entry.xt.hash in revealed:
                continue
            if not draft.fits(len(entry.xt.raw)):
                passed_over.add(entry.sender)  # what follows it would leave a gap
            elif self._take(draft, entry.xt):
                hashes.append(entry.xt.hash)
                hidden = self._hidden_in(entry.xt)
                if hidden is not None and self._take_secret(draft, hidden):
                    revealed.add(hidden.hash)
                    hashes.append(hidden.hash)
            elif entry.xt.hash in self._pool:
                passed_over.add(entry.sender)
            else:
                rejected += 1
            now = time.perf_counter()
            if now >= ends:
                break
            if now >= slice_ends:
                await asyncio.sleep(0)
                slice_ends = time.perf_counter() + _SLICE_S
        return hashes, rejected

    def _take(self, draft: Draft, xt: Extrinsic) -> bool:
        """Include an extrinsic of the pool; what never fits leaves it."""
        taken = self._tried(draft, xt)
        if taken is False:
            self._pool.reject(xt.hash)
        return taken is True

    def _hidden_in(self, xt: Extrinsic) -> Extrinsic | None:
        """What an extrinsic hides, if it hides one for us."""
        ciphertext = ciphertext_in(xt.call)
        hidden = self._shield.opened(ciphertext) if self._shield and ciphertext else None
        if hidden is None:
            return None
        try:
            return self._chain.runtime.decode(hidden)
        except InvalidTransaction as refusal:
            log.info("secret_refused in=0x%s cause=%r", xt.hash.hex(), refusal.detail)
            return None

    def _take_secret(self, draft: Draft, xt: Extrinsic) -> bool:
        """Include an extrinsic that was hidden, or keep it for the next block where it doesn't fit."""
        taken = self._tried(draft, xt) if draft.fits(len(xt.raw)) else None
        if taken is None:
            self._opened[xt.hash] = xt
        else:
            self._opened.pop(xt.hash, None)
        if taken and xt.signer is not None:
            self._spent.append((xt.signer, xt.nonce))
        return taken is True

    def _tried(self, draft: Draft, xt: Extrinsic) -> bool | None:
        """Whether an extrinsic was included; None when it may fit a later block. An edge: see the last clauses."""
        try:
            draft.add(xt)
        except ExhaustsResources:
            return None
        except InvalidTransaction as refusal:
            log.info("extrinsic_refused hash=0x%s cause=%r", xt.hash.hex(), refusal.detail)
        except Bug:
            raise  # an invariant is gone, so nothing may be built on this state
        except Exception:
            # A rule broke over this extrinsic. It left no trace and must not stop the chain.
            log.exception("extrinsic_broke_a_rule hash=0x%s raw=0x%s", xt.hash.hex(), xt.raw.hex())
        else:
            return True
        return False
