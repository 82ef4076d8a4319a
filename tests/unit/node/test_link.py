"""Frames between sealer and RPC, over a real socket pair."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from mycelia.node.link import (
    STATUS_BYTE,
    Kind,
    Link,
    SealerClient,
    decode_sealed,
    decode_submission,
    encode_refusal,
    encode_sealed,
    pack,
    unpack,
)
from mycelia.primitives import AppError, InvalidTransaction
from mycelia.txpool import PriorityTooLow


@dataclass
class Ends:
    """A client and what its other end received."""

    client: SealerClient
    server: Link
    frames: list[tuple[Kind, int, bytes]] = field(default_factory=list)
    news: list[tuple[Kind, int, bytes]] = field(default_factory=list)
    lost: int = 0
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def received(self, count: int = 1) -> list[tuple[Kind, int, bytes]]:
        return await self._grown(self.frames, count)

    async def told(self, count: int) -> list[tuple[Kind, int, bytes]]:
        return await self._grown(self.news, count)

    async def _grown(
        self, frames: list[tuple[Kind, int, bytes]], count: int
    ) -> list[tuple[Kind, int, bytes]]:
        async with asyncio.timeout(30):
            while len(frames) < count:
                self.moved.clear()
                await self.moved.wait()
        return frames


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    def lost() -> None:
        both.lost += 1

    def heard(*frame: Any) -> None:
        both.news.append(frame)
        both.moved.set()

    def received(*frame: Any) -> None:
        both.frames.append(frame)
        both.moved.set()

    client = SealerClient(heard, lost)
    server = Link(received, lost)
    both = Ends(client, server)
    loop = asyncio.get_running_loop()
    left, right = socket.socketpair()
    await loop.create_connection(lambda: client.link, sock=left)
    await loop.create_connection(lambda: server, sock=right)
    yield both
    client.link.close()
    server.close()
    await asyncio.sleep(0.01)


def test_byte_strings_round_trip() -> None:
    items = [b"", b"a", b"b" * 70_000]
    assert list(unpack(pack(items))) == items
    assert list(unpack(b"")) == []


def test_news_of_a_block_round_trip() -> None:
    hashes = (b"\1" * 32, b"\2" * 32)
    assert decode_sealed(encode_sealed(b"header", hashes)) == (b"header", hashes)
    assert decode_sealed(encode_sealed(b"header", ())) == (b"header", ())


async def test_what_comes_in_one_turn_goes_in_one_frame(ends: Ends) -> None:
    futures = [ends.client.submit(raw, 7) for raw in (b"one", b"two", b"three")]
    ((kind, ticket, payload),) = await ends.received()
    assert kind is Kind.SUBMIT
    submissions = [decode_submission(each) for each in unpack(payload)]
    assert submissions == [(b"one", 7), (b"two", 7), (b"three", 7)]
    refusal = encode_refusal(PriorityTooLow(5, 4))
    ends.server.send(
        Kind.VERDICTS, ticket, pack([STATUS_BYTE["ready"], STATUS_BYTE["future"], refusal])
    )
    assert await futures[0] == "ready"
    assert await futures[1] == "future"
    with pytest.raises(InvalidTransaction) as refused:
        await futures[2]
    assert refused.value.code == 1014
    assert refused.value.message == "Priority is too low: (5 vs 4)"


async def test_a_large_batch_is_cut(ends: Ends) -> None:
    for number in range(600):
        ends.client.submit(b"%d" % number, 7)
    frames = await ends.received(3)
    assert [len(list(unpack(payload))) for _, _, payload in frames] == [256, 256, 88]


async def test_custom_codes_survive_the_way(ends: Ends) -> None:
    future = ends.client.submit(b"x", 7)
    ((_, ticket, _),) = await ends.received()
    refusal = encode_refusal(InvalidTransaction("why", custom=7))
    ends.server.send(Kind.VERDICTS, ticket, pack([refusal]))
    with pytest.raises(InvalidTransaction) as refused:
        await future
    assert (refused.value.custom, refused.value.detail) == (7, "why")


async def test_calls_are_answered_by_ticket_in_any_order(ends: Ends) -> None:
    first, second = ends.client.seal(1), ends.client.pending()
    frames = await ends.received(2)
    assert [orjson.loads(payload)[0] for _, _, payload in frames] == ["seal", "pending"]
    ends.server.send(Kind.RESULT, frames[1][1], b'[["0a"],null]')
    ends.server.send(Kind.RESULT, frames[0][1], b'[null,["code","message","remedy"]]')
    assert await second == [b"\x0a"]
    with pytest.raises(AppError, match="message remedy"):
        await first


async def test_news_go_to_the_listener_however_they_are_cut(ends: Ends) -> None:
    frame = b"\x0c\x00\x00\x00\x05\x00\x00\x00\x00payload"
    transport = ends.server._transport
    assert transport is not None
    for byte in frame * 2:
        transport.write(bytes([byte]))
        await asyncio.sleep(0)
    assert await ends.told(2) == [(Kind.SEALED, 0, b"payload")] * 2


async def test_a_lost_link_fails_what_waits_and_what_comes_after(ends: Ends) -> None:
    waiting = [ends.client.submit(b"x", 7), ends.client.stats()]
    await ends.received(2)
    ends.server.close()
    for future in waiting:
        with pytest.raises(ConnectionError):
            await future
    assert ends.lost >= 1
    with pytest.raises(ConnectionError):
        await ends.client.submit(b"y", 7)
    with pytest.raises(ConnectionError):
        await ends.client.stats()
