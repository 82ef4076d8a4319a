"""One TCP port that serves an ASGI application, within limits and without side effects.

uvicorn does the work. What it would do to the process that embeds it (signal handlers, logging
configuration) is left out, and a taken port is an error of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import uvicorn

from mycelia.primitives.errors import AppError
from mycelia.wire.contract import WireLimits
from mycelia.wire.hangup import Receive
from mycelia.wire.protocol import guarded_protocol

# ASGI leaves messages and scopes untyped.
Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_KEEP_ALIVE_S = 75
_GRACE_S = 1


class Listener:
    """Serves one application on one port from `start` to `stop`.

    Of the limits, those on heads and connections are kept here; the rest is the application's.
    """

    def __init__(self, application: Application, limits: WireLimits) -> None:
        self._application = application
        self._limits = limits
        self._server: _Server | None = None
        self._running: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port (0 chooses a free one). Raises `AppError` if taken."""
        listening = _bound_socket(host, port)
        config = uvicorn.Config(
            self._application,
            http=guarded_protocol(self._limits),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_GRACE_S,
            backlog=512,
        )
        self._server = _Server(config)
        # The socket listens already: callers that come early wait in its queue.
        self._running = asyncio.create_task(self._server.serve(sockets=[listening]))
        return int(listening.getsockname()[1])

    async def stop(self) -> None:
        """Stop listening; requests under way get one second, then they are cancelled."""
        server, running = self._server, self._running
        self._server = self._running = None
        if server is not None and running is not None:
            server.should_exit = True
            await running


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process that embeds it has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bound_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Naming the protocol makes asyncio switch Nagle's delay off for accepted connections.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(512)
    except OSError as error:
        sock.close()
        raise AppError(
            "port_unavailable",
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            "Stop the program that uses this port, or choose another port.",
        ) from error
    sock.setblocking(False)
    return sock
