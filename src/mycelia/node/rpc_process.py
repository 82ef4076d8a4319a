"""The RPC process: `python -m mycelia.node.rpc_process LISTENER_FD LINK_FD LOG_LEVEL`.

Started by the node and by nothing else. It lives as long as the link: when the sealer goes, so does it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Any, Final

import orjson
import uvloop

from mycelia.chain.header import decode_header
from mycelia.crypto import blake2_256
from mycelia.node.link import Kind, SealerClient, decode_sealed
from mycelia.node.logs import set_up_logging
from mycelia.rpc import ChainInfo, Fate, Listener, Node, RpcServer, Sealed
from mycelia.rpc.hub import Hub
from mycelia.state.lmdb import LmdbStore

log = logging.getLogger("mycelia.rpc")

_REPORT_S: Final = 1.0


class RpcProcess:
    """A store to read, a link to the sealer, a server."""

    def __init__(self, listener: socket.socket, link: socket.socket) -> None:
        self._listener = listener
        self._link = link
        self._node: Node | None = None
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Serve until the sealer is gone or a signal asks to stop."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._over.set)
        sealer = SealerClient(self._on_news, self._over.set)
        await loop.create_connection(lambda: sealer.link, sock=self._link)
        with contextlib.suppress(ConnectionError):
            await self._serve(sealer, await sealer.start())

    async def _serve(self, sealer: SealerClient, start: dict[str, Any]) -> None:
        store = LmdbStore(Path(start["store"]), archive=start["archive"], readonly=True)
        hub = Hub(lambda keys: [store.head().get(key) for key in keys])
        info = ChainInfo(start["chain"], start["kind"], start["version"])
        node = self._node = Node(store, sealer, info, hub)
        node.runtime_at(None).metadata(15)  # built before the first client waits for it
        server = RpcServer(node)
        await server.start(self._listener)
        log.info("rpc_serving port=%s", self._listener.getsockname()[1])
        reporting = asyncio.create_task(_report(sealer, hub, server))
        try:
            await self._over.wait()
        finally:
            reporting.cancel()
            await asyncio.wait({reporting})
            await server.stop()
            store.close()

    def _on_news(self, kind: Kind, _ticket: int, payload: bytes) -> None:
        if self._node is not None:
            deliver(self._node, kind, payload)


async def _report(sealer: SealerClient, hub: Hub, server: RpcServer) -> None:
    """Tell the node every second what this process does, until the link is gone."""
    with contextlib.suppress(ConnectionError):
        while True:
            usage = resource.getrusage(resource.RUSAGE_SELF)
            cpu_s = usage.ru_utime + usage.ru_stime
            await sealer.report({**hub.counters(), **server.counters(), "cpu_seconds": cpu_s})
            await asyncio.sleep(_REPORT_S)


def deliver(listener: Listener, kind: Kind, payload: bytes) -> None:
    """Tell what a frame of news says."""
    if kind in (Kind.SEALED, Kind.REVERTED):
        header, included = decode_sealed(payload)
        sealed = Sealed(decode_header(header), blake2_256(header), included)
        if kind is Kind.SEALED:
            listener.on_sealed(sealed)
        else:
            listener.on_reverted(sealed)
    elif kind is Kind.FATES:
        for hash_, status, by in orjson.loads(payload):
            listener.on_fate(Fate(bytes.fromhex(hash_), status, bytes.fromhex(by) if by else None))


def main(arguments: list[str]) -> None:
    """Run on inherited sockets."""
    listener_fd, link_fd, level = int(arguments[0]), int(arguments[1]), arguments[2]
    set_up_logging(level)

    async def run() -> None:
        await RpcProcess(socket.socket(fileno=listener_fd), socket.socket(fileno=link_fd)).run()

    uvloop.run(run())


if __name__ == "__main__":
    main(sys.argv[1:])
