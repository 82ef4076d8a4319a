"""What consumers and miners may do wrong: each time a named error, and the port lives on."""

import asyncio
import contextlib
import json
import random
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import ClassVar

import aiohttp
import bittensor_core
import pytest

from mycelia.gateway import Dispatcher, Gateway, Keys, Metrics, Route, Router, answers
from mycelia.neuron.routes import Traffic, routes
from mycelia.neuron.subnet import Limits, Spec
from mycelia.subnets.analysis import SPEC as ANALYSIS
from mycelia.subnets.text import SPEC as TEXT
from mycelia.subnets.text import Ask, Piece, Text
from mycelia.wire import AllowSet, Endpoint, WireClient, WireLimits, WireServer
from mycelia.wire.connection import Head
from mycelia.wire.errors import Rejection
from mycelia.wire.listener import Listener

GATEWAY = bittensor_core.Keypair.create_from_uri("//gateway")
LIMITS = WireLimits(body_bytes=64 * 1024, inflight=2, body_s=2.0, head_s=2.0)
PIECE = "x" * 8_000
HUGE = b"9" * 5_000


class Brief(Text):
    """The text subnet, for those who cannot wait."""

    name: ClassVar[str] = "brief"
    limits: ClassVar[Limits] = Limits(deadline_s=1.0)


class Patient(Text):
    """The same for those who can."""

    name: ClassVar[str] = "patient"
    limits: ClassVar[Limits] = Limits(deadline_s=60.0)


BRIEF = Spec(subnet=Brief, miners={}, openai_model="brief")
PATIENT = Spec(subnet=Patient, miners={}, openai_model="patient")


@dataclass
class World:
    """A gateway before one miner that talks without end, and takes note of it."""

    metrics: Metrics = field(default_factory=Metrics)
    said: int = 0
    pause_s: float = 0.0
    port: int = 0
    found: list[Route] = field(default_factory=list)

    def routes(self, subnet: str) -> list[Route]:
        return self.found if subnet in {"brief", "patient"} else []

    def withheld(self, subnet: str) -> int:
        return 0

    async def until(self, what) -> None:
        async with asyncio.timeout(30.0):
            while not what():  # noqa: ASYNC110 - what is waited for tells nobody
                await asyncio.sleep(0.01)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    here = World()
    miner = bittensor_core.Keypair.create_from_uri("//rambler")

    async def ramble(ask: Ask) -> AsyncIterator[Piece]:
        while True:
            here.said += 1
            yield Piece(text=PIECE, tokens=())  # which would be counted, and come to an end
            await asyncio.sleep(here.pause_s)

    handlers = routes(Brief, ramble, Traffic()) | routes(Patient, ramble, Traffic())
    server = WireServer(miner, handlers, AllowSet([GATEWAY.ss58_address]))
    endpoint = Endpoint(miner.ss58_address, "127.0.0.1", await server.start("127.0.0.1", 0))
    here.found.append(Route(endpoint, "brief", 1, 0, 1.0))
    async with WireClient(GATEWAY) as caller:
        dispatcher = Dispatcher(here, caller, Router(rng=random.Random(1)), here.metrics)
        gateway = Gateway([BRIEF, PATIENT, TEXT, ANALYSIS], here, dispatcher, here.metrics, LIMITS)
        listener = Listener(gateway, LIMITS)
        here.port = await listener.start("127.0.0.1", 0)
        yield here
        await listener.stop()
    await server.stop()


def _ask(**change) -> bytes:
    body = json.dumps(
        {"model": "brief", "messages": [{"role": "user", "content": "hi"}], "stream": True} | change
    ).encode()
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


@contextlib.asynccontextmanager
async def _connected(world: World, limit: int = 2**16):
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=limit)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def _answer(world: World, path: str, data: bytes = b"", method: str = "POST"):
    url = f"http://127.0.0.1:{world.port}{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=data or None) as reply,
    ):
        return reply.status, await reply.read(), reply.headers


