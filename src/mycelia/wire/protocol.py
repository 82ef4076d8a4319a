"""The HTTP parser of a public port: bounds what uvicorn's leaves open before a request exists.

Three things happen before any application code can object: the head of a request grows without
end, it trickles in forever, or it is no HTTP at all. Each ends in one short JSON answer and a
closed connection. So does a connection beyond the limit.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mycelia.wire.contract import WireLimits
from mycelia.wire.errors import Rejection


def error_body(code: str, message: str, remedy: str) -> bytes:
    """Encode the JSON that goes with every error status of this protocol."""
    return json.dumps({"code": code, "message": message, "remedy": remedy}).encode()


def guarded_protocol(limits: WireLimits) -> type[HttpToolsProtocol]:
    """Make a protocol class for `uvicorn.Config(http=...)` that keeps these limits."""
    return type("GuardedProtocol", (_GuardedProtocol,), {"limits": limits})


class _GuardedProtocol(HttpToolsProtocol):
    limits: WireLimits

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(
                Rejection(
                    503,
                    "too_many_connections",
                    "This port holds as many connections as it may.",
                    "Try again later, and reuse connections.",
                    retry_after_s=1,
                )
            )
            return
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > self.limits.head_bytes:
            self._refuse(
                Rejection(
                    431,
                    "head_too_large",
                    f"The request line and headers exceed {self.limits.head_bytes} bytes.",
                    "Send fewer and shorter headers.",
                )
            )
        elif self._head_timer is None:
            self._arm()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._disarm()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Answer bytes that are not HTTP; `msg` is the parser's and stays inside."""
        self._refuse(
            Rejection(
                400,
                "not_http",
                "The bytes received are not an HTTP/1.1 request.",
                "Speak plain HTTP/1.1 to this port, with requests signed by btauth/1.",
            )
        )

    def _arm(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.head_s, self._head_expired)

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_expired(self) -> None:
        self._refuse(
            Rejection(
                408,
                "head_timeout",
                f"No complete request head arrived within {self.limits.head_s:g} s.",
                "Open the connection when there is something to send, and send it at once.",
            )
        )

    def _refuse(self, why: Rejection) -> None:
        if self.transport.is_closing():
            return
        body = error_body(why.code, why.message, why.remedy)
        retry = f"retry-after: {why.retry_after_s}\r\n" if why.retry_after_s else ""
        head = (
            f"HTTP/1.1 {why.status} {HTTPStatus(why.status).phrase}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"{retry}connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
