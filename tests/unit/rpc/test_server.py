"""Real sockets: what arrives, what is refused, what a peer that misbehaves gets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import WSMessage, WSMsgType

from mycelia.rpc import RpcServer, ServerLimits
from mycelia.rpc.registry import METHODS
from mycelia.rpc.server import _TURN_S
from mycelia.rpc.session import Session, SessionLimits
from mycelia.testing.network import RpcClient
from mycelia.testing.rpc import InstantSealer, rpc_node

LIMITS = ServerLimits(
    message_bytes=64 * 1024,
    connections=3,
    session=SessionLimits(queued_frames=64, queued_bytes=512 * 1024),
)
HASTY = replace(LIMITS, request_s=0.5)
LONG_S = 30.0
"""More than anything here takes on the slowest machine."""


class Place:
    """A server and where it listens."""

    def __init__(self, server: RpcServer, sealer: InstantSealer, port: int) -> None:
        self.server, self.sealer, self.port = server, sealer, port
        self.url = f"http://127.0.0.1:{port}/"

    async def raw(self, data: bytes, limit_s: float = LONG_S) -> bytes:
        """Whatever comes back for bytes until the server closes, or has had this long."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        await writer.drain()
        found = b""
        try:
            async with asyncio.timeout(limit_s):
                while chunk := await reader.read(65_536):
                    found += chunk
        except (TimeoutError, ConnectionError):
            pass
        writer.close()
        return found


@contextlib.asynccontextmanager
async def serving(limits: ServerLimits) -> AsyncIterator[Place]:
    node, sealer = rpc_node()
    server = RpcServer(node, limits)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await server.start(listener)
        yield Place(server, sealer, listener.getsockname()[1])
        await server.stop()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with serving(LIMITS) as place:
        yield place


@pytest.fixture
async def hasty_place() -> AsyncIterator[Place]:
    """A server that waits for half a second only."""
    async with serving(HASTY) as place:
        yield place


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG_S):
        while not condition():  # noqa: ASYNC110 - the condition is any state, not an event
            await asyncio.sleep(0.01)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def alive(place: Place, http: aiohttp.ClientSession) -> bool:
    request = {"id": 1, "method": "system_name"}
    async with http.post(place.url, json=request) as reply:
        return bool((await reply.json())["result"] == "mycelia")


async def test_http_and_websocket_share_a_port(place: Place, http: aiohttp.ClientSession) -> None:
    assert await alive(place, http)
    async with http.ws_connect(place.url) as ws:
        assert await RpcClient(ws).call("system_name") == "mycelia"


async def test_http_answers_that_wait_and_batches(
    place: Place, http: aiohttp.ClientSession
) -> None:
    batch = [{"id": 1, "method": "mycelia_stats"}, {"id": 2, "method": "system_name"}]
    async with http.post(place.url, json=batch) as reply:
        assert [item["id"] for item in await reply.json()] == [1, 2]
    async with http.post(place.url, json={"method": "system_name"}) as reply:
        assert reply.status == 204


async def test_http_tells_what_it_wants(place: Place, http: aiohttp.ClientSession) -> None:
    async with http.get(place.url) as reply:
        assert "WebSocket" in await reply.text()
    async with http.get(place.url + "health") as reply:
        assert (await reply.json())["height"] == 0
    async with http.post(place.url, data=b"{}", headers={"content-type": "text/plain"}) as reply:
        assert reply.status == 415
    async with http.post(place.url, json=["x" * LIMITS.message_bytes]) as reply:
        assert reply.status == 413
    async with http.put(place.url) as reply:
        assert reply.status == 405


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff" * 500,
        b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"\r\n\r\n",
    ],
)
async def test_garbage_on_the_port_is_refused_and_nothing_else_happens(
    place: Place, http: aiohttp.ClientSession, garbage: bytes
) -> None:
    # A server that waits for the rest of a request says nothing.
    found = await place.raw(garbage, 0.5)
    assert found == b"" or found[5:10] in (b"1.0 4", b"1.1 4")
    assert await alive(place, http)


async def test_garbage_frames_are_parse_errors_and_the_socket_stays(
    place: Place, http: aiohttp.ClientSession
) -> None:
    async with http.ws_connect(place.url) as ws:
        client = RpcClient(ws)
        for garbage in (b"", b"\xff\xff", b"{", b"[" * 3_000):
            assert (await client.ask(garbage))["error"]["code"] == -32700
        await ws.send_str("not json")
        assert (await client.reply())["error"]["code"] == -32700
        assert await client.call("system_name") == "mycelia"


