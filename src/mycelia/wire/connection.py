"""One HTTP/1.1 connection, server side: parses, bounds, and hands on what an application admits.

The application is asked twice. `admit` is a plain function that sees the head of a request before
any of its body and may refuse it: that costs no task and no buffer. What it admits gets its body
collected within bounds, and then a task of its own, which is cancelled when the caller hangs up or
the admission's time is over.

Written on the bare parser, because a refusal and an echo here cost a third of what they do behind
an ASGI server. Not HTTP/2, not TLS, no WebSocket: a proxy in front does those.

What is made anew for every request is kept small: no timer, no callback, no value that is frozen
(a frozen dataclass costs a call per field). After the signatures those were most of the price.

Terms: *head* - request line and headers; *expiry* - the moment at which what a connection waits for
is given up, looked at by the listener's clock and not by a timer of each request. All moments here
are seconds of the monotonic clock.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import chain
from time import monotonic
from typing import Any, Protocol

import httptools

from mycelia.wire import refusals
from mycelia.wire.buckets import Buckets, source_of
from mycelia.wire.contract import WireLimits
from mycelia.wire.errors import Rejection

_LINGER_S = 1.0
_DRAINED_BYTES = 64 * 1024
"""A refused body up to this size is swallowed and the connection kept."""
_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\ndate: ".encode()
    for status in HTTPStatus
}


@dataclass(slots=True)
class Head:
    """Request line and headers, names in lower case. Of a repeated header the last counts."""

    method: str
    target: str
    """Path and query as sent."""
    path: str
    """The target without its query, still percent-encoded."""
    headers: dict[bytes, bytes]
    peer: str
    """The caller's IP address, as `source_of` has it."""
    length_bytes: int | None
    """Declared size of the body; None if it comes in chunks."""


