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
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from mycelia.wire import btauth
from mycelia.wire.contract import MIB, Deadline, Endpoint, Signer
from mycelia.wire.errors import (
    DEADLINE_EXCEEDED,
    BadReceipt,
    Refused,
    Timeout,
    WireError,
)
from mycelia.wire.frames import CONTENT_TYPE, FrameReader, Kind, reply_too_large
from mycelia.wire.pool import Pool, Response, malformed, unreachable
from mycelia.wire.receipt import Exchange, Receipt
from mycelia.wire.session import PATH as SESSION_PATH
from mycelia.wire.session import UNKNOWN, Offer, Session

_ERROR_BYTES = 4096
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


@dataclass(slots=True)
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
        self._pool = Pool(connections)
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
        await self._pool.close()

    async def call(self, endpoint: Endpoint, path: str, body: bytes, deadline_s: float) -> Outcome:
        """Send one request and wait for the whole reply. Raises a `WireError`."""
        started_s = time.monotonic()
        exchange, response = await self._send(endpoint, path, body, Deadline.after(deadline_s))
        try:
            first_byte_ms = _ms_since(started_s)
            reply = await _bounded(response, self._reply_bytes)
        finally:
            response.release()
        wire = response.headers.get(b"x-receipt")
        receipt = exchange.read(wire, hashlib.sha256(reply).digest(), response.status)
        return Outcome(reply, receipt, first_byte_ms, _ms_since(started_s), response.status)

    async def document(self, endpoint: Endpoint, path: str, deadline_s: float) -> bytes:
        """Read a public document of a miner, unsigned both ways. Raises a `WireError`.

        Whatever it holds must prove itself: nothing here shows that the miner wrote it.
        """
        request = _head("GET", endpoint, path) + b"\r\n"
        response = await self._pool.send(endpoint, request, Deadline.after(deadline_s))
        try:
            if response.status != 200:
                raise await _refusal(response)
            return await _bounded(response, self._reply_bytes)
        finally:
            response.release()

    @contextlib.asynccontextmanager
    async def stream(
        self, endpoint: Endpoint, path: str, body: bytes, deadline_s: float
    ) -> AsyncIterator[ReplyStream]:
        """Send one request and yield its reply as an iterator over chunks.

        Leaving the block early closes the connection, by which the miner's work is cancelled.
        """
        started_s = time.monotonic()
        exchange, response = await self._send(endpoint, path, body, Deadline.after(deadline_s))
        try:
            if response.headers.get(b"content-type") != CONTENT_TYPE:
                raise malformed(endpoint, "the reply is not a stream")
            reader = FrameReader(self._reply_bytes)
            yield ReplyStream(endpoint, exchange, response, reader, started_s)
        finally:
            response.release()

    async def _send(
        self, endpoint: Endpoint, path: str, body: bytes, deadline: Deadline
    ) -> tuple[Exchange, Response]:
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
        try:
            async with self._agreeing.setdefault(endpoint, asyncio.Lock()):
                session = self._sessions.get(endpoint)
                if session is None or not session.is_fresh:
                    offer = Offer()
                    outcome = await self.call(
                        endpoint, SESSION_PATH, offer.body, deadline.remaining()
                    )
                    session = offer.accept(outcome.body)
                    self._keep(endpoint, session)
                return session
        finally:
            # Who waits for it still has it; who comes now finds the session, or tries on its own.
            self._agreeing.pop(endpoint, None)

    def _keep(self, endpoint: Endpoint, session: Session) -> None:
        """Keep a session, and forget those whose time is over: their miners may never be back."""
        # Out and in again: the first in line is then the one that ends first.
        self._sessions.pop(endpoint, None)
        for known in list(self._sessions):
            if self._sessions[known].is_fresh:
                break
            del self._sessions[known]
        self._sessions[endpoint] = session

    async def _post(
        self,
        endpoint: Endpoint,
        path: str,
        body: bytes,
        deadline: Deadline,
        session: Session | None,
    ) -> tuple[Exchange, Response]:
        signed = btauth.sign_request(self._keypair, path, body, endpoint.hotkey, session=session)
        lines = (
            f"{signed.lines}X-Deadline-Ms: {int(deadline.remaining() * 1000)}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        request = b"".join((_head("POST", endpoint, path), lines.encode(), body))
        response = await self._pool.send(endpoint, request, deadline)
        if response.status != 200:
            try:
                raise await _refusal(response)
            finally:
                response.release()
        return Exchange(endpoint.hotkey, signed.sender, signed.digest), response


class ReplyStream:
    """Chunks of a streamed reply; `receipt` is there once the iteration ended by itself.

    Raises `Refused` when the miner breaks off with an error, `Malformed` or `Unreachable` when the
    stream ends without a receipt, `BadReceipt` when that is not the miner's.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        exchange: Exchange,
        response: Response,
        reader: FrameReader,
        started_s: float,
    ) -> None:
        self.first_byte_ms: float | None = None
        self.total_ms: float | None = None
        self._endpoint = endpoint
        self._exchange = exchange
        self._response = response
        self._reader = reader
        self._started_s = started_s
        self._receipt: Receipt | None = None
        self._batches = self._read()

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

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunks in self._batches:
            for chunk in chunks:
                yield chunk

    def batches(self) -> AsyncIterator[list[bytes]]:
        """Yield the chunks as they arrived together, for whoever hands them on together."""
        return self._batches

    async def _read(self) -> AsyncIterator[list[bytes]]:
        last: bytes | None = None
        while data := await self._response.read():
            if self.first_byte_ms is None:
                self.first_byte_ms = _ms_since(self._started_s)
            chunks = []
            for frame in self._reader.feed(data):
                if frame.kind is Kind.DATA:
                    chunks.append(frame.payload)
                    continue
                if chunks:
                    yield chunks
                    chunks = []
                if frame.kind is Kind.ERROR:
                    raise _refused_with(self._response.status, frame.payload, None)
                last = frame.payload
            if chunks:
                yield chunks
        if last is None:
            raise malformed(self._endpoint, "the stream ended without a receipt")
        self._receipt = self._exchange.read(last, self._reader.digest, self._response.status)
        self.total_ms = _ms_since(self._started_s)


@lru_cache(maxsize=4096)
def _head(method: str, endpoint: Endpoint, path: str) -> bytes:
    """Encode the request line and the host. The path is signed as it stands, so nothing is escaped.

    Raises `Unreachable` for a host or path that would break the line: a miner chose the host.
    """
    if not _PRINTABLE.fullmatch(endpoint.host) or not _PRINTABLE.fullmatch(path):
        raise unreachable(endpoint, ValueError())
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"{method} {path} HTTP/1.1\r\nHost: {host}:{endpoint.port}\r\n".encode()


async def _bounded(response: Response, limit_bytes: int) -> bytes:
    declared = response.length_bytes
    if declared is not None and declared > limit_bytes:
        raise reply_too_large(limit_bytes)
    parts: list[bytes] = []
    size = 0
    while part := await response.read():
        size += len(part)
        if size > limit_bytes:
            raise reply_too_large(limit_bytes)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _refusal(response: Response) -> WireError:
    retry_after = response.headers.get(b"retry-after", b"")
    retry_after_s = int(retry_after) if retry_after.isdigit() and len(retry_after) < 6 else None
    body = b""
    while len(body) < _ERROR_BYTES and (part := await response.read()):
        body += part
    return _refused_with(response.status, body[:_ERROR_BYTES], retry_after_s)


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


def _ms_since(started_s: float) -> float:
    return (time.monotonic() - started_s) * 1000
