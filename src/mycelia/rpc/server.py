"""The listening side: WebSocket and HTTP on one port.

POST takes one JSON-RPC message, GET with an upgrade opens a WebSocket, GET alone answers how the node is. Messages and
connections are bounded; a peer that doesn't read what it asked for is cut off, see `mycelia.rpc.session`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from dataclasses import dataclass, field
from typing import Final

from aiohttp import WSMsgType, web

from mycelia.rpc.dispatch import Dispatcher
from mycelia.rpc.node import Node
from mycelia.rpc.session import Session, SessionLimits

log = logging.getLogger("mycelia.rpc")

_TRY_AGAIN: Final = 1013
_SHUTDOWN_S: Final = 1.0
_TURN_S: Final = 0.01
"""For so long one connection's requests are answered before others get a turn."""


@dataclass(frozen=True)
class ServerLimits:
    """Bounds of the whole server. A message holds many extrinsics in hex."""

    message_bytes: int = 12 * 1024 * 1024
    connections: int = 1_024
    idle_s: float = 60.0
    """Of a WebSocket: between two signs of life."""
    request_s: float = 15.0
    """Of HTTP: for a request's head to come, for its body after that, and between two requests."""
    session: SessionLimits = field(default_factory=SessionLimits)


class RpcServer:
    """Serves one node on a socket that listens already."""

    def __init__(self, node: Node, limits: ServerLimits | None = None) -> None:
        self.limits = limits or ServerLimits()
        self._node = node
        self._dispatcher = Dispatcher(node)
        self._sessions: dict[Session, web.WebSocketResponse] = {}
        self._runner: web.AppRunner | None = None
        node.counters = self.counters

    async def start(self, listener: socket.socket) -> None:
        """Begin to serve."""
        app = web.Application(client_max_size=self.limits.message_bytes)
        app.router.add_get("/", self._get)
        app.router.add_get("/health", self._health)
        app.router.add_post("/", self._post)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=_SHUTDOWN_S,
            keepalive_timeout=self.limits.request_s,
        )
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()

    async def stop(self) -> None:
        """Close all connections and stop serving."""
        for session, socket_ in list(self._sessions.items()):
            session.end()
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(_SHUTDOWN_S):
                    await socket_.close(code=1001, message=b"The node stops.")
        if self._runner is not None:
            await self._runner.cleanup()

    def counters(self) -> dict[str, int]:
        """What this process did and holds."""
        return {
            "sessions": len(self._sessions),
            "answered": self._dispatcher.answered,
            "failed": self._dispatcher.failed,
        }

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"height": self._node.history.height(), **self.counters()})

    async def _post(self, request: web.Request) -> web.Response:
        # Browsers send this type across sites only where the server agrees; it does not.
        if request.content_type != "application/json":
            return web.Response(status=415, text="Send application/json.\n")
        try:
            async with asyncio.timeout(self.limits.request_s):
                message = await request.read()
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=408, text="The body did not come.\n")
        reply = self._dispatcher.handle(message, None)
        if isinstance(reply, asyncio.Future):
            reply = await reply
        if reply is None:
            return web.Response(status=204)
        return web.Response(body=reply, content_type="application/json")

    async def _get(self, request: web.Request) -> web.StreamResponse:
        socket_ = web.WebSocketResponse(
            max_msg_size=self.limits.message_bytes,
            heartbeat=self.limits.idle_s,
            compress=False,
            decode_text=False,
            timeout=_SHUTDOWN_S,
        )
        if not socket_.can_prepare(request):
            return web.Response(text="mycelia: JSON-RPC over WebSocket, or POST to this address.\n")
        if len(self._sessions) >= self.limits.connections:
            return web.Response(status=503, text="Too many connections.\n")
        await socket_.prepare(request)
        transport = request.transport
        session = Session(
            close=transport.abort if transport is not None else _nothing,
            limits=self.limits.session,
        )
        self._sessions[session] = socket_
        writer = asyncio.create_task(_write(socket_, session))
        try:
            await self._read(socket_, session)
        finally:
            del self._sessions[session]
            session.end()
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
        return socket_

    async def _read(self, socket_: web.WebSocketResponse, session: Session) -> None:
        handle = self._dispatcher.handle
        now_s = asyncio.get_running_loop().time
        turn_ends_s = now_s() + _TURN_S
        async for message in socket_:  # which doesn't wait where several have come at once
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            reply = handle(message.data, session)
            if isinstance(reply, bytes):
                session.send(reply)
            elif reply is not None:
                session.begin()
                reply.add_done_callback(lambda done: session.finish(done.result()))
            if session.is_busy:
                await session.room()
            if now_s() >= turn_ends_s:
                await asyncio.sleep(0)
                turn_ends_s = now_s() + _TURN_S


async def _write(socket_: web.WebSocketResponse, session: Session) -> None:
    """Send what is queued until the session is over."""
    while not session.is_closed:
        frames = await session.next_frames()
        try:
            for frame in frames:
                await socket_.send_frame(frame, WSMsgType.TEXT)
        except ConnectionError:
            session.end()
        session.sent(frames)


def _nothing() -> None:
    return
