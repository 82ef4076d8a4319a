"""One response to a consumer: JSON at once, or events as they come."""

from __future__ import annotations

import asyncio

from mycelia.gateway.errors import ApiError
from mycelia.gateway.openai import error_event
from mycelia.wire import connection

KEEP_ALIVE_S = 10.0
_EVENT_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}


class Reply:
    """Sends a response once. `headers` go with it, whichever form it takes."""

    def __init__(self, reply: connection.Reply, headers: dict[str, str]) -> None:
        self.headers = headers
        self._reply = reply

    @property
    def status(self) -> int:
        """0 as long as nothing was sent."""
        return self._reply.status

    def whole(
        self, body: bytes, *, status: int = 200, content_type: str = "application/json"
    ) -> None:
        """Send a complete response."""
        self._reply.whole(status, lines(self.headers | {"content-type": content_type}), body)

    def error(self, error: ApiError) -> None:
        """Send an error as a response, or as the last event of a stream that has begun."""
        if self.status:
            self._reply.last(error_event(error))
            return
        self.headers |= error.headers()
        self.whole(error.body(), status=error.status)

    def begin_events(self, first: bytes) -> None:
        """Send the head of an event stream, and its first events."""
        self._reply.begin(200, lines(self.headers | _EVENT_HEADERS), first)

    async def write(self, data: bytes) -> None:
        """Send a part of the body, and wait while the consumer is behind with reading."""
        await self._reply.write(data)

    def last(self, data: bytes) -> None:
        """Send the last part of the body."""
        self._reply.last(data)

    def kept_alive(self) -> KeepAlive:
        """Send a comment now and then while this is entered: clients skip it, proxies see life."""
        return KeepAlive(self)


class KeepAlive:
    """A timer of the loop, since most streams end before it would ring: no task of its own."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._timer = self._loop.call_later(KEEP_ALIVE_S, self._comment)

    def __exit__(self, *error: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None:
            self._writing.cancel()

    def _comment(self) -> None:
        # While the consumer is behind with reading, one comment waits and no other follows.
        if self._writing is None or self._writing.done():
            self._writing = self._loop.create_task(self._reply.write(b": keep-alive\n\n"))
        self._timer = self._loop.call_later(KEEP_ALIVE_S, self._comment)


def lines(headers: dict[str, str]) -> bytes:
    """Encode headers as lines."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("latin-1")
