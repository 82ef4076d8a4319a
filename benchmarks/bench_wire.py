"""Signed request round trips between two processes, what they cost, and what a refusal costs.

Each round trip signs a request (caller), verifies it (miner), signs a receipt (miner) and verifies
that (caller): two signatures and two verifications, over pooled HTTP/1.1 connections, 1 KiB each
way. `kept` adds the caller's book: counter-signed and safe on disk before the next request.
`session` has agreed on session keys first. The floor is how many of those quadruples one core does
with no network at all, in its own CPU time, measured in the same run.

Refusals come from a bare socket, one at a time; the miner's CPU time counts.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import resource
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import bittensor_core
import uvloop

from mycelia.neuron.receipts import ReceiptBook
from mycelia.wire import AllowSet, Endpoint, Inbound, WireClient, WireLimits, WireServer, btauth

BODY = b"x" * 1024
RUNS = 3
RUN_S = 1.5
REFUSALS = 1500
MINER = "//bench-miner"
CALLER = "//bench-caller"
# The bounds are on, but out of the way.
LIMITS = WireLimits(per_hotkey_s=1e5, burst=1e5, strikes=1e7, strikes_per_s=1e6)


def _keypair(uri: str) -> bittensor_core.Keypair:
    return bittensor_core.Keypair.create_from_uri(uri)


async def _echo(inbound: Inbound) -> bytes:
    return inbound.body


def _serve(pipe: Connection) -> None:
    """Miner process: says its port, then how much CPU time it used at each request for it."""

    async def run() -> None:
        allowed = AllowSet([_keypair(CALLER).ss58_address])
        server = WireServer(_keypair(MINER), {"/echo": _echo}, allowed, LIMITS)
        pipe.send(await server.start("127.0.0.1", 0))
        while await asyncio.to_thread(pipe.recv):
            pipe.send(_cpu_s())
        await server.stop()

    uvloop.run(run())


class _Bench:
    """The caller's side. `pipe` asks the miner for its CPU time."""

    def __init__(self, pipe: Connection, port: int, folder: Path) -> None:
        self._pipe = pipe
        self._port = port
        self._endpoint = Endpoint(_keypair(MINER).ss58_address, "127.0.0.1", port)
        self._folder = folder

    async def run(self) -> dict[str, float]:
        figures: dict[str, list[float]] = {}

        def note(name: str, value: float) -> None:
            figures.setdefault(name, []).append(value)

        await self._load(16, 0.3)
        for run in range(RUNS):
            note("floor_per_s", _floor_per_s())
            for concurrency in (1, 16, 64):
                await self._measure(note, "", concurrency)
            await self._measure(note, "session_", 16, sessions=True)
            book = ReceiptBook.open(self._folder / f"{run}.db", _keypair(CALLER))
            await self._measure(note, "kept_", 16, book=book)
            book.close()
            for name, request in _refused().items():
                before_s = self._miner_cpu_s()
                await asyncio.to_thread(self._refuse, request)
                note(f"refusal_{name}_cpu_us", (self._miner_cpu_s() - before_s) / REFUSALS * 1e6)
        return {name: round(statistics.median(values), 2) for name, values in figures.items()}

    async def _measure(
        self, note: Callable[[str, float], None], kind: str, concurrency: int, **options: Any
    ) -> None:
        miner_s, own_s, started_s = self._miner_cpu_s(), _cpu_s(), time.perf_counter()
        latencies_ms = await self._load(concurrency, RUN_S, **options)
        took_s, trips = time.perf_counter() - started_s, len(latencies_ms)
        miner_s, own_s = self._miner_cpu_s() - miner_s, _cpu_s() - own_s
        at = "" if concurrency == 16 else f"_c{concurrency}"
        note(f"{kind}round_trips{at}_per_s", trips / took_s)
        note(f"{kind}server{at}_cpu_us", miner_s / trips * 1e6)
        note(f"{kind}client{at}_cpu_us", own_s / trips * 1e6)
        note(f"{kind}p50{at}_ms", statistics.median(latencies_ms))
        note(f"{kind}p99{at}_ms", statistics.quantiles(latencies_ms, n=100)[98])

    async def _load(
        self,
        concurrency: int,
        seconds: float,
        *,
        sessions: bool = False,
        book: ReceiptBook | None = None,
    ) -> list[float]:
        until_s = time.perf_counter() + seconds
        latencies_ms: list[float] = []

        async with WireClient(_keypair(CALLER), sessions=sessions) as client:

            async def worker() -> None:
                while time.perf_counter() < until_s:
                    started_s = time.perf_counter()
                    outcome = await client.call(self._endpoint, "/echo", BODY, 10.0)
                    if book is not None:
                        await book.add("echo", 1, outcome.receipt)
                    latencies_ms.append((time.perf_counter() - started_s) * 1000)

            await asyncio.gather(*(worker() for _ in range(concurrency)))
        return latencies_ms

    def _refuse(self, request: bytes) -> None:
        """Send the same bad request over and over; connect anew whenever the miner hangs up."""
        sock = self._connected()
        for _ in range(REFUSALS):
            sock.sendall(request)
            answer = sock.recv(4096)
            if not answer.startswith((b"HTTP/1.1 40", b"HTTP/1.1 413")):
                raise RuntimeError(f"not refused: {answer[:40]!r}")
            if b"connection: close" in answer:
                sock.close()
                sock = self._connected()
        sock.close()

    def _connected(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self._port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def _miner_cpu_s(self) -> float:
        self._pipe.send(True)
        return float(self._pipe.recv())


def _refused() -> dict[str, bytes]:
    """One request of each kind, its body not sent."""
    signed = btauth.sign_request(_keypair(CALLER), "/echo", BODY, _keypair(MINER).ss58_address)
    strangers = btauth.sign_request(
        _keypair("//bench-stranger"), "/echo", BODY, _keypair(MINER).ss58_address
    )
    forged = signed.headers | {"X-Bittensor-Signature": "0x" + "4a" * 64}
    unsigned = {k: v for k, v in signed.headers.items() if k != "X-Bittensor-Signature"}
    return {
        "unknown": _post(strangers.headers, BODY),
        "unsigned": _post(unsigned, BODY),
        "oversized": _post(signed.headers | {"Content-Length": "100000000"}, b""),
        "forged": _post(forged, BODY),
    }


def _post(headers: dict[str, str], body: bytes) -> bytes:
    headers = {"Host": "m", "Content-Length": str(len(body)), **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /echo HTTP/1.1\r\n{lines}\r\n".encode() + body


def _floor_per_s() -> float:
    """Two signatures and two verifications, network not included, per second of CPU time."""
    keypair = _keypair("//bench-floor")
    text, address, count = b"x" * 300, keypair.ss58_address, 1000
    started_s = time.process_time()
    for _ in range(count):
        bittensor_core.verify(text, keypair.sign(text), address, keypair.crypto_type)
    return count / (time.process_time() - started_s) / 2


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def run() -> dict[str, Any]:
    """Return medians over the runs; without a suffix the concurrency is 16."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            figures = uvloop.run(_Bench(ours, ours.recv(), Path(folder)).run())
            ours.send(False)
    finally:
        server.join(5)
        if server.is_alive():
            server.terminate()
    return figures


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