async def test_a_consumer_that_reads_nothing_holds_up_the_miner(world):
    async with _connected(world, limit=1024) as (_, writer):
        small = struct.pack("i", 4096)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, small)
        writer.write(_ask(model="patient"))
        await world.until(lambda: world.said > 10)
        before = 0
        # Full buffers all the way: the miner waits, and nobody piles up what it says.
        while before < world.said:
            before = world.said
            await asyncio.sleep(0.3)
        assert world.metrics.inflight == 1
        assert before * len(PIECE) < 16 * 1024 * 1024
    await world.until(lambda: world.metrics.inflight == 0)


async def test_a_consumer_that_reads_nothing_is_given_up(world, monkeypatch):
    monkeypatch.setattr(answers, "SLACK_S", 0.2)
    async with _connected(world, limit=1024) as (_, writer):
        writer.write(_ask())
        await world.until(lambda: world.said)
        await world.until(lambda: world.metrics.inflight == 0)


async def test_a_consumer_that_leaves_ends_the_work(world):
    world.pause_s = 0.01
    async with _connected(world) as (reader, writer):
        writer.write(_ask(model="patient"))
        await reader.readuntil(b"data: ")
        assert world.metrics.inflight == 1
    await world.until(lambda: world.metrics.inflight == 0)
    before = world.said
    await asyncio.sleep(0.1)
    assert world.said <= before + 1
    assert 'path="/v1/chat/completions",status="200"} 1' in world.metrics.text()


async def test_a_stream_past_its_deadline_ends_with_an_error_event(world):
    world.pause_s = 0.05
    async with _connected(world) as (reader, writer):
        writer.write(_ask())
        async with asyncio.timeout(30.0):
            text = b""
            while not text.endswith(b"0\r\n\r\n"):
                text += await reader.read(65536)
    assert b'"code": "miner_failed"' in text.rpartition(b"data: ")[2]
    assert b"[DONE]" not in text


async def test_bodies_that_come_late_do_not_pass_the_limit_together(world):
    world.pause_s = 0.05
    head, _, body = _ask(model="patient").partition(b"\r\n\r\n")
    async with contextlib.AsyncExitStack() as stack:
        waiting = [await stack.enter_async_context(_connected(world)) for _ in range(5)]
        for _, writer in waiting:
            writer.write(head + b"\r\n\r\n")
        await asyncio.sleep(0.1)
        for _, writer in waiting:
            writer.write(body)
        lines = [await reader.readline() for reader, _ in waiting]
        assert [line.split()[1] for line in lines].count(b"200") == LIMITS.inflight
        assert [line.split()[1] for line in lines].count(b"429") == 3
        assert world.metrics.inflight == LIMITS.inflight


async def test_a_stream_is_kept_alive_while_the_miner_thinks(world, monkeypatch):
    monkeypatch.setattr("mycelia.gateway.reply.KEEP_ALIVE_S", 0.05)
    world.pause_s = 0.3
    async with _connected(world) as (reader, writer):
        writer.write(_ask(model="patient"))
        async with asyncio.timeout(30.0):
            await reader.readuntil(b": keep-alive\n\n")
            await reader.readuntil(b": keep-alive\n\n")


GARBAGE = (
    b"",
    b"null",
    b"{}",
    b"\xff\xfe\x00",
    b"[" * 30_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b'{"model": NaN}',
    b'{"model": "brief", "messages": [{"role": "user", "content": "\\ud800"}]}',
    b'{"model": "brief", "messages": [{"role": "user", "content": "x"}], "seed": %s}' % HUGE,
    b'{"model": "brief", "messages": {"role": "user"}}',
    b'{"model": "\\u0000", "input": [], "messages": []}',
    b'{"input": [[[["x"]]]], "model": "' + ANALYSIS.openai_model.encode() + b'"}',
    b'{"input": "x", "encoding_format": ["float"], "model": "m"}',
    b'{"input": "x", "dimensions": -1, "model": "m"}',
)
PATHS = (
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/subnets/brief",
    "/v1/subnets/analysis",
    "/v1/pipelines/text-analysis",
)


