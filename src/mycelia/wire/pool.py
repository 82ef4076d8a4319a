"""Connections to miners, client side: opened when needed, kept for a while, one request at a time.

Made for strangers: the head of a response is bounded, a body is handed on as it arrives and no
faster than it is read, and nothing is followed, decoded or remembered. The counterpart of
`connection`, on the bare parser for the same reason, and like it with one clock for all deadlines
instead of a timer for each.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from dataclasses import dataclass, field

import httptools

from mycelia.wire.contract import Deadline, Endpoint
from mycelia.wire.errors import Malformed, Timeout, Unreachable, WireError

_HEAD_BYTES = 64 * 1024
_KEEP_ALIVE_S = 30.0  # shorter than the server's, so that the client lets go first
_HIGH_BYTES = 256 * 1024
"""Unread bytes at which a miner has to wait."""
_TICK_S = 0.025
"""How long after its deadline a request is given up, at most."""


class Response:
    """One answer. Read it until `read` returns nothing, then `release` it; in any case do the last."""

    def __init__(self, connection: _Connection) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self._connection = connection

    @property
    def length_bytes(self) -> int | None:
        """The declared size of the body, if there is one."""
        value = self.headers.get(b"content-length")
        # The parser let only digits through.
        return int(value) if value is not None else None

    async def read(self) -> bytes:
        """Return what has arrived, waiting for something; nothing at the end. Raises `WireError`."""
        return await self._connection.read()

    def release(self) -> None:
        """Keep the connection if the answer was read to its end, else close it."""
        self._connection.release()


@dataclass(slots=True, eq=False)
class _Address:
    """What is known of one address for as long as it is used, and a little longer."""

    places: asyncio.Semaphore
    """One for each connection there may be."""
    calls: int = 0
    """Under way, or waiting for a place."""
    idle: deque[_Connection] = field(default_factory=deque)
    """Connections kept for the next call; some may have ended meanwhile."""


class Pool:
    """Connections by address, at most `connections` to each.

    An address that is not called any more is forgotten, and nothing is left open to it: miners
    come and go for as long as a client lives.
    """

    def __init__(self, connections: int) -> None:
        self._most = connections
        self._known: dict[tuple[str, int], _Address] = {}
        self._open: set[_Connection] = set()
        self._clock: asyncio.TimerHandle | None = None
        """Runs as long as there is something to wait for."""
        self._sweeper: asyncio.TimerHandle | None = None
        """Runs as long as there is an address to forget."""
        self._is_closed = False

    @property
    def opened(self) -> int:
        """Connections there are at this moment, busy ones included."""
        return len(self._open)

    @property
    def known(self) -> int:
        """Addresses that are remembered at this moment."""
        return len(self._known)

    async def send(self, endpoint: Endpoint, request: bytes, deadline: Deadline) -> Response:
        """Send a request; return its response once the head is there. Raises `WireError`.

        What is not read by the deadline cannot be read any more.
        """
        address = (endpoint.host, endpoint.port)
        here = self._known.get(address) or self._meet(address)
        here.calls += 1
        try:
            connection = None if here.places.locked() else _taken(here)
            if connection is not None:
                await here.places.acquire()
            else:
                connection = await self._wait_for(endpoint, here, deadline)
        except BaseException:
            here.calls -= 1
            raise
        if self._clock is None:
            self._clock = asyncio.get_running_loop().call_later(_TICK_S, self._tick)
        try:
            return await connection.send(endpoint, request, deadline)
        except BaseException:
            connection.release()
            raise

    async def close(self) -> None:
        """Close all connections. Requests under way fail."""
        self._is_closed = True
        if self._clock is not None:
            self._clock.cancel()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._open):
            connection.abort()
        # One turn of the loop, so that sockets are closed when this returns.
        await asyncio.sleep(0)

    def _meet(self, address: tuple[str, int]) -> _Address:
        here = self._known[address] = _Address(asyncio.Semaphore(self._most))
        if self._sweeper is None and not self._is_closed:
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(_KEEP_ALIVE_S, self._sweep)
        return here

    async def _wait_for(
        self, endpoint: Endpoint, here: _Address, deadline: Deadline
    ) -> _Connection:
        """Return a connection, when there is a place for it. Takes the place."""
        try:
            async with asyncio.timeout(deadline.remaining()):
                await here.places.acquire()
                try:
                    return _taken(here) or await self._connect(endpoint, here)
                except BaseException:
                    here.places.release()
                    raise
        except TimeoutError:
            raise _timeout(endpoint) from None

    async def _connect(self, endpoint: Endpoint, here: _Address) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(
                lambda: _Connection(self, here), endpoint.host, endpoint.port
            )
        except (OSError, ValueError, OverflowError) as error:
            # ValueError: of names and ports that are none.
            raise unreachable(endpoint, error) from error
        return connection

    def _tick(self) -> None:
        """Give up requests whose time is over; come again while there are others."""
        now_s, is_busy = time.monotonic(), False
        for connection in list(self._open):
            if connection.until_s < now_s:
                connection.expire()
            elif connection.until_s < math.inf:
                is_busy = True
        loop = asyncio.get_running_loop()
        self._clock = loop.call_later(_TICK_S, self._tick) if is_busy else None

    def _sweep(self) -> None:
        """Close what was kept long enough, and forget who is not called any more."""
        for address, here in list(self._known.items()):
            kept, here.idle = here.idle, deque()
            for connection in kept:
                if connection.is_fresh:
                    here.idle.append(connection)
                else:
                    connection.abort()
            if not here.idle and not here.calls:
                del self._known[address]
        loop = asyncio.get_running_loop()
        self._sweeper = loop.call_later(_KEEP_ALIVE_S, self._sweep) if self._known else None

    def _give_back(self, connection: _Connection, here: _Address) -> None:
        if self._is_closed:
            connection.abort()
        else:
            here.idle.append(connection)


def _taken(here: _Address) -> _Connection | None:
    """Take a connection that is kept, if one can still be used."""
    while here.idle:
        connection = here.idle.pop()
        if connection.is_fresh:
            return connection
        connection.abort()
    return None


class _Connection(asyncio.Protocol):
    """Knows one request's response at a time."""

    def __init__(self, pool: Pool, here: _Address) -> None:
        self._pool = pool
        self._here = here
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport = None  # type: ignore[assignment] # set before any use
        self._endpoint = Endpoint("", "", 0)
        self._response: Response | None = None
        self._has_head = False
        self._head_bytes = 0
        self._data: list[bytes] = []
        self._unread_bytes = 0
        self._is_complete = False
        self._keeps_alive = False
        self._is_lost = False
        self._is_paused = False
        self._is_spoiled = False
        """The miner sent what nobody asked for: no other request for it."""
        self._error: WireError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.until_s = math.inf
        """When the request under way is given up, on the monotonic clock."""
        self._idle_until_s = math.inf

    @property
    def is_fresh(self) -> bool:
        """It can take another request."""
        return not (self._is_lost or self._is_spoiled) and self._loop.time() < self._idle_until_s

    # one exchange

    async def send(self, endpoint: Endpoint, request: bytes, deadline: Deadline) -> Response:
        self._endpoint = endpoint
        self.until_s = deadline.at_s
        response = self._response = Response(self)
        self._has_head = self._is_complete = False
        self._head_bytes = self._unread_bytes = 0
        self._data = []
        self._transport.write(request)
        while not self._has_head:
            if self._error is not None:
                raise self._error
            await self._wait()
        return response

    async def read(self) -> bytes:
        while True:
            if self._data:
                data = self._data[0] if len(self._data) == 1 else b"".join(self._data)
                self._data.clear()
                self._unread_bytes = 0
                if self._is_paused and not self._is_lost:
                    self._is_paused = False
                    self._transport.resume_reading()
                return data
            if self._is_complete:
                return b""
            if self._error is not None:
                raise self._error
            await self._wait()

    def release(self) -> None:
        if self._response is None:
            return
        self._response = None
        self._here.calls -= 1
        self._here.places.release()
        self.until_s = math.inf
        is_whole = self._is_complete and not self._data and not self._is_lost
        if is_whole and not self._is_spoiled and self._keeps_alive:
            self._idle_until_s = self._loop.time() + _KEEP_ALIVE_S
            self._pool._give_back(self, self._here)  # noqa: SLF001 - its other half
        else:
            self.abort()

    def abort(self) -> None:
        self._transport.abort()

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def expire(self) -> None:
        """Called by the pool's clock after `until_s`."""
        self.until_s = math.inf
        self._fail(_timeout(self._endpoint))

    def _fail(self, error: WireError) -> None:
        if self._error is None and not self._is_complete:
            self._error = error
        self._transport.abort()
        self._wake()

    # what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # it is one
        self._pool._open.add(self)  # noqa: SLF001 - its other half

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        # It holds our methods: left in place, each connection would wait for the garbage collector.
        self._parser = None  # type: ignore[assignment] # nothing comes any more
        self._pool._open.discard(self)  # noqa: SLF001 - its other half
        if self._response is not None and not self._is_complete and self._error is None:
            headers = self._response.headers
            is_bounded = b"content-length" in headers or b"transfer-encoding" in headers
            if self._has_head and not is_bounded and exc is None:
                # Without a length, the end of the connection is the end of the answer.
                self._is_complete = True
            else:
                self._error = unreachable(self._endpoint, exc or ConnectionResetError())
        self._wake()

    def data_received(self, data: bytes) -> None:
        if self._response is None or self._is_complete:
            self._is_spoiled = True
            self._transport.abort()
            return
        if not self._has_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(malformed(self._endpoint, "the reply is not HTTP/1.1"))
            return
        if not self._has_head and self._head_bytes > _HEAD_BYTES:
            self._fail(malformed(self._endpoint, "the head of the reply has no end"))
        elif self._unread_bytes > _HIGH_BYTES and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    # what the parser calls

    def on_message_begin(self) -> None:
        self._is_spoiled |= self._is_complete

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._response is not None and not self._has_head:
            self._response.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        if self._response is not None and not self._is_spoiled:
            self._response.status = self._parser.get_status_code()
            self._has_head = True

    def on_body(self, data: bytes) -> None:
        if not self._is_spoiled:
            self._data.append(data)
            self._unread_bytes += len(data)

    def on_message_complete(self) -> None:
        self._is_complete = True
        # Asked here: once this returns, the parser has forgotten what the head said.
        self._keeps_alive = self._parser.should_keep_alive()


def _timeout(endpoint: Endpoint) -> Timeout:
    return Timeout(
        "timeout",
        f"No complete reply from {endpoint} before the deadline.",
        "Allow more time, or ask another miner.",
    )


def unreachable(endpoint: Endpoint, error: Exception) -> Unreachable:
    """Say that a miner cannot be reached, as error to raise."""
    return Unreachable(
        "unreachable",
        f"No connection to {endpoint}, or it broke: {type(error).__name__}.",
        "Ask another miner; this one is down, or its published endpoint is wrong.",
    )


def malformed(endpoint: Endpoint, what: str) -> Malformed:
    """Say that a miner does not keep to the protocol, as error to raise."""
    return Malformed(
        "malformed_reply",
        f"{endpoint} does not answer in the form of this protocol: {what}.",
        "Ask another miner.",
    )
