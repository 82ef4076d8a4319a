"""The RPC process as the node sees it: started, linked to the sealer, started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from typing import Final

from mycelia.node.sealer import Sealer

log = logging.getLogger("mycelia.node")

_BACKOFF_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
_LIVED_S: Final = 30.0
"""A process that lived this long is started again at once."""
_STOP_S: Final = 1.5


class RpcChild:
    """The RPC process of one listening socket, which stays open here: clients wait out a restart."""

    def __init__(self, listener: socket.socket, log_level: str) -> None:
        self._listener = listener
        self._log_level = log_level
        self._process: asyncio.subprocess.Process | None = None
        self._ours: socket.socket | None = None

    async def start(self) -> None:
        """Start the process; it waits for the link to speak."""
        ours, theirs = socket.socketpair()
        with theirs:
            fds = (self._listener.fileno(), theirs.fileno())
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "mycelia.node.rpc_process",
                *map(str, fds),
                self._log_level,
                pass_fds=fds,
                # A terminal's Ctrl-C is for us; we tell the child when it is its turn.
                start_new_session=True,
            )
        ours.setblocking(False)
        self._ours = ours

    async def serve(self, sealer: Sealer) -> None:
        """Connect the process to the sealer."""
        ours, self._ours = self._ours, None
        if ours is not None:
            await asyncio.get_running_loop().create_connection(sealer.link, sock=ours)

    async def supervise(self, sealer: Sealer) -> None:
        """Start the process again whenever it ends."""
        failures = 0
        loop = asyncio.get_running_loop()
        while self._process is not None:
            began = loop.time()
            code = await self._process.wait()
            failures = 0 if loop.time() - began > _LIVED_S else failures + 1
            pause_s = _BACKOFF_S[min(failures, len(_BACKOFF_S)) - 1] if failures else 0.0
            log.error("rpc_ended code=%d restart_in_s=%.1f", code, pause_s)
            await asyncio.sleep(pause_s)
            await self.start()
            await self.serve(sealer)

    async def stop(self) -> None:
        """End the process, gently first."""
        process, self._process = self._process, None
        if self._ours is not None:
            self._ours.close()
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()