@pytest.mark.parametrize("path", PATHS)
async def test_garbage_is_named_at_every_path(world, path):
    for data in GARBAGE:
        status, body, headers = await _answer(world, path, data)
        error = json.loads(body)["error"]
        assert 400 <= status < 500, (data[:60], status)
        assert set(error) == {"message", "type", "param", "code"}
        assert error["type"] == "invalid_request_error"
        # What is wrong, and what to do about it.
        assert error["message"].count(". ") >= 1 or error["message"].count(".") >= 2, error
        assert headers["x-request-id"].startswith("req_")
    assert world.metrics.inflight == 0
    assert world.said == 0


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("GET", "/v1/models/none", 404, "model_not_found"),
        ("GET", "/v1/models/" + "x" * 9_000, 404, "model_not_found"),
        ("GET", "/v1/receipts/%ff%00", 404, "receipt_not_found"),
        ("GET", "/v1/receipts/", 404, "receipt_not_found"),
        ("POST", "/v1/subnets/", 404, "subnet_not_found"),
        ("POST", "/v1/subnets/%20%7f", 404, "subnet_not_found"),
        ("POST", "/v1/usage", 405, "method_not_allowed"),
        ("GET", "/v1/chat/completions/../../metrics/x", 404, "not_found"),
        ("PUT", "/health", 405, "method_not_allowed"),
        ("GET", "/%", 404, "not_found"),
    ],
)
async def test_paths_and_methods_that_are_not_served(world, method, path, status, code):
    found, body, _ = await _answer(world, path, b"{}" if method == "POST" else b"", method)
    error = json.loads(body)["error"]
    assert (found, error["code"]) == (status, code)
    assert error["message"].endswith(".")
    assert len(body) < 1000


async def test_a_body_that_never_comes_is_not_waited_for(world):
    async with _connected(world) as (reader, writer):
        writer.write(_ask()[:-5])
        async with asyncio.timeout(30.0):
            assert b" 408 " in await reader.readline()
    assert world.metrics.inflight == 0


async def test_refusals_are_counted_by_their_reason(world):
    await _answer(world, "/v1/chat/completions", b"{")
    await _answer(world, "/v1/chat/completions", b"x" * 70_000)
    await _answer(world, "/v1/nothing")
    await _answer(world, "/v1/subnets/analysis", b'{"input": ["x"]}')
    _, text, _ = await _answer(world, "/metrics", method="GET")
    for code in ("invalid_request", "body_too_large", "not_found", "no_miner"):
        assert f'mycelia_gateway_refusals_total{{code="{code}"}} 1' in text.decode()


@pytest.mark.parametrize(
    ("peer", "is_shown"),
    [("127.0.0.1", True), ("127.3.2.1", True), ("::1", True), ("::ffff:127.0.0.1", True),
     ("10.0.0.1", False), ("1270::1", False), ("", False)],
)  # fmt: skip
def test_metrics_are_for_this_machine(peer, is_shown):
    here = World()
    gateway = Gateway([BRIEF], here, Dispatcher(here, None, Router(), here.metrics), here.metrics)
    head = Head("GET", "/metrics", "/metrics", {}, peer, 0)
    with contextlib.nullcontext() if is_shown else pytest.raises(Rejection) as refused:
        gateway.admit(head)
    assert is_shown or (refused.value.status, refused.value.code) == (403, "local_only")


async def test_no_key_and_no_prompt_is_logged(world, caplog):
    """Also where the gateway itself fails, which is the only thing it logs."""
    gateway = Gateway([BRIEF], world, None, world.metrics, LIMITS, keys=Keys())
    listener = Listener(gateway, LIMITS)
    world.port = await listener.start("127.0.0.1", 0)
    url = f"http://127.0.0.1:{world.port}/v1/chat/completions"
    body = {"model": "brief", "messages": [{"role": "user", "content": "my secret"}]}
    headers = {"Authorization": "Bearer myc-secret"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(url, json=body) as reply,
    ):
        error = (await reply.json())["error"]
    await listener.stop()
    assert (reply.status, error["code"]) == (500, "gateway_failed")
    assert "request to /v1/chat/completions failed" in caplog.text
    assert "secret" not in caplog.text
