"""A JSON-RPC client for tests that hides nothing of the protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp
import orjson

ANSWER_S = 60.0


class RpcFailure(Exception):
    """An error reply."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(str(error))
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: Any = error.get("data")


@dataclass
class RpcClient:
    """One WebSocket to a node."""

    socket: aiohttp.ClientWebSocketResponse
    news: dict[str, asyncio.Queue[Any]] = field(default_factory=dict)
    _ids: Any = field(default_factory=count)

    async def call(self, method: str, *params: Any) -> Any:
        """The result of a method; raises `RpcFailure`."""
        id_ = next(self._ids)
        request = {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}
        reply = await self.ask(request)
        if "error" in reply:
            raise RpcFailure(reply["error"])
        return reply["result"]

    async def ask(self, message: Any) -> Any:
        """The reply to a message as it is; bytes are sent raw. News on the way are put aside."""
        raw = message if isinstance(message, bytes) else orjson.dumps(message)
        await self.socket.send_bytes(raw)
        return await self.reply()

    async def reply(self) -> Any:
        """The next message that is no news."""
        while True:
            message = await self._receive()
            if not isinstance(message, dict) or "params" not in message:
                return message
            self._keep(message)

    async def next_news(self, subscription: str) -> Any:
        """The next result told under a subscription."""
        queue = self.news.setdefault(subscription, asyncio.Queue())
        while queue.empty():
            message = await self._receive()
            if "params" not in message:
                raise AssertionError(f"a reply nobody waits for: {message}")
            self._keep(message)
        return queue.get_nowait()

    def _keep(self, message: dict[str, Any]) -> None:
        params = message["params"]
        queue = self.news.setdefault(params["subscription"], asyncio.Queue())
        queue.put_nowait(params["result"])

    async def _receive(self) -> Any:
        async with asyncio.timeout(ANSWER_S):
            message = await self.socket.receive()
        if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            raise ConnectionError(f"the node closed the connection: {message}")
        return orjson.loads(message.data)


@asynccontextmanager
async def rpc_client(url: str) -> AsyncIterator[RpcClient]:
    """A connection of its own to the node at `url`."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, max_msg_size=0) as socket,
    ):
        yield RpcClient(socket)