Serve = Callable[[bytes, "Reply"], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class Admission:
    """What happens to a request whose head was admitted."""

    serve: Serve
    """Runs as a task of its own once the body is there. It must complete the reply."""
    body_bytes: int
    body_s: float
    until_s: float = math.inf
    """When the task is cancelled as overdue, at the listener's next tick after that."""
    received: Callable[[], None] | None = None
    """Called when the body is there, or known never to be."""


class Application(Protocol):
    """What a port serves."""

    def admit(self, head: Head, /) -> Admission:
        """Decide by the head. Raises `Rejection`; must not block."""

    def refusal(self, why: Rejection, /) -> tuple[bytes, bytes]:
        """Header lines and body of the answer to a request refused before it was served."""


@dataclass(slots=True)
class Port:
    """What the connections of a port share."""

    application: Application
    limits: WireLimits
    loop: asyncio.AbstractEventLoop
    strikes: Buckets
    """What addresses may spend on refusals."""
    date: bytes
    """As it stands in heads, renewed each second."""
    connections: set[Connection] = field(default_factory=set)
    by_peer: dict[str, int] = field(default_factory=dict)

    def has_room_for(self, newcomer: Connection) -> bool:
        """Say whether a connection just made may stay.

        On a full port one that waits for a request makes way for it, if its address holds more of
        them than the newcomer's. So addresses get equal shares, and nobody shuts out the others.
        """
        if self.by_peer[newcomer.peer] > self.limits.per_address:
            return False
        if len(self.connections) <= self.limits.connections:
            return True
        waiting = (c for c in self.connections if c.is_waiting and c is not newcomer)
        richest = max(waiting, key=lambda c: self.by_peer[c.peer], default=newcomer)
        if self.by_peer[richest.peer] <= self.by_peer[newcomer.peer]:
            return False
        richest.make_way()
        return True


@dataclass(slots=True, eq=False)
class _Request:
    head: Head
    keep_alive: bool
    is_chunkable: bool
    """HTTP/1.0 knows no chunks: there the end of the connection is the end of an answer."""
    fault: Rejection | None
    """What the head is refused for before the application sees it."""
    admission: Admission | None = None
    parts: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    is_complete: bool = False
    is_refused: bool = False
    is_overdue: bool = False
    task: asyncio.Task[None] | None = None


class Connection(asyncio.Protocol):
    """Speaks with one caller. Requests sent ahead wait for their turn."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._limits = port.limits
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport = None  # type: ignore[assignment] # set before any use
        self.peer = ""
        """The caller's IP address, as `source_of` has it."""
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._in_head = False
        self._head_bytes = 0
        """Of an unfinished head, without what is being fed; of what follows a body, too."""
        self._fed_bytes = 0
        self._parsed: _Request | None = None
        """Whose body is being received."""
        self._current: _Request | None = None
        """Whose answer is being made."""
        self._waiting: deque[_Request] = deque()
        self._drained: asyncio.Event | None = None
        self._is_closing = False
        self.expires_s = math.inf

    # what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        port, self._transport = self._port, transport  # type: ignore[assignment] # it is one
        name = transport.get_extra_info("peername")
        self.peer = source_of(name[0]) if name else ""
        port.connections.add(self)
        port.by_peer[self.peer] = port.by_peer.get(self.peer, 0) + 1
        if port.strikes.is_empty(self.peer):
            self._transport.abort()
        elif port.has_room_for(self):
            self.expires_s = monotonic() + self._limits.head_s
        else:
            self._give_up(refusals.no_room())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        port = self._port
        self._is_closing = True
        self.expires_s = math.inf
        # It holds our methods: left in place, each connection would wait for the garbage collector.
        self._parser = None  # type: ignore[assignment] # nothing comes any more
        port.connections.discard(self)
        left = port.by_peer.get(self.peer, 1) - 1
        if left:
            port.by_peer[self.peer] = left
        else:
            port.by_peer.pop(self.peer, None)
        if self._drained is not None:
            self._drained.set()
        request, self._current = self._current, None
        if request is not None:
            _drop(request)
            if request.task is not None:
                request.task.cancel()

    def data_received(self, data: bytes) -> None:
        if self._is_closing:
            return
        self._fed_bytes = len(data)
        receiving = self._parsed
        before_bytes = receiving.size_bytes if receiving is not None else 0
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # Declined in the head; nothing after that is understood.
        except httptools.HttpParserError:
            self._strike()
            self._give_up(refusals.not_http())
            return
        if self._in_head:
            self._head_bytes += self._fed_bytes
            if self._head_bytes > self._limits.head_bytes:
                self._give_up(refusals.head_too_large(self._limits.head_bytes))
        elif (
            receiving is not None
            and receiving is self._parsed
            and receiving.size_bytes == before_bytes
        ):
            # What brings no body is trailers, or chunks that say more about themselves than is in.
            self._head_bytes += self._fed_bytes
            if self._head_bytes > self._limits.head_bytes + before_bytes:
                self._give_up(refusals.head_too_large(self._limits.head_bytes))

    def pause_writing(self) -> None:
        # Who does not read its answers may not ask for more.
        self._drained = asyncio.Event()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._drained is not None:
            self._drained.set()
            self._drained = None
        if not self._waiting:
            self._transport.resume_reading()

    # what the parser calls; it would swallow their exceptions, so none may leave them

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = {}
        self._in_head = True
        self._head_bytes = 0
        if self._current is None:
            self.expires_s = monotonic() + self._limits.head_s

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        # What comes after a body changes nothing: its head was judged, here or by a proxy.
        if self._in_head:
            self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._in_head = False
        headers, target = self._headers, self._url.decode("latin-1")
        length = headers.get(b"content-length")
        chunked = length is None and b"transfer-encoding" in headers
        head = Head(
            self._parser.get_method().decode("latin-1"),
            target,
            target.partition("?")[0],
            headers,
            self.peer,
            # The parser let only digits through.
            None if chunked else int(length or 0),
        )
        is_chunkable = self._parser.get_http_version() != "1.0"
        is_offer = self._parser.should_upgrade()
        keep_alive = is_chunkable and not is_offer and self._parser.should_keep_alive()
        # Most heads come alone and whole: then what was fed bounds them, and nothing is summed up.
        limit = self._limits.head_bytes
        is_long = self._head_bytes + self._fed_bytes > limit and (
            len(self._url) + sum(map(len, chain(headers, headers.values()))) > limit
        )
        fault = refusals.head_too_large(limit) if is_long else None
        if is_offer and head.length_bytes != 0:
            fault = refusals.upgrade_declined()
        request = self._parsed = _Request(head, keep_alive, is_chunkable, fault)
        if self._current is None:
            self._open(request)
        else:
            self._waiting.append(request)
            self._transport.pause_reading()

    def on_body(self, data: bytes) -> None:
        request = self._parsed
        if request is None:
            return
        request.size_bytes += len(data)
        if request.is_refused:
            return
        admission = request.admission
        if admission is not None and request.size_bytes > admission.body_bytes:
            self._refuse(request, refusals.body_too_large(admission.body_bytes))
        else:
            request.parts.append(data)

    def on_message_complete(self) -> None:
        request, self._parsed = self._parsed, None
        if request is None:
            return
        request.is_complete = True
        if request.is_refused:
            self._finish(request)
        elif request.admission is not None:
            self._serve(request, request.admission)

    # one request

    def _open(self, request: _Request) -> None:
        """Let the application judge the head; its turn has come."""
        self._current = request
        try:
            if request.fault is not None:
                raise request.fault
            admission = self._port.application.admit(request.head)
            if (request.head.length_bytes or request.size_bytes) > admission.body_bytes:
                _received(admission)
                raise refusals.body_too_large(admission.body_bytes)
        except Rejection as why:
            self._strike()
            self._refuse(request, why)
            return
        request.admission = admission
        if request.is_complete:
            self._serve(request, admission)
            return
        self.expires_s = monotonic() + admission.body_s
        if b"expect" in request.head.headers:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _serve(self, request: _Request, admission: Admission) -> None:
        parts = request.parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        request.parts = []
        request.admission = None
        _received(admission)
        self.expires_s = admission.until_s
        request.task = self._port.loop.create_task(self._run(request, admission.serve, body))

    async def _run(self, request: _Request, serve: Serve, body: bytes) -> None:
        try:
            await serve(body, Reply(self, request))
        finally:
            # A reply that was left unfinished: there is no other way to say so.
            if request is self._current:
                self._close()

    def _refuse(self, request: _Request, why: Rejection) -> None:
        """Answer at once; what is left of the body is swallowed, if it is not too much."""
        _drop(request)
        request.is_refused = True
        request.parts = []
        length = request.head.length_bytes
        is_long = length is None or length > _DRAINED_BYTES
        if is_long and not request.is_complete:
            request.keep_alive = False
        if self._port.strikes.is_empty(self.peer):
            request.keep_alive = False
        self._transport.write(self._encoded(why, keep_alive=request.keep_alive))
        # Closing at once would reset the connection and destroy the answer before it is read.
        self.expires_s = monotonic() + _LINGER_S
        if request.is_complete:
            self._finish(request)

    def _finish(self, request: _Request) -> None:
        """Turn to the next request, if the connection lives on."""
        if self._is_closing:
            return
        self._current = None
        if not request.keep_alive:
            self._close()
        elif self._waiting:
            following = self._waiting.popleft()
            if not self._waiting and self._drained is None:
                self._transport.resume_reading()
            self._open(following)
        else:
            limits = self._limits
            wait_s = limits.head_s if self._in_head else limits.idle_s
            self.expires_s = monotonic() + (limits.body_s if self._drained is not None else wait_s)

    # the end of a connection

    @property
    def is_waiting(self) -> bool:
        """There is no request yet, or no other."""
        return self._current is None and not self._is_closing

    def make_way(self) -> None:
        """Let go of a caller that sends nothing, for another."""
        if self._in_head:
            self._give_up(refusals.no_room())
        else:
            self._close()

    def expire(self) -> None:
        """Give up waiting: called by the listener's clock after `expires_s`."""
        request = self._current
        if request is not None and request.task is not None and not request.is_overdue:
            request.is_overdue = True
            self.expires_s = monotonic() + self._limits.body_s
            request.task.cancel()
        elif self._is_closing or self._drained is not None:
            self._transport.abort()
        elif request is not None and request.admission is not None:
            limit_s = request.admission.body_s
            _drop(request)
            self._give_up(refusals.body_timeout(limit_s))
        elif request is None and (self._in_head or not self._url):
            self._give_up(refusals.head_timeout(self._limits.head_s))
        else:
            self._close()

    def retire(self) -> asyncio.Task[None] | None:
        """Close after the answer under way, and return the task that makes it, if there is one."""
        if self._current is None or self._current.task is None:
            self._close()
            return None
        self._current.keep_alive = False
        self._waiting.clear()
        return self._current.task

    def abort(self) -> None:
        """Cancel what is under way and let go of the caller."""
        if self._current is not None and self._current.task is not None:
            self._current.task.cancel()
        self._transport.abort()

    def _close(self) -> None:
        """Send what is written, as long as the caller takes it, and close."""
        self._is_closing = True
        self.expires_s = monotonic() + self._limits.body_s
        self._transport.close()

    def _give_up(self, why: Rejection) -> None:
        if self._is_closing:
            return
        request = self._current
        if request is not None and request.is_refused:
            pass  # It has its answer.
        elif request is None or request.task is None:
            self._transport.write(self._encoded(why, keep_alive=False))
        else:
            request.task.cancel()
        self._close()

    def _strike(self) -> None:
        self._port.strikes.take(self.peer)

    def _encoded(self, why: Rejection, *, keep_alive: bool) -> bytes:
        headers, body = self._port.application.refusal(why)
        if not keep_alive:
            headers += b"connection: close\r\n"
        return self.head(why.status, headers, len(body)) + body

    # what a reply needs

    def head(self, status: int, headers: bytes, length: int) -> bytes:
        """Encode the head of a response with a body of known size."""
        return b"%s%s\r\n%scontent-length: %d\r\n\r\n" % (
            _STATUS_LINES[status],
            self._port.date,
            headers,
            length,
        )

    def send(self, data: bytes) -> None:
        """Write, unless the caller is gone."""
        if not self._is_closing:
            self._transport.write(data)

    async def drained(self) -> None:
        """Wait while the caller reads slower than we write."""
        if self._drained is not None:
            await self._drained.wait()

    def begun(self, status: int, headers: bytes) -> bytes:
        """Encode the head of a response whose body comes in chunks."""
        return b"%s%s\r\n%s\r\n" % (_STATUS_LINES[status], self._port.date, headers)

    def finish(self, request: _Request) -> None:
        """The answer is complete."""
        if request is self._current:
            request.task = None
            self._finish(request)


class Reply:
    """The answer to one request. Headers are lines that end in CRLF."""

    __slots__ = ("_connection", "_request", "status")

    def __init__(self, connection: Connection, request: _Request) -> None:
        self.status = 0
        """0 as long as nothing was sent."""
        self._connection = connection
        self._request = request

    @property
    def is_overdue(self) -> bool:
        """The admission's time is over: what is to be said now is that."""
        return self._request.is_overdue

    def whole(self, status: int, headers: bytes, body: bytes) -> None:
        """Send a complete answer."""
        self.status = status
        shown = b"" if self._request.head.method == "HEAD" else body
        head = self._connection.head(status, headers + self._closing(), len(body))
        self._connection.send(head + shown)
        self._connection.finish(self._request)

    def begin(self, status: int, headers: bytes, first: bytes = b"") -> None:
        """Send the head of an answer in pieces, and in the same write a first piece if there is one."""
        self.status = status
        if self._request.is_chunkable:
            headers += b"transfer-encoding: chunked\r\n"
            first = b"%x\r\n%s\r\n" % (len(first), first) if first else b""
        head = self._connection.begun(status, headers + self._closing())
        self._connection.send(head + first)

    async def write(self, data: bytes) -> None:
        """Send a piece, and wait while the caller is behind with reading."""
        if data:
            chunked = self._request.is_chunkable
            self._connection.send(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)
            await self._connection.drained()

    def last(self, data: bytes) -> None:
        """Send the last piece and the end, without waiting for the caller."""
        end = b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"
        self._connection.send(end if self._request.is_chunkable else data)
        self._connection.finish(self._request)

    def _closing(self) -> bytes:
        return b"" if self._request.keep_alive else b"connection: close\r\n"


def _drop(request: _Request) -> None:
    """Tell the application that an admitted request will not be served."""
    admission, request.admission = request.admission, None
    if admission is not None:
        _received(admission)


def _received(admission: Admission) -> None:
    if admission.received is not None:
        admission.received()
