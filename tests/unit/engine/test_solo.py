"""When blocks are sealed, what they take in, and that nothing stalls them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from mycelia.chain import Budget, Chain, Draft
from mycelia.engine import Sealing, Solo, SoloConfig
from mycelia.frame import Call, Origin
from mycelia.primitives.errors import Bug, ExhaustsResources
from mycelia.runtime import Extrinsic
from mycelia.testing.blocks import ALICE, BOB, RICH, SLOT_MS, new_chain, transfer
from mycelia.testing.oracle import Person, compose
from mycelia.txpool import Pool

PATIENT = Budget(time_ms=600_000)
"""Blocks end where the test says, on a machine of any speed."""


class Bench:
    """A solo engine with a clock that stands still unless told otherwise."""

    def __init__(self, config: SoloConfig | None = None) -> None:
        self.chain: Chain = new_chain()
        self.pool: Pool[Extrinsic] = Pool()
        self.sealed: list[Sealing] = []
        self.now_ms = 5_000
        self.solo = Solo(
            self.chain,
            self.pool,
            config or SoloConfig(interval_ms=None, budget=PATIENT),
            on_sealed=self.sealed.append,
            clock_ms=lambda: self.now_ms,
        )

    def submit(self, who: Person, nonce: int, **terms: int) -> bytes:
        xt, validity = self.chain.check(transfer(self.chain, who, nonce, **terms))
        self.pool.add(xt, validity, validity.account_nonce)
        return xt.hash


async def test_a_block_takes_what_waits_and_frees_the_pool() -> None:
    bench = Bench()
    hashes = [bench.submit(ALICE, 0), bench.submit(BOB, 0), bench.submit(ALICE, 1)]
    await bench.solo.seal()
    (sealing,) = bench.sealed
    assert set(sealing.hashes) == set(hashes)
    assert len(bench.pool) == 0
    assert bench.chain.next_nonce(ALICE.account) == 2


async def test_a_bug_met_by_an_extrinsic_stops_the_chain_and_another_fault_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    bench.submit(ALICE, 0)
    causes: list[Exception] = [Bug("issuance is negative"), ZeroDivisionError()]

    def breaks(*_: object) -> None:
        raise causes.pop(0)

    monkeypatch.setattr(Draft, "add", breaks)
    with pytest.raises(Bug, match="issuance is negative"):
        await bench.solo.seal()
    assert (bench.chain.height, bench.sealed) == (0, [])
    await bench.solo.seal()
    assert bench.sealed[0].rejected == 1


async def test_higher_tips_go_first() -> None:
    bench = Bench(SoloConfig(interval_ms=None, budget=replace(PATIENT, extrinsics=1)))
    bench.submit(ALICE, 0)
    tipped = bench.submit(BOB, 0, tip=1_000)
    await bench.solo.seal()
    assert bench.sealed[0].hashes == (tipped,)
    assert len(bench.pool) == 1


async def test_news_come_after_the_block_is_durable() -> None:
    bench = Bench()
    seen: list[int] = []
    bench.solo._on_sealed = lambda sealing: seen.append(
        bench.chain.history.height() - sealing.block.height
    )
    await bench.solo.seal(3)
    assert seen == [0, 0, 0]


async def test_a_time_warp_runs_ahead_of_the_clock_by_slots() -> None:
    bench = Bench()
    hashes = await bench.solo.seal(4)
    assert len(hashes) == bench.chain.height == 4
    assert bench.chain.now_ms() == 5_000 + 3 * SLOT_MS


async def test_a_clock_that_goes_back_does_not_stop_the_chain() -> None:
    bench = Bench()
    await bench.solo.seal(is_warping=False)
    bench.now_ms = 17
    await bench.solo.seal(is_warping=False)
    assert bench.chain.now_ms() == 5_001


async def reached(bench: Bench, height: int) -> None:
    async with asyncio.timeout(60):
        while bench.chain.height < height:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)


async def test_the_interval_is_kept_and_can_be_cancelled() -> None:
    bench = Bench(SoloConfig(interval_ms=40))
    began_s = time.monotonic()
    running = asyncio.create_task(bench.solo.run())
    await reached(bench, 5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    # A slow machine may leave out blocks, and none makes more than one per interval.
    assert 5 <= bench.chain.height <= (time.monotonic() - began_s) / 0.04 + 2


async def test_an_interval_of_zero_seals_one_after_the_other() -> None:
    bench = Bench(SoloConfig(interval_ms=0))
    running = asyncio.create_task(bench.solo.run())
    await reached(bench, 10)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_what_became_invalid_while_it_waited_leaves_the_pool() -> None:
    bench = Bench()
    emptied = bench.submit(ALICE, 0, rao=RICH - 200_000)
    bench.submit(ALICE, 1)
    await bench.solo.seal()
    (sealing,) = bench.sealed
    assert sealing.hashes == (emptied,)
    assert sealing.rejected == 1
    assert len(bench.pool) == 0


async def test_what_does_not_fit_waits_with_all_that_follows_it() -> None:
    bench = Bench(SoloConfig(interval_ms=None, budget=replace(PATIENT, size_bytes=200)))
    call = compose("System", "remark", remark=b"x" * 300)
    big = ALICE.sign(call, nonce=0, genesis_hash=bench.chain.genesis_hash)
    xt, validity = bench.chain.check(big)
    bench.pool.add(xt, validity, 0)
    follower = bench.submit(ALICE, 1)
    small = bench.submit(BOB, 0)
    await bench.solo.seal()
    assert bench.sealed[0].hashes == (small,)
    assert {xt.hash, follower} == {entry.xt.hash for entry in bench.pool.entries()}


async def test_what_exhausts_the_block_waits_with_all_that_follows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    bench.submit(ALICE, 0)
    bench.submit(ALICE, 1)

    def full(_draft: object, _xt: object) -> None:
        raise ExhaustsResources

    with monkeypatch.context() as patch:
        patch.setattr("mycelia.chain.Draft.add", full)
        await bench.solo.seal()
    assert len(bench.pool) == 2
    await bench.solo.seal()
    assert len(bench.sealed[1].hashes) == 2


async def test_an_extrinsic_that_breaks_a_rule_is_dropped_and_the_rest_goes_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    bad = bench.submit(ALICE, 0)
    good = bench.submit(BOB, 0)
    make = bench.chain.runtime._make

    def breaks_for_alice(call: Call, origin: Origin) -> None:
        if origin == Origin(ALICE.account):
            raise ZeroDivisionError
        make(call, origin)

    monkeypatch.setattr(bench.chain.runtime, "_make", breaks_for_alice)
    await bench.solo.seal()
    assert bad not in bench.pool
    assert good in bench.sealed[0].hashes


async def test_a_block_ends_when_its_time_is_used_up() -> None:
    bench = Bench(SoloConfig(interval_ms=None, budget=Budget(time_ms=2)))
    for nonce in range(400):
        bench.submit(ALICE, nonce)
    await bench.solo.seal()
    assert 0 < len(bench.sealed[0].hashes) < 400
    assert len(bench.pool) == 400 - len(bench.sealed[0].hashes)


async def test_the_loop_runs_on_while_a_full_block_is_made() -> None:
    bench = Bench()
    for nonce in range(800):
        bench.submit(ALICE, nonce)
    turns = 0

    async def other_work() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    working = asyncio.create_task(other_work())
    await bench.solo.seal()
    working.cancel()
    assert len(bench.sealed[0].hashes) == 800
    assert turns > 2


async def test_extrinsics_are_admitted_while_a_block_is_made() -> None:
    bench = Bench()
    for nonce in range(300):
        bench.submit(ALICE, nonce)
    sealing = asyncio.create_task(bench.solo.seal())
    await asyncio.sleep(0.006)
    bench.submit(BOB, 0)
    await sealing
    await bench.solo.seal()
    assert bench.chain.next_nonce(BOB.account) == 1
    assert bench.chain.next_nonce(ALICE.account) == 300


async def test_two_orders_to_seal_do_not_cross() -> None:
    bench = Bench()
    await asyncio.gather(bench.solo.seal(3), bench.solo.seal(3))
    assert [sealing.block.height for sealing in bench.sealed] == [1, 2, 3, 4, 5, 6]
