"""Calls miners: signs every request, keeps its deadline, and believes no unsigned reply.

One client holds one pool of connections and is used by one event loop. Whatever a miner sends is
bounded and judged before it is handed on: size, form, receipt. Redirects, cookies, compression
and proxy settings of the environment are ignored, since a miner must not be able to steer the
caller elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Self

import aiohttp
from yarl import URL

from mycelia.wire import btauth
from mycelia.wire.contract import MIB, Deadline, Endpoint, Signer
from mycelia.wire.errors import (
    DEADLINE_EXCEEDED,
    BadReceipt,
    Malformed,
    Refused,
    Timeout,
    Unreachable,
    WireError,
)
from mycelia.wire.frames import CONTENT_TYPE, FrameReader, Kind, reply_too_large
from mycelia.wire.receipt import Exchange, Receipt
from mycelia.wire.session import PATH as SESSION_PATH
from mycelia.wire.session import UNKNOWN, Offer, Session

_ERROR_BYTES = 4096
_KEEP_ALIVE_S = 30.0  # shorter than the server's, so that the client lets go first
_URLS = 4096


@dataclass(frozen=True, slots=True)
class Outcome:
    """A reply whose receipt was verified. Times since the call began, in milliseconds."""

    body: bytes
    receipt: Receipt
    first_byte_ms: float
    total_ms: float
    status: int


class WireClient:
    """Signs with one keypair. `reply_bytes` bounds each reply, `connections` those per miner.

    With `sessions` it agrees on a session key with each miner first, and saves both the signatures
    of the requests that follow. Worth it where requests are many and small.
    """

    def __init__(
        self,
        keypair: Signer,
        *,
        reply_bytes: int = 8 * MIB,
        connections: int = 64,
        sessions: bool = False,
    ) -> None:
        self._keypair = keypair
        self._reply_bytes = reply_bytes
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._urls: dict[tuple[str, int, str], URL] = {}
        self._with_sessions = sessions
        self._sessions: dict[Endpoint, Session] = {}
        self._agreeing: dict[Endpoint, asyncio.Lock] = {}

    @property
    def hotkey(self) -> str:
        """The hotkey that this client signs with."""
        return self._keypair.ss58_address

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections. Calls under way fail."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def call(self, endpoint: Endpoint, path: str, body: bytes, deadline_s: float) -> Outcome:
        """Send one request and wait for the whole reply. Raises a `WireError`."""
        started_s = time.monotonic()
        deadline = Deadline.after(deadline_s)
        async with _within(deadline, endpoint):
            exchange, response = await self._send(endpoint, path, body, deadline)
            try:
                first_byte_ms = _ms_since(started_s)
                with _transport_errors(endpoint):
                    reply = await _bounded(response, self._reply_bytes)
            finally:
                _let_go(response)
        wire = response.headers.get("x-receipt")
        receipt = exchange.read(
            wire.encode() if wire is not None else None,
            hashlib.sha256(reply).digest(),
            response.status,
        )
        return Outcome(reply, receipt, first_byte_ms, _ms_since(started_s), response.status)

    async def document(self, endpoint: Endpoint, path: str, deadline_s: float) -> bytes:
        """Read a public document of a miner, unsigned both ways. Raises a `WireError`.

        Whatever it holds must prove itself: nothing here shows that the miner wrote it.
        """
        async with _within(Deadline.after(deadline_s), endpoint):
            with _transport_errors(endpoint):
                response = await self._open_session().get(
                    self._url(endpoint, path), allow_redirects=False
                )
                try:
                    if response.status != 200:
                        raise await _refusal(endpoint, response)
                    return await _bounded(response, self._reply_bytes)
                finally:
                    _let_go(response)

    @contextlib.asynccontextmanager
    async def stream(
        self, endpoint: Endpoint, path: str, body: bytes, deadline_s: float
    ) -> AsyncIterator[ReplyStream]:
        """Send one request and yield its reply as an iterator over chunks.

        Leaving the block early closes the connection, by which the miner's work is cancelled.
        """
        started_s = time.monotonic()
        deadline = Deadline.after(deadline_s)
        async with _within(deadline, endpoint):
            exchange, response = await self._send(endpoint, path, body, deadline)
        try:
            if response.headers.get("content-type") != CONTENT_TYPE.decode():
                raise _malformed(endpoint, "the reply is not a stream")
            reader = FrameReader(self._reply_bytes)
            yield ReplyStream(endpoint, exchange, response, reader, deadline, started_s)
        finally:
            _let_go(response)

    async def _send(
        self, endpoint: Endpoint, path: str, body: bytes, deadline: Deadline
    ) -> tuple[Exchange, aiohttp.ClientResponse]:
        """Send a request; return the response once its status is known to be 200."""
        session = None
        if self._with_sessions and path != SESSION_PATH:
            session = await self._session_with(endpoint, deadline)
        try:
            return await self._post(endpoint, path, body, deadline, session)
        except Refused as why:
            if session is None or why.code != UNKNOWN:
                raise
        # The miner was restarted, and its keys are gone: this one request is signed.
        self._sessions.pop(endpoint, None)
        return await self._post(endpoint, path, body, deadline, None)

    async def _session_with(self, endpoint: Endpoint, deadline: Deadline) -> Session:
        """Return the session with this miner, after agreeing on one if need be."""
        session = self._sessions.get(endpoint)
        if session is not None and session.is_fresh:
            return session
        async with self._agreeing.setdefault(endpoint, asyncio.Lock()):
            session = self._sessions.get(endpoint)
            if session is None or not session.is_fresh:
                offer = Offer()
                outcome = await self.call(endpoint, SESSION_PATH, offer.body, deadline.remaining())
                session = self._sessions[endpoint] = offer.accept(outcome.body)
            return session

    async def _post(
        self,
        endpoint: Endpoint,
        path: str,
        body: bytes,
        deadline: Deadline,
        session: Session | None,
    ) -> tuple[Exchange, aiohttp.ClientResponse]:
        signed = btauth.sign_request(self._keypair, path, body, endpoint.hotkey, session=session)
        headers = signed.headers
        headers["X-Deadline-Ms"] = str(int(deadline.remaining() * 1000))
        headers["Content-Type"] = "application/json"
        with _transport_errors(endpoint):
            response = await self._open_session().post(
                self._url(endpoint, path), data=body, headers=headers, allow_redirects=False
            )
        if response.status != 200:
            try:
                raise await _refusal(endpoint, response)
            finally:
                _let_go(response)
        caller = headers["X-Bittensor-Hotkey"]
        return Exchange(endpoint.hotkey, caller, signed.digest), response

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0,
                    limit_per_host=self._connections,
                    keepalive_timeout=_KEEP_ALIVE_S,
                    ttl_dns_cache=300,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
                trust_env=False,
            )
        return self._session

    def _url(self, endpoint: Endpoint, path: str) -> URL:
        """Return the URL, not re-encoded: the path is signed as it stands."""
        key = (endpoint.host, endpoint.port, path)
        url = self._urls.get(key)
        if url is None:
            if len(self._urls) >= _URLS:
                self._urls.clear()
            host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
            try:
                url = URL(f"http://{host}:{endpoint.port}{path}", encoded=True)
            except ValueError as error:
                raise _unreachable(endpoint, error) from error
            self._urls[key] = url
        return url


class ReplyStream:
    """Chunks of a streamed reply; `receipt` is there once the iteration ended by itself.

    Raises `Refused` when the miner breaks off with an error, `Malformed` or `Unreachable` when the
    stream ends without a receipt, `BadReceipt` when that is not the miner's.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        exchange: Exchange,
        response: aiohttp.ClientResponse,
        reader: FrameReader,
        deadline: Deadline,
        started_s: float,
    ) -> None:
        self.first_byte_ms: float | None = None
        self.total_ms: float | None = None
        self._endpoint = endpoint
        self._exchange = exchange
        self._response = response
        self._reader = reader
        self._deadline = deadline
        self._started_s = started_s
        self._receipt: Receipt | None = None
        self._chunks = self._read()

    @property
    def receipt(self) -> Receipt:
        """The verified receipt. Raises `BadReceipt` before the stream was read to its end."""
        if self._receipt is None:
            raise BadReceipt(
                "no_receipt_yet",
                "The receipt is the last thing in a stream, and this one was not read to its end.",
                "Read all chunks first.",
            )
        return self._receipt

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def _read(self) -> AsyncIterator[bytes]:
        last: bytes | None = None
        while data := await self._received():
            if self.first_byte_ms is None:
                self.first_byte_ms = _ms_since(self._started_s)
            for frame in self._reader.feed(data):
                if frame.kind is Kind.DATA:
                    yield frame.payload
                elif frame.kind is Kind.ERROR:
                    raise _refused_with(self._response.status, frame.payload, None)
                else:
                    last = frame.payload
        if last is None:
            raise _malformed(self._endpoint, "the stream ended without a receipt")
        self._receipt = self._exchange.read(last, self._reader.digest, self._response.status)
        self.total_ms = _ms_since(self._started_s)

    async def _received(self) -> bytes:
        # Per read, not around the block: the caller's own work in between is its own affair.
        async with _within(self._deadline, self._endpoint):
            with _transport_errors(self._endpoint):
                return await self._response.content.readany()


