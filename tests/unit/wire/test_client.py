"""The caller's side against miners that misbehave: bounded, on time, and never fooled."""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Callable

import bittensor_core
import pytest

from mycelia.wire import (
    AllowSet,
    BadReceipt,
    Endpoint,
    Inbound,
    Malformed,
    Refused,
    Timeout,
    Unreachable,
    WireClient,
    WireError,
    WireServer,
)
from mycelia.wire.frames import Kind, encode_frame
from mycelia.wire.receipt import Exchange, Times
from mycelia.wire.session import Session

MINER = bittensor_core.Keypair.create_from_uri("//miner")
CALLER = bittensor_core.Keypair.create_from_uri("//caller")
NOW = Times(1, 2, 3)
FRAMES = "Content-Type: application/vnd.mycelia.frames\r\n"

# What the fake miner sends, given the head and body of the request.
Answer = Callable[[bytes], bytes]


@contextlib.asynccontextmanager
async def _miner(answer: Answer, *, stay_open: bool = False) -> AsyncIterator[Endpoint]:
    """A bare TCP server: reads one request, sends these bytes, closes (or stays open)."""
    connections: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(answer(await reader.readuntil(b"\r\n\r\n")))
            await writer.drain()
            if not stay_open:
                writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Endpoint(MINER.ss58_address, "127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for writer in connections:
            writer.close()


def _http(body: bytes, headers: str = "", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def _receipt(head: bytes, digest: bytes, signer: bittensor_core.Keypair = MINER) -> bytes:
    """A receipt for the request with this head, as an honest miner would make it."""
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
    fields = {name.lower(): value for name, value in fields.items()}
    text = "\n".join(
        (
            "btauth/1",
            "sr25519",
            "POST",
            "/p",
            hashlib.sha256(b"ask").hexdigest(),
            fields["x-bittensor-nonce"],
            CALLER.ss58_address,
            MINER.ss58_address,
        )
    )
    request_digest = hashlib.sha256(text.encode()).digest()
    exchange = Exchange(MINER.ss58_address, CALLER.ss58_address, request_digest)
    return exchange.sign(signer, digest, 200, NOW)


def _honest(head: bytes) -> bytes:
    return _http(b"yes", f"X-Receipt: {_receipt(head, _sha(b'yes')).decode()}\r\n")


def _sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


async def _call(answer: Answer, *, deadline_s: float = 30.0, **options: int) -> bytes:
    async with _miner(answer) as endpoint, WireClient(CALLER, **options) as client:
        return (await client.call(endpoint, "/p", b"ask", deadline_s)).body


async def _stream(answer: Answer, **options: int) -> list[bytes]:
    async with (
        _miner(answer) as endpoint,
        WireClient(CALLER, **options) as client,
        client.stream(endpoint, "/p", b"ask", 30.0) as reply,
    ):
        chunks = [chunk async for chunk in reply]
        reply.receipt.verify()
        return chunks


async def test_honest_reply_is_believed():
    assert await _call(_honest) == b"yes"


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (lambda head: b"", Unreachable, "unreachable"),
        (lambda head: b"\x00\xff" * 50, Malformed, "malformed_reply"),
        (lambda head: b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000, Malformed, "malformed_reply"),
        (
            lambda head: b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nyes",
            Unreachable,
            "unreachable",
        ),
        (lambda head: _http(b"yes"), BadReceipt, "bad_receipt"),
        (lambda head: _http(b"yes", "X-Receipt: trust me\r\n"), BadReceipt, "bad_receipt"),
        (
            lambda head: _http(b"no", f"X-Receipt: {_receipt(head, _sha(b'yes')).decode()}\r\n"),
            BadReceipt,
            "bad_receipt",
        ),
        (
            lambda head: _http(
                b"yes", f"X-Receipt: {_receipt(head, _sha(b'yes'), CALLER).decode()}\r\n"
            ),
            BadReceipt,
            "bad_receipt",
        ),
        (lambda head: _http(b"x" * 2000), Malformed, "reply_too_large"),
        (
            lambda head: b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n",
            Malformed,
            "reply_too_large",
        ),
        (
            lambda head: (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n"
                + b"x" * 0x800
                + b"\r\n"
            ),
            Malformed,
            "reply_too_large",
        ),
        (
            lambda head: _http(b"", "Location: http://127.0.0.1:1/\r\n", "302 Found"),
            Refused,
            "http_302",
        ),
        (lambda head: _http(b"<html>", "", "502 Bad Gateway"), Refused, "http_502"),
        (lambda head: _http(b"[" * 4000, "", "500 Oops"), Refused, "http_500"),
        (lambda head: _http(b"{}", "", "500 Oops"), Refused, "http_500"),
    ],
)
async def test_bad_replies_have_their_own_errors(answer, error, code):
    with pytest.raises(error) as raised:
        await _call(answer, reply_bytes=1000)
    assert raised.value.code == code
    assert raised.value.remedy or error is Refused


async def test_a_receipt_of_an_earlier_exchange_is_refused():
    first: list[bytes] = []

    def answer(head: bytes) -> bytes:
        first.append(_honest(head))
        return first[0]

    assert await _call(answer) == b"yes"
    with pytest.raises(BadReceipt):
        await _call(answer)


