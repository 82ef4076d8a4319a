"""The sealer's answers to its RPC processes, over links, without processes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import orjson
import pytest

from mycelia.chain import Budget
from mycelia.chain.header import decode_header
from mycelia.crypto import blake2_256
from mycelia.engine import SoloConfig
from mycelia.node.link import Kind, SealerClient, decode_sealed
from mycelia.node.run import until_stopped
from mycelia.node.sealer import Sealer
from mycelia.primitives import AppError, Bug, InvalidTransaction
from mycelia.testing.blocks import ALICE, BOB, new_chain, transfer
from mycelia.txpool import AlreadyImported, Limits, Pool


class Desk:
    """A sealer with one link, and the news that came over it."""

    def __init__(self, *, may_be_told: bool = True) -> None:
        self.chain = new_chain()
        self.sealer = Sealer(
            self.chain,
            Pool(Limits(count=3)),
            SoloConfig(interval_ms=None, budget=Budget(time_ms=600_000)),
            start_info={"store": "x"},
            may_be_told=may_be_told,
            on_sealed=lambda _: None,
        )
        self.news: list[tuple[Kind, bytes]] = []
        self.client = SealerClient(
            lambda kind, _, payload: self.news.append((kind, payload)), lambda: None
        )

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        left, right = socket.socketpair()
        await loop.create_connection(self.sealer.link, sock=left)
        await loop.create_connection(lambda: self.client.link, sock=right)
        self.obeying = asyncio.create_task(self.sealer.obey())

    async def hang_up(self) -> None:
        """Close the client's end, and wait until the sealer's knows."""
        self.client.link.close()
        async with asyncio.timeout(30):
            while self.sealer._links:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        self.obeying.cancel()
        self.client.link.close()
        await asyncio.sleep(0.01)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    await made.connect()
    yield made
    await made.close()


async def test_extrinsics_are_admitted_or_refused_one_by_one(desk: Desk) -> None:
    good, gap = transfer(desk.chain, ALICE, 0), transfer(desk.chain, BOB, 4)
    verdicts = await asyncio.gather(
        *(desk.client.submit(raw, desk.chain.height + 1) for raw in (good, gap, good, b"\x10junk")),
        return_exceptions=True,
    )
    assert verdicts[:2] == ["ready", "future"]
    codes = [verdict.code for verdict in verdicts[2:] if isinstance(verdict, InvalidTransaction)]
    assert codes == [AlreadyImported.code, 1010]
    assert desk.sealer.counters.refused == 2


async def test_the_signature_is_the_rpc_processs_business_once(desk: Desk) -> None:
    raw = transfer(desk.chain, ALICE, 0)
    forged = raw[:40] + bytes([raw[40] ^ 1]) + raw[41:]
    with pytest.raises(InvalidTransaction):
        desk.sealer.submit(forged, verified_for=None)
    assert desk.sealer.submit(forged, verified_for=1) == "ready"


async def test_what_waits_is_listed_as_far_as_an_answer_should_reach(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    raws = [transfer(desk.chain, ALICE, nonce) for nonce in range(3)]
    for raw in raws:
        await desk.client.submit(raw, desk.chain.height + 1)
    assert await desk.client.pending() == raws
    monkeypatch.setattr("mycelia.node.sealer._LISTED_BYTES", sum(map(len, raws)) - 1)
    assert await desk.client.pending() == raws[:2]


async def test_news_of_a_block_name_what_it_holds(desk: Desk) -> None:
    raw = transfer(desk.chain, ALICE, 0)
    await desk.client.submit(raw, desk.chain.height + 1)
    (hash_,) = await desk.client.seal(1)
    ((kind, payload),) = desk.news
    assert kind is Kind.SEALED
    header, included = decode_sealed(payload)
    assert decode_header(header).hash() == hash_ == desk.chain.head_hash
    assert included == (blake2_256(raw),)


async def test_fates_are_told_in_order(desk: Desk) -> None:
    future, first = transfer(desk.chain, ALICE, 1), transfer(desk.chain, ALICE, 0)
    richer = transfer(desk.chain, ALICE, 0, tip=7)
    for raw in (future, first, richer):
        await desk.client.submit(raw, desk.chain.height + 1)
    await desk.client.stats()
    fates = [fate for _, payload in desk.news for fate in orjson.loads(payload)]
    assert fates == [
        [blake2_256(future).hex(), "ready", None],
        [blake2_256(first).hex(), "usurped", blake2_256(richer).hex()],
    ]


async def test_questions_are_answered(desk: Desk) -> None:
    raw = transfer(desk.chain, ALICE, 0)
    await desk.client.submit(raw, desk.chain.height + 1)
    assert await desk.client.next_nonce(ALICE.account) == 1
    assert await desk.client.next_nonce(BOB.account) == 0
    assert await desk.client.pending() == [raw]
    assert await desk.client.start() == {"store": "x"}
    stats = await desk.client.stats()
    assert (stats["waiting"], stats["admitted"], stats["height"]) == (1, 1, 0)


async def test_an_engine_that_takes_no_orders_says_so() -> None:
    desk = Desk(may_be_told=False)
    await desk.connect()
    with pytest.raises(AppError, match="seals by itself"):
        await desk.client.seal(1)
    assert desk.chain.height == 0
    await desk.close()


async def test_a_check_that_breaks_is_a_refusal(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(desk.chain.runtime, "check", breaks)
    with pytest.raises(InvalidTransaction):
        await desk.client.submit(transfer(desk.chain, ALICE, 0), desk.chain.height + 1)
    assert "extrinsic_broke_a_check" in caplog.text


class Idle:
    """An RPC process that never ends."""

    async def supervise(self, _sealer: Sealer) -> None:
        await asyncio.Event().wait()


async def test_a_bug_met_in_a_check_stops_the_node_with_its_reason(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise Bug("issuance is negative, but nothing takes more than there is")

    monkeypatch.setattr(desk.chain.runtime, "check", breaks)
    stopped = asyncio.create_task(
        until_stopped(desk.sealer, Idle(), asyncio.Event())  # type: ignore[arg-type]
    )
    submission = desk.client.submit(transfer(desk.chain, ALICE, 0), desk.chain.height + 1)
    with pytest.raises(Bug, match="issuance is negative"):
        await asyncio.wait_for(stopped, 30)
    desk.client.link.close()
    with pytest.raises(ConnectionError):
        await submission


async def test_a_seal_that_fails_fails_the_node_not_only_the_order(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks() -> None:
        raise Bug("a commit failed")

    monkeypatch.setattr(desk.chain, "commit", breaks)
    order = desk.client.seal(1)
    with pytest.raises(Bug):
        await desk.obeying
    assert not order.done()
    desk.client.link.close()
    with pytest.raises(ConnectionError):
        await order


async def test_a_lost_rpc_process_is_forgotten(desk: Desk) -> None:
    await desk.hang_up()
    await desk.sealer.solo.seal()
    assert desk.sealer._links == {}


async def test_orders_of_time_go_over_the_link_and_a_revert_is_told_before_its_answer(
    desk: Desk,
) -> None:
    (first,) = await desk.client.seal(1)
    assert await desk.client.snapshot() == first
    await desk.client.submit(transfer(desk.chain, ALICE, 0), desk.chain.height + 1)
    await desk.client.seal(2)
    await desk.client.submit(transfer(desk.chain, ALICE, 1), desk.chain.height + 1)
    desk.news.clear()
    await desk.client.revert(first)
    assert [kind for kind, _ in desk.news] == [Kind.FATES, Kind.REVERTED]
    header, included = decode_sealed(desk.news[-1][1])
    assert (blake2_256(header), included) == (first, ())
    assert await desk.client.next_nonce(ALICE.account) == 0
    later_ms = desk.chain.now_ms() + 10**9
    await desk.client.set_time(later_ms)
    await desk.client.seal(1)
    assert later_ms <= desk.chain.now_ms() < later_ms + 10**6
    with pytest.raises(AppError, match="no epoch to come"):
        await desk.client.seal_epoch(1)


@pytest.mark.parametrize(
    ("order", "argument"),
    [
        ("seal", 1),
        ("seal_epoch", 1),
        ("snapshot", None),
        ("revert", b"\1" * 32),
        ("set_time", 2**40),
    ],
)
async def test_a_node_that_is_not_for_development_takes_no_order(order, argument) -> None:
    desk = Desk(may_be_told=False)
    await desk.connect()
    call = getattr(desk.client, order)
    with pytest.raises(AppError) as refusal:
        await (call() if argument is None else call(argument))
    assert refusal.value.code == "seals_by_itself"
    assert desk.chain.height == 0
    await desk.close()
