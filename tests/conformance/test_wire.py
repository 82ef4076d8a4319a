"""What holds between any caller and any miner, for each signature scheme, whole and streamed."""

import asyncio
import hashlib
import json
import math
import time
from collections.abc import AsyncIterator

import bittensor_core
import pytest

from mycelia.wire import (
    AllowSet,
    Endpoint,
    Inbound,
    Receipt,
    Refused,
    Rejection,
    Timeout,
    WireClient,
    WireLimits,
    WireServer,
)

SCHEMES = [bittensor_core.CRYPTO_SR25519, bittensor_core.CRYPTO_ED25519]
PATIENT_S = 30.0
"""A deadline that no machine misses."""
LONGEST_S = 60.0


class Miner:
    """Handlers that show what a handler may do."""

    def __init__(self, keypair: bittensor_core.Keypair) -> None:
        self.keypair = keypair
        self.allowed = AllowSet()
        self.cancelled = asyncio.Event()
        self.endpoint = Endpoint("", "", 0)

    async def whoami(self, inbound: Inbound) -> bytes:
        remaining = inbound.deadline.remaining()
        return json.dumps([inbound.caller, inbound.path, inbound.body.decode(), remaining]).encode()

    async def count(self, inbound: Inbound) -> AsyncIterator[bytes]:
        for number in range(int(inbound.body)):
            yield str(number).encode()

    async def picky(self, inbound: Inbound) -> bytes:
        raise Rejection(422, "bad_ask", "The ask has no text.", "Send a text.")

    async def picky_stream(self, inbound: Inbound) -> AsyncIterator[bytes]:
        if inbound.body == b"late":
            yield b"first"
        raise Rejection(422, "bad_ask", "The ask has no text.", "Send a text.")

    async def failing_stream(self, inbound: Inbound) -> AsyncIterator[bytes]:
        yield b"first"
        raise ValueError("secret")

    async def endless(self, inbound: Inbound) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"tick"
                await asyncio.sleep(0.02)
        finally:
            self.cancelled.set()


@pytest.fixture(params=SCHEMES, ids=["ed25519" if s == 0 else "sr25519" for s in SCHEMES])
async def miner(request) -> AsyncIterator[Miner]:
    miner = Miner(bittensor_core.Keypair.create_from_uri("//miner", request.param))
    routes = {
        "/whoami": miner.whoami,
        "/count": miner.count,
        "/picky": miner.picky,
        "/picky/stream": miner.picky_stream,
        "/failing": miner.failing_stream,
        "/endless": miner.endless,
    }
    server = WireServer(miner.keypair, routes, miner.allowed, WireLimits(deadline_s=LONGEST_S))
    port = await server.start("127.0.0.1", 0)
    miner.endpoint = Endpoint(miner.keypair.ss58_address, "127.0.0.1", port)
    yield miner
    await server.stop()
    assert server.inflight == 0


@pytest.fixture(params=SCHEMES, ids=["by-ed25519" if s == 0 else "by-sr25519" for s in SCHEMES])
async def client(request, miner) -> AsyncIterator[WireClient]:
    caller = bittensor_core.Keypair.create_from_uri("//caller", request.param)
    miner.allowed.replace([caller.ss58_address])
    async with WireClient(caller) as client:
        yield client


async def _stream(
    client: WireClient, miner: Miner, path: str, body: bytes
) -> tuple[list[bytes], Receipt]:
    async with client.stream(miner.endpoint, path, body, PATIENT_S) as reply:
        chunks = [chunk async for chunk in reply]
        assert reply.first_byte_ms <= reply.total_ms
        return chunks, reply.receipt


async def _collect(
    client: WireClient,
    miner: Miner,
    path: str,
    body: bytes,
    chunks: list[bytes],
    deadline_s: float = PATIENT_S,
) -> None:
    async with client.stream(miner.endpoint, path, body, deadline_s) as reply:
        async for chunk in reply:
            chunks.append(chunk)  # noqa: PERF401 - what came before an error counts


async def test_the_handler_learns_who_asks_what_until_when(miner, client):
    outcome = await client.call(miner.endpoint, "/whoami", b"hello", PATIENT_S)
    caller, path, body, remaining = json.loads(outcome.body)
    assert (caller, path, body) == (client.hotkey, "/whoami", "hello")
    assert PATIENT_S / 2 < remaining <= PATIENT_S


async def test_the_server_shortens_a_long_deadline(miner, client):
    outcome = await client.call(miner.endpoint, "/whoami", b"hello", 3600.0)
    assert json.loads(outcome.body)[3] <= LONGEST_S