async def test_nobody_listening_is_unreachable():
    async with _miner(_honest) as endpoint:
        pass
    async with WireClient(CALLER) as client:
        with pytest.raises(Unreachable):
            await client.call(endpoint, "/p", b"ask", 30.0)


@pytest.mark.parametrize("host", ["256.1.1.1.", "a b", "::zz", "no-such-host.invalid"])
async def test_nonsense_hosts_are_unreachable(host):
    async with WireClient(CALLER) as client:
        with pytest.raises(WireError):
            await client.call(Endpoint(MINER.ss58_address, host, 1), "/p", b"ask", 30.0)


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nyes"])
async def test_deadline_covers_head_and_body(begun):
    started_s = time.monotonic()
    async with _miner(lambda head: begun, stay_open=True) as endpoint, WireClient(CALLER) as client:
        with pytest.raises(Timeout):
            await client.call(endpoint, "/p", b"ask", 0.2)
    assert time.monotonic() - started_s < 30


async def test_remaining_time_is_sent_along():
    seen: list[bytes] = []

    def answer(head: bytes) -> bytes:
        seen.append(head)
        return _honest(head)

    await _call(answer, deadline_s=60.0)
    sent = int(seen[0].lower().split(b"x-deadline-ms: ")[1].split(b"\r\n")[0])
    assert 30_000 < sent <= 60_000


async def test_a_miners_words_are_bounded_and_printable():
    body = b'{"code":"x","message":"' + b"a" * 3000 + b'","remedy":"\\u001b[2J\\u0007"}'
    with pytest.raises(Refused) as refused:
        await _call(lambda head: _http(body, "Retry-After: 7\r\n", "429 Busy"))
    assert len(refused.value.message) == 400
    assert refused.value.remedy == "[2J"
    assert refused.value.retry_after_s == 7
    assert refused.value.is_capacity


def _frames(*chunks: bytes, receipt: bool = True, then: bytes = b"") -> Answer:
    def answer(head: bytes) -> bytes:
        data = b"".join(encode_frame(Kind.DATA, chunk) for chunk in chunks)
        if receipt:
            data += encode_frame(Kind.RECEIPT, _receipt(head, _sha(data)))
        return _http(data + then, FRAMES)

    return answer


async def test_honest_stream_is_believed():
    assert await _stream(_frames(b"a", b"b")) == [b"a", b"b"]


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (_frames(b"a", receipt=False), Malformed, "malformed_reply"),
        (_frames(b"a", then=encode_frame(Kind.DATA, b"x")), Malformed, "malformed_reply"),
        (_frames(b"a" * 2000), Malformed, "reply_too_large"),
        (
            _frames(b"a", receipt=False, then=encode_frame(Kind.RECEIPT, b"?")),
            BadReceipt,
            "bad_receipt",
        ),
        (
            _frames(
                b"a",
                receipt=False,
                then=encode_frame(Kind.ERROR, b'{"code":"no","message":"m","remedy":"r"}'),
            ),
            Refused,
            "no",
        ),
        (_honest, Malformed, "malformed_reply"),
    ],
)
async def test_bad_streams_have_their_own_errors(answer, error, code):
    with pytest.raises(error) as raised:
        await _stream(answer, reply_bytes=1000)
    assert raised.value.code == code


async def test_receipt_is_refused_before_the_end():
    async with (
        _miner(_frames(b"a")) as endpoint,
        WireClient(CALLER) as client,
        client.stream(endpoint, "/p", b"ask", 2.0) as reply,
    ):
        with pytest.raises(BadReceipt):
            _ = reply.receipt


async def test_deadline_covers_a_stalling_stream():
    head = f"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n{FRAMES}\r\n".encode()
    begun = head + encode_frame(Kind.DATA, b"a")
    chunks = []
    async with _miner(lambda _: begun, stay_open=True) as endpoint, WireClient(CALLER) as client:

        async def collect() -> None:
            async with client.stream(endpoint, "/p", b"ask", 0.3) as reply:
                async for chunk in reply:
                    chunks.append(chunk)  # noqa: PERF401 - what came before the end counts

        while not chunks:  # the deadline may be over before anything came
            with pytest.raises(Timeout):
                await collect()
    assert chunks == [b"a"]


async def test_sessions_that_are_over_are_forgotten_with_their_miners():
    async def echo(inbound: Inbound) -> bytes:
        return inbound.body

    server = WireServer(MINER, {"/p": echo}, AllowSet([CALLER.ss58_address]))
    here = Endpoint(MINER.ss58_address, "127.0.0.1", await server.start("127.0.0.1", 0))
    async with _miner(_honest) as gone:
        pass
    async with WireClient(CALLER, sessions=True) as client:
        client._sessions[gone] = Session(b"ticket", b"key", renew_s=0.0)
        assert (await client.call(here, "/p", b"ask", 30.0)).body == b"ask"
        assert list(client._sessions) == [here]
        with pytest.raises(Unreachable):
            await client.call(gone, "/p", b"ask", 30.0)
        assert not client._agreeing
    await server.stop()
