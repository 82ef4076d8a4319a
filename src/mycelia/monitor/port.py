"""The small port of a process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from mycelia.monitor.metric import Metric, text_of
from mycelia.primitives.errors import AppError

_HOST = "127.0.0.1"
_HEAD_S = 5.0
_HEAD_BYTES = 8 * 1024


@dataclass(frozen=True)
class Health:
    """Whether a process does its work, and a few words on it."""

    is_well: bool
    state: str


@dataclass
class Monitor:
    """A small port of one process."""

    process: str
    metrics: Callable[[], Iterable[Metric]]
    health: Callable[[], Health]
    documents: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    """Further paths and what they show, as JSON."""
    port: int = 0
    """Known once it listens."""
    _server: asyncio.Server | None = None
    _since_s: float = field(default_factory=time.monotonic)

    async def start(self, port: int) -> int:
        """Listen on loopback; 0 takes a free port. Raises AppError if it is taken."""
        try:
            self._server = await asyncio.start_server(self._serve, _HOST, port, limit=_HEAD_BYTES)
        except OSError as error:
            raise AppError(
                "port_in_use",
                f"Port {port}, for the metrics of {self.process}, cannot be used: {error.strerror}.",
                "Stop the program that uses it, or choose another port.",
            ) from error
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    async def stop(self) -> None:
        """Stop listening."""
        if self._server:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with (
            contextlib.closing(writer),
            contextlib.suppress(
                OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
            ),
        ):
            async with asyncio.timeout(_HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._reply(head.split(b" ", 2)))
                await writer.drain()

    def _reply(self, request: list[bytes]) -> bytes:
        method, path = (request[0], request[1].decode("latin-1")) if len(request) > 2 else (b"", "")
        path = path.partition("?")[0]
        if method != b"GET":
            return _http(405, "text/plain", "Only GET is served here.\n")
        if path == "/metrics":
            text = text_of([*self._own(), *self.metrics()])
            return _http(200, "text/plain; version=0.0.4", text)
        if path == "/health":
            health = self.health()
            body = {"process": self.process, "well": health.is_well, "state": health.state}
            return _http(200 if health.is_well else 503, "application/json", json.dumps(body))
        if path in self.documents:
            return _http(200, "application/json", json.dumps(self.documents[path]()))
        return _http(404, "text/plain", "There are /metrics and /health.\n")

    def _own(self) -> Iterable[Metric]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        up_s = time.monotonic() - self._since_s
        yield Metric.one("mycelia_up_seconds", "Seconds since the process began.", up_s)
        yield Metric.one(
            "process_cpu_seconds_total", "Processor time.", usage.ru_utime + usage.ru_stime
        )
        yield Metric.one("mycelia_memory_peak_bytes", "Most memory ever resident.", peak)


def _http(status: int, kind: str, body: str) -> bytes:
    data = body.encode()
    head = f"HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + data
