"""Bounds of one connection."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from mycelia.rpc.errors import RpcError
from mycelia.rpc.session import Session, SessionLimits


class Closing:
    """Counts how often it was asked to close."""

    times = 0

    def __call__(self) -> None:
        self.times += 1


async def test_frames_go_out_in_order_and_their_room_comes_back() -> None:
    session = Session(Closing())
    session.send(b"one")
    session.send(b"two")
    frames = await session.next_frames()
    assert frames == [b"one", b"two"]
    assert session.queued_bytes == 6
    session.sent(frames)
    assert session.queued_bytes == 0


async def test_a_reader_that_is_too_slow_for_its_news_is_cut_off() -> None:
    closing = Closing()
    session = Session(closing, SessionLimits(queued_frames=3))
    subscription = session.open("news", lambda _: None)
    for number in range(10):
        subscription.push(number)
    assert closing.times == 1
    assert session.is_closed
    assert await session.next_frames() == []
    assert session.subscriptions == {}


async def test_requests_wait_while_too_much_is_under_way() -> None:
    session = Session(Closing(), SessionLimits(in_flight=2))
    session.begin()
    session.begin()
    waiting = asyncio.create_task(session.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    session.finish(b"x")
    await waiting


async def test_requests_wait_while_replies_are_not_read() -> None:
    session = Session(Closing(), SessionLimits(queued_bytes=100))
    session.send(b"x" * 60)
    waiting = asyncio.create_task(session.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    session.sent(await session.next_frames())
    await waiting


async def test_ending_wakes_everyone() -> None:
    session = Session(Closing(), SessionLimits(in_flight=0))
    waiting = asyncio.gather(session.room(), session.next_frames())
    await asyncio.sleep(0)
    session.end()
    assert await waiting == [None, []]


async def test_subscriptions_are_bounded_and_end_once() -> None:
    ended: list[str] = []
    session = Session(Closing(), SessionLimits(subscriptions=1))
    subscription = session.open("news", lambda s: ended.append(s.id))
    with pytest.raises(RpcError):
        session.open("news", lambda _: None)
    subscription.end()
    subscription.end()
    assert ended == [subscription.id]
    session.open("news", lambda _: None)


async def test_a_notification_is_routed_by_its_subscription() -> None:
    session = Session(Closing())
    subscription = session.open("chain_newHead", lambda _: None)
    subscription.push({"number": "0x1"})
    (frame,) = await session.next_frames()
    assert orjson.loads(frame) == {
        "jsonrpc": "2.0",
        "method": "chain_newHead",
        "params": {"subscription": subscription.id, "result": {"number": "0x1"}},
    }