async def test_the_receipt_names_both_and_the_reply(miner, client):
    outcome = await client.call(miner.endpoint, "/whoami", b"hello", PATIENT_S)
    receipt = outcome.receipt
    assert (receipt.miner, receipt.caller) == (miner.endpoint.hotkey, client.hotkey)
    assert receipt.response_digest == hashlib.sha256(outcome.body).digest()
    assert receipt.started_ms <= receipt.first_byte_ms <= receipt.finished_ms
    assert 0 < outcome.first_byte_ms <= outcome.total_ms
    receipt.verify()


@pytest.mark.parametrize("count", [0, 1, 3, 500])
async def test_a_stream_arrives_whole_with_a_receipt(miner, client, count):
    chunks, receipt = await _stream(client, miner, "/count", str(count).encode())
    assert chunks == [str(number).encode() for number in range(count)]
    assert receipt.miner == miner.endpoint.hotkey


@pytest.mark.parametrize("size", [0, 1, 100_000, 1024 * 1024])
async def test_bodies_of_any_allowed_size_arrive(miner, client, size):
    outcome = await client.call(miner.endpoint, "/whoami", b"x" * size, PATIENT_S)
    assert len(json.loads(outcome.body)[2]) == size


async def test_connections_are_reused(miner, client):
    await client.call(miner.endpoint, "/whoami", b"", PATIENT_S)
    (first,) = client._pool._open
    for _ in range(5):
        await client.call(miner.endpoint, "/whoami", b"", PATIENT_S)
        await _stream(client, miner, "/count", b"3")
    assert client._pool._open == {first}


async def test_a_handlers_own_refusal_reaches_the_caller(miner, client):
    with pytest.raises(Refused) as refused:
        await client.call(miner.endpoint, "/picky", b"", PATIENT_S)
    assert (refused.value.status, refused.value.code) == (422, "bad_ask")
    assert refused.value.remedy == "Send a text."


async def test_before_the_first_chunk_a_stream_fails_with_a_status(miner, client):
    with pytest.raises(Refused) as refused:
        await _stream(client, miner, "/picky/stream", b"")
    assert (refused.value.status, refused.value.code) == (422, "bad_ask")


@pytest.mark.parametrize(
    ("path", "code"), [("/picky/stream", "bad_ask"), ("/failing", "handler_failed")]
)
async def test_after_the_first_chunk_a_stream_ends_with_an_error(miner, client, path, code):
    chunks: list[bytes] = []
    with pytest.raises(Refused) as refused:
        await _collect(client, miner, path, b"late", chunks)
    assert chunks == [b"first"]
    assert refused.value.code == code
    assert "secret" not in str(refused.value)


async def test_leaving_a_stream_cancels_the_miners_work(miner, client):
    async with client.stream(miner.endpoint, "/endless", b"", PATIENT_S) as reply:
        async for chunk in reply:
            assert chunk == b"tick"
            break
    async with asyncio.timeout(PATIENT_S / 3):  # long before the deadline
        await miner.cancelled.wait()


async def test_a_stream_ends_at_the_deadline_on_both_sides(miner, client):
    with pytest.raises(Timeout):
        await _collect(client, miner, "/endless", b"", [], deadline_s=1.0)
    async with asyncio.timeout(PATIENT_S):
        await miner.cancelled.wait()


async def test_permission_is_asked_for_every_request(miner, client):
    await client.call(miner.endpoint, "/whoami", b"", PATIENT_S)
    miner.allowed.replace([])
    with pytest.raises(Refused) as refused:
        await client.call(miner.endpoint, "/whoami", b"", PATIENT_S)
    assert refused.value.code == "not_permitted"


async def test_many_callers_at_once_each_get_their_own_reply(miner, client):
    async def one(number: int) -> bool:
        outcome = await client.call(miner.endpoint, "/whoami", b"%d" % number, PATIENT_S)
        return json.loads(outcome.body)[2] == str(number)

    assert all(await asyncio.gather(*(one(number) for number in range(60))))


async def test_chunks_are_not_held_back(miner, client):
    """Small writes must not wait for acknowledgements (Nagle's algorithm): 40 ms each."""

    async def took_s(work) -> float:
        started_s = time.monotonic()
        await work
        return time.monotonic() - started_s

    # Against an answer in one piece, and the quickest of many: a machine may be slow or busy.
    whole_s = streamed_s = math.inf
    for _ in range(50):
        call = client.call(miner.endpoint, "/whoami", b"", PATIENT_S)
        whole_s = min(whole_s, await took_s(call))
        streamed_s = min(streamed_s, await took_s(_stream(client, miner, "/count", b"3")))
        if streamed_s < whole_s + 0.03:
            return
    raise AssertionError(f"whole {whole_s} s, in chunks {streamed_s} s")