async def test_frames_that_break_the_websocket_rules_end_only_that_socket(
    place: Place, http: aiohttp.ClientSession
) -> None:
    handshake = (
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    for frame in (b"\xff\xff\xff\xff", b"\x81\xff" + b"\xff" * 8, b"\x83\x80abcd"):
        assert (await place.raw(handshake + frame)).startswith(b"HTTP/1.1 101")
    assert await alive(place, http)


async def test_an_oversized_message_closes_with_1009(
    place: Place, http: aiohttp.ClientSession
) -> None:
    async with http.ws_connect(place.url) as ws:
        await ws.send_bytes(b"x" * (LIMITS.message_bytes + 1))
        message = await ws.receive(timeout=LONG_S)
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert message.data == 1009
    assert await alive(place, http)


async def test_connections_are_bounded(place: Place, http: aiohttp.ClientSession) -> None:
    held = [await http.ws_connect(place.url) for _ in range(LIMITS.connections)]
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await http.ws_connect(place.url)
    assert refusal.value.status == 503
    for ws in held:
        await ws.close()
    await eventually(lambda: not place.server.counters()["sessions"])
    async with http.ws_connect(place.url) as ws:
        assert await RpcClient(ws).call("system_name") == "mycelia"


async def test_many_requests_at_once_are_all_answered(
    place: Place, http: aiohttp.ClientSession
) -> None:
    async with http.ws_connect(place.url) as ws:
        for id_ in range(500):
            await ws.send_bytes(orjson.dumps({"id": id_, "method": "mycelia_stats"}))
        ids = [orjson.loads((await ws.receive(timeout=LONG_S)).data)["id"] for _ in range(500)]
    assert sorted(ids) == list(range(500))


async def test_a_subscriber_that_does_not_read_is_cut_off(place: Place) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port, limit=1024)
    writer.write(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    request = orjson.dumps({"id": 1, "method": "chain_subscribeNewHeads"})
    for _ in range(100):
        writer.write(bytes([0x81, 0x80 | len(request)]) + bytes(4) + request)
    await writer.drain()
    transport = writer.transport
    transport.pause_reading()  # type: ignore[attr-defined]
    async with asyncio.timeout(100):
        while place.server.counters()["sessions"]:
            await place.sealer.seal(20)
            await asyncio.sleep(0)
    assert place.server.counters()["sessions"] == 0
    writer.close()


async def test_a_dropped_connection_leaves_no_subscription_behind(
    place: Place, http: aiohttp.ClientSession
) -> None:
    async with http.ws_connect(place.url) as ws:
        client = RpcClient(ws)
        await client.call("chain_subscribeNewHeads")
        await client.call("state_subscribeStorage", ["0x00"])
    counters = place.server._node.hub.counters
    await eventually(lambda: counters()["head_subscriptions"] == 0)
    await eventually(lambda: counters()["storage_subscriptions"] == 0)


async def test_stopping_tells_the_clients(place: Place, http: aiohttp.ClientSession) -> None:
    async with http.ws_connect(place.url) as ws:
        await RpcClient(ws).call("system_name")
        await asyncio.wait_for(place.server.stop(), LONG_S)
        assert (await ws.receive(timeout=LONG_S)).data == 1001


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"


@pytest.mark.parametrize("start", [b"", b"POST /", HEAD, HEAD + b"\r\n", HEAD + b"\r\n{"])
async def test_a_client_that_stalls_in_its_request_is_cut_off(
    hasty_place: Place, start: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", hasty_place.port)
    writer.write(start)
    await writer.drain()
    async with asyncio.timeout(LONG_S):
        with contextlib.suppress(ConnectionError):
            assert b"200 OK" not in await reader.read()
    writer.close()


async def test_a_header_that_comes_drop_by_drop_is_cut_off(hasty_place: Place) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", hasty_place.port)
    reading = asyncio.create_task(reader.read())
    async with asyncio.timeout(LONG_S):
        writer.write(HEAD)
        while not reading.done():
            await asyncio.sleep(0.05)
            writer.write(b"X: 1\r\n")
    with contextlib.suppress(ConnectionError):
        await reading
    writer.close()


async def connected(
    place: Place, http: aiohttp.ClientSession
) -> aiohttp.ClientWebSocketResponse | None:
    """A socket; None where the server's half second was over before it was asked for one."""
    with contextlib.suppress(aiohttp.ClientError):
        return await http.ws_connect(place.url)
    return None


async def test_a_websocket_outlives_the_limit_of_requests(
    hasty_place: Place, http: aiohttp.ClientSession
) -> None:
    while (ws := await connected(hasty_place, http)) is None:
        pass
    async with ws:
        await asyncio.sleep(1.2)
        assert await RpcClient(ws).call("system_name") == "mycelia"


class Burst:
    """A WebSocket on which many requests have come at once: none has to be waited for."""

    def __init__(self, request: bytes, times: int) -> None:
        self._left = [WSMessage(WSMsgType.BINARY, request, None)] * times

    def __aiter__(self) -> Burst:
        return self

    async def __anext__(self) -> WSMessage:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()


async def test_many_slow_requests_at_once_leave_turns_to_others(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[str] = []

    def slowly(_node: object) -> str:
        turns.append("slow")
        time.sleep(_TURN_S)
        return "mycelia"

    async def others() -> None:
        while True:
            turns.append("others")
            await asyncio.sleep(0)

    monkeypatch.setitem(METHODS, "system_name", replace(METHODS["system_name"], call=slowly))
    waiting = asyncio.create_task(others())
    burst: Any = Burst(b'{"id":1,"method":"system_name"}', 9)
    await place.server._read(burst, Session(close=lambda: None))
    waiting.cancel()
    assert turns.count("slow") == 9
    assert turns[:3] == ["slow", "others", "slow"]
