"""Several processes that serve one port, for miners that one core does not suffice.

Each process runs the same function, with its own event loop and its own models; the kernel spreads
connections over them. What they share is one file: the memory of accepted requests, without which
a request could be replayed to the worker next door.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path

from mycelia.wire.listener import bound_socket
from mycelia.wire.shared_replay import SharedReplays

_GRACE_S = 3.0
_LEAST_LIFE_S = 1.0
"""A worker that dies younger is started again only after this time."""


@dataclass(frozen=True)
class Worker:
    """What a worker is told: where to listen, and the memory it shares with the others.

    Listen with `WireServer(..., replays=worker.replays())` and `start(host, port, shared=True)`.
    """

    number: int
    host: str
    port: int
    replay_file: Path
    window_s: float = 12.0
    entries: int = 200_000

    def replays(self) -> SharedReplays:
        """Open the common memory. The window must be that of the server's limits."""
        return SharedReplays(self.replay_file, self.window_s, self.entries)


Body = Callable[[Worker], None]
"""Serves until SIGTERM. Importable by name, for it runs in a fresh interpreter."""


class Workers:
    """Keeps `count` processes alive that serve one port. `start`, then `watch` until cancelled."""

    def __init__(
        self, body: Body, count: int, host: str, port: int, replay_file: Path | None = None
    ) -> None:
        self._body = body
        self._count = count
        self._host = host
        self._port = port
        self._replay_file = replay_file
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._reserved: socket.socket | None = None
        self._processes: dict[int, SpawnProcess] = {}
        self._born_s: dict[int, float] = {}
        self._context: SpawnContext = multiprocessing.get_context("spawn")
        self.restarts = 0

    def start(self) -> int:
        """Start all workers and return the port. Raises `AppError` when it is taken."""
        # Bound but not listening: it keeps the port ours, and no caller waits in its queue.
        self._reserved = bound_socket(self._host, self._port, shared=True, backlog=None)
        self._port = int(self._reserved.getsockname()[1])
        if self._replay_file is None:
            self._folder = tempfile.TemporaryDirectory(prefix="mycelia-port-")
            self._replay_file = Path(self._folder.name) / "replays"
        for number in range(self._count):
            self._spawn(number)
        return self._port

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that live."""
        return [p.pid for p in self._processes.values() if p.pid is not None and p.is_alive()]

    async def watch(self) -> None:
        """Replace workers that died, forever."""
        while True:
            for number, process in list(self._processes.items()):
                is_young = time.monotonic() - self._born_s[number] < _LEAST_LIFE_S
                if not process.is_alive() and not is_young:
                    self.restarts += 1
                    self._spawn(number)
            await asyncio.sleep(0.1)

    def stop(self) -> None:
        """End all workers: asked first, then killed."""
        for process in self._processes.values():
            process.terminate()
        until_s = time.monotonic() + _GRACE_S
        for process in self._processes.values():
            process.join(max(0.0, until_s - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        self._processes.clear()
        if self._reserved is not None:
            self._reserved.close()
        if self._folder is not None:
            self._folder.cleanup()

    def _spawn(self, number: int) -> None:
        if self._replay_file is None:
            return
        worker = Worker(number, self._host, self._port, self._replay_file)
        process = self._context.Process(
            target=self._body, args=(worker,), name=f"worker-{number}", daemon=True
        )
        process.start()
        self._processes[number] = process
        self._born_s[number] = time.monotonic()
