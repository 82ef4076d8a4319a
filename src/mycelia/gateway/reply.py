"""One response to a consumer: JSON at once, or events as they come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from mycelia.gateway.errors import ApiError
from mycelia.gateway.openai import error_event
from mycelia.wire.listener import Send

KEEP_ALIVE_S = 10.0
_EVENT_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}


class Reply:
    """Sends a response once. `headers` go with it, whichever form it takes."""

    def __init__(self, send: Send, headers: dict[str, str]) -> None:
        self.headers = headers
        self.status = 0
        """0 as long as nothing was sent."""
        self._send = send

    async def whole(
        self, body: bytes, *, status: int = 200, content_type: str = "application/json"
    ) -> None:
        """Send a complete response."""
        await self._start(status, {"content-type": content_type, "content-length": str(len(body))})
        await self._send({"type": "http.response.body", "body": body})

    async def error(self, error: ApiError) -> None:
        """Send an error as a response, or as the last event of a stream that has begun.

        Not yet its end: see `end`.
        """
        if self.status:
            await self.write(error_event(error))
            return
        if error.retry_after_s is not None:
            self.headers["retry-after"] = str(error.retry_after_s)
        if error.status == 413:
            self.headers["connection"] = "close"
        body = error.body()
        await self._start(
            error.status, {"content-type": "application/json", "content-length": str(len(body))}
        )
        await self.write(body)

    async def begin_events(self) -> None:
        """Send the head of an event stream."""
        await self._start(200, _EVENT_HEADERS)

    async def write(self, data: bytes) -> None:
        """Send a part of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """Send the end of the body."""
        await self._send({"type": "http.response.body", "body": b""})

    @contextlib.asynccontextmanager
    async def kept_alive(self) -> AsyncIterator[None]:
        """Send a comment now and then, which clients skip and proxies count as life."""

        async def comments() -> None:
            while True:
                await asyncio.sleep(KEEP_ALIVE_S)
                await self.write(b": keep-alive\n\n")

        task = asyncio.create_task(comments())
        try:
            yield
        finally:
            task.cancel()

    async def _start(self, status: int, more: dict[str, str]) -> None:
        self.status = status
        headers = [(k.encode(), v.encode()) for k, v in (self.headers | more).items()]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