@contextlib.asynccontextmanager
async def _within(deadline: Deadline, endpoint: Endpoint) -> AsyncIterator[None]:
    """Raise `Timeout` when the deadline passes inside the block."""
    try:
        async with asyncio.timeout(deadline.remaining()):
            yield
    except TimeoutError as error:
        raise Timeout(
            "timeout",
            f"No complete reply from {endpoint} before the deadline.",
            "Allow more time, or ask another miner.",
        ) from error


def _let_go(response: aiohttp.ClientResponse) -> None:
    """Keep the connection when the reply was read to its end, else close it."""
    if response.content.at_eof():
        response.release()
    else:
        response.close()


async def _bounded(response: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
    declared = response.content_length
    if declared is not None and declared > limit_bytes:
        raise reply_too_large(limit_bytes)
    parts: list[bytes] = []
    size = 0
    while part := await response.content.readany():
        size += len(part)
        if size > limit_bytes:
            raise reply_too_large(limit_bytes)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _refusal(endpoint: Endpoint, response: aiohttp.ClientResponse) -> WireError:
    retry_after = response.headers.get("retry-after", "")
    retry_after_s = int(retry_after) if retry_after.isdigit() and len(retry_after) < 6 else None
    with _transport_errors(endpoint):
        body = await response.content.read(_ERROR_BYTES)
    return _refused_with(response.status, body, retry_after_s)


def _refused_with(status: int, body: bytes, retry_after_s: int | None) -> WireError:
    """Read the error a miner reported, bounded and made printable: it is a stranger's."""
    try:
        fields = json.loads(body)
        words = [str(fields[name])[:400] for name in ("code", "message", "remedy")]
    except (ValueError, KeyError, TypeError, RecursionError):
        words = [f"http_{status}", f"The miner answered with status {status}.", ""]
    code, message, remedy = ("".join(filter(str.isprintable, word)) for word in words)
    if code == DEADLINE_EXCEEDED:
        # Both ends watch the same deadline; which notices first must not matter to the caller.
        return Timeout("timeout", message, remedy)
    return Refused(status, code, message, remedy, retry_after_s=retry_after_s)


@contextlib.contextmanager
def _transport_errors(endpoint: Endpoint) -> Iterator[None]:
    """Turn aiohttp's exceptions into this package's."""
    try:
        yield
    except aiohttp.ClientResponseError as error:
        raise _malformed(endpoint, "the reply is not HTTP/1.1") from error
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise _unreachable(endpoint, error) from error


def _unreachable(endpoint: Endpoint, error: Exception) -> Unreachable:
    return Unreachable(
        "unreachable",
        f"No connection to {endpoint}, or it broke: {type(error).__name__}.",
        "Ask another miner; this one is down, or its published endpoint is wrong.",
    )


def _malformed(endpoint: Endpoint, what: str) -> Malformed:
    return Malformed(
        "malformed_reply",
        f"{endpoint} does not answer in the form of this protocol: {what}.",
        "Ask another miner.",
    )


def _ms_since(started_s: float) -> float:
    return (time.monotonic() - started_s) * 1000
