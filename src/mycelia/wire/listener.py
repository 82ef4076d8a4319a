"""One TCP port that serves an application, within limits and without side effects.

Several processes may share a port: the kernel then spreads connections over them. Whatever they
must agree on (which requests were seen) is the application's to share.
"""

from __future__ import annotations

import asyncio
import socket
import time
from email.utils import formatdate
from functools import lru_cache

from mycelia.primitives.errors import AppError
from mycelia.wire.buckets import Buckets
from mycelia.wire.connection import Application, Connection, Port
from mycelia.wire.contract import WireLimits

_GRACE_S = 1.0
_BACKLOG = 512
_TICK_S = 0.025
"""How much later than due a connection is given up, or a handler cancelled, at most."""


class Listener:
    """Serves one application on one port from `start` to `stop`."""

    def __init__(self, application: Application, limits: WireLimits) -> None:
        self._application = application
        self._limits = limits
        self._server: asyncio.Server | None = None
        self._port: Port | None = None
        self._clock: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int, *, shared: bool = False) -> int:
        """Listen, and return the port (0 chooses a free one). Raises `AppError` if taken.

        `shared` lets other processes of this user listen on the same port.
        """
        listening = bound_socket(host, port, shared=shared, backlog=_BACKLOG)
        loop = asyncio.get_running_loop()
        strikes = Buckets(self._limits.strikes_per_s, self._limits.strikes)
        now = _date(int(time.time()))
        here = self._port = Port(self._application, self._limits, loop, strikes, now)
        self._clock = asyncio.create_task(self._watch(here))
        self._server = await loop.create_server(
            lambda: Connection(here), sock=listening, backlog=_BACKLOG
        )
        return int(listening.getsockname()[1])

    async def stop(self) -> None:
        """Stop listening; requests under way get one second, then they are cancelled."""
        server, port, clock = self._server, self._port, self._clock
        self._server = self._port = self._clock = None
        if server is None or port is None or clock is None:
            return
        server.close()
        clock.cancel()
        busy = [task for c in list(port.connections) if (task := c.retire()) is not None]
        if busy:
            await asyncio.wait(busy, timeout=_GRACE_S)
        for connection in list(port.connections):
            connection.abort()
        # One turn of the loop, so that what was cancelled ends before the loop may.
        await asyncio.sleep(0)

    async def _watch(self, port: Port) -> None:
        """Give up what has taken too long: bodies, handlers, callers. One timer for all of them."""
        while True:
            await asyncio.sleep(_TICK_S)
            now_s, port.date = time.monotonic(), _date(int(time.time()))
            for connection in [c for c in port.connections if c.expires_s < now_s]:
                connection.expire()


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()


def bound_socket(host: str, port: int, *, shared: bool, backlog: int | None) -> socket.socket:
    """Bind a TCP socket, and listen if a backlog is given. Raises `AppError` if it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Naming the protocol makes asyncio switch Nagle's delay off for accepted connections.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        if backlog is not None:
            sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise AppError(
            "port_unavailable",
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            "Stop the program that uses this port, or choose another port.",
        ) from error
    sock.setblocking(False)
    return sock
