"""Signed request round trips between two processes, what they cost the miner, and what a refusal costs.

Three ways to load one miner process, whose own CPU time is read before and after:

- *pairs*: `WireClient` in this process, 1 KiB each way, 1, 16 and 64 at once. Each trip signs a
  request (caller), verifies it and signs a receipt (miner) and verifies that (caller). `kept` adds
  the caller's book: counter-signed and safe on disk before the next request; `session` has agreed on
  session keys first. Both sides cost about the same, so neither is ever busy, and what the miner pays
  includes falling asleep and waking up on cold caches each time.
- *busy*: the same requests, signed beforehand, from bare sockets, sixteen at once: the miner is never
  idle, so this is the CPU time that limits what one core serves.
- *refusals*: requests that are none, sent in the same way. All but `replayed` and `tampered` are
  decided before the body is read; of those only `forged` costs a verification.

The floor is one verification and one signature in the miner's process, in its own CPU time, taken
between the loads of each run; `floor_per_s` the rate at which one core does both sides' share.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import resource
import selectors
import socket
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

import bittensor_core
import uvloop

from mycelia.crypto import Scheme, verify
from mycelia.neuron.receipts import ReceiptBook
from mycelia.primitives import AccountId
from mycelia.wire import AllowSet, Endpoint, Inbound, WireClient, WireLimits, WireServer, btauth

BODY = b"x" * 1024
RUNS = 5
RUN_S = 0.8
BUSY = 1500
AT_ONCE = 16
MINER = "//bench-miner"
CALLER = "//bench-caller"
SIGNATURE = "X-Bittensor-Signature"
REFUSED = {
    "unknown": b"403",
    "unsigned": b"401",
    "oversized": b"413",
    "misdirected": b"403",
    "stale": b"401",
    "forged": b"401",
    "tampered": b"401",
    "replayed": b"401",
}
"""Kinds of refusals, and the status of each."""
# The bounds are on, but out of the way, on a machine that is busy with other things as well.
LIMITS = WireLimits(
    per_hotkey_s=1e5,
    burst=1e5,
    strikes=1e7,
    strikes_per_s=1e6,
    max_age_s=30,
    replay_entries=1_000_000,
)


def _keypair(uri: str) -> bittensor_core.Keypair:
    return bittensor_core.Keypair.create_from_uri(uri)


async def _echo(inbound: Inbound) -> bytes:
    return inbound.body


def _serve(pipe: Connection) -> None:
    """Miner process: says its port, then what its CPU time is, or what the floor costs it."""

    async def run() -> None:
        allowed = AllowSet([_keypair(CALLER).ss58_address])
        server = WireServer(_keypair(MINER), {"/echo": _echo}, allowed, LIMITS)
        pipe.send(await server.start("127.0.0.1", 0))
        answers = {"cpu_s": _cpu_s, "floor_s": _floor_s}
        while wanted := await asyncio.to_thread(pipe.recv):
            pipe.send(answers[wanted]())
        await server.stop()

    uvloop.run(run())


class _Bench:
    """The caller's side. `pipe` asks the miner."""

    def __init__(self, pipe: Connection, port: int, folder: Path) -> None:
        self._pipe = pipe
        self._address = ("127.0.0.1", port)
        self._endpoint = Endpoint(_keypair(MINER).ss58_address, *self._address)
        self._folder = folder
        self._figures: dict[str, list[float]] = {}

    async def run(self) -> dict[str, float]:
        await self._pairs(16, 0.3)
        for run in range(RUNS):
            self._note("load_1m", os.getloadavg()[0])
            book = ReceiptBook.open(self._folder / f"{run}.db", _keypair(CALLER))
            for concurrency in (1, 16, 64):
                await self._measure_pairs("", concurrency)
                await self._measure_pairs("kept_", concurrency, book=book)
            await self._measure_pairs("session_", 16, sessions=True)
            book.close()
            floor_s = self._ask("floor_s")
            busy_us = await asyncio.to_thread(self._busy, b"200", _accepted())
            self._note("floor_cpu_us", floor_s * 1e6)
            self._note("floor_per_s", 0.5 / floor_s)
            self._note("busy_server_cpu_us", busy_us)
            self._note("busy_over_floor", busy_us / floor_s / 1e6)
            for name, status in REFUSED.items():
                request = _refused(name)
                if name == "replayed":
                    await asyncio.to_thread(self._busy, b"200", [request])
                cpu_us = await asyncio.to_thread(self._busy, status, [request] * BUSY)
                self._note(f"refusal_{name}_cpu_us", cpu_us)
        return {name: round(statistics.median(of), 2) for name, of in self._figures.items()}

    async def _measure_pairs(self, kind: str, concurrency: int, **options: Any) -> None:
        miner_s, own_s, started_s = self._ask("cpu_s"), _cpu_s(), time.perf_counter()
        latencies_ms = await self._pairs(concurrency, RUN_S, **options)
        took_s, trips = time.perf_counter() - started_s, len(latencies_ms)
        miner_s, own_s = self._ask("cpu_s") - miner_s, _cpu_s() - own_s
        at = "" if concurrency == 16 else f"_c{concurrency}"
        self._note(f"{kind}round_trips{at}_per_s", trips / took_s)
        self._note(f"{kind}server{at}_cpu_us", miner_s / trips * 1e6)
        self._note(f"{kind}client{at}_cpu_us", own_s / trips * 1e6)
        self._note(f"{kind}p50{at}_ms", statistics.median(latencies_ms))
        self._note(f"{kind}p99{at}_ms", statistics.quantiles(latencies_ms, n=100)[98])

    async def _pairs(
        self,
        concurrency: int,
        seconds: float,
        *,
        sessions: bool = False,
        book: ReceiptBook | None = None,
    ) -> list[float]:
        """Latencies of as many round trips as there is time for."""
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

    def _busy(self, status: bytes, requests: list[bytes]) -> float:
        """The miner's CPU time per request, in microseconds, while it always has some waiting."""
        left, expected = list(requests), b"HTTP/1.1 " + status
        before_s = self._ask("cpu_s")
        with selectors.DefaultSelector() as selector:
            for _ in range(min(AT_ONCE, len(left))):
                self._connect(selector, left.pop())
            while selector.get_map():
                for key, _ in selector.select(5.0) or _silence():
                    sock: Any = key.fileobj
                    answer = sock.recv(65536)
                    if not answer.startswith(expected):
                        raise RuntimeError(f"not answered with {status!r}: {answer[:200]!r}")
                    if left and b"connection: close" not in answer:
                        sock.sendall(left.pop())
                        continue
                    selector.unregister(sock)
                    sock.close()
                    if left:
                        self._connect(selector, left.pop())
        return (self._ask("cpu_s") - before_s) / len(requests) * 1e6

    def _connect(self, selector: selectors.BaseSelector, request: bytes) -> None:
        sock = socket.create_connection(self._address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(request)
        selector.register(sock, selectors.EVENT_READ)

    def _ask(self, wanted: str) -> float:
        self._pipe.send(wanted)
        return float(self._pipe.recv())

    def _note(self, name: str, value: float) -> None:
        self._figures.setdefault(name, []).append(value)


def _signed(uri: str = CALLER, miner: str = MINER, age_s: float = 0.0) -> dict[str, str]:
    receiver, nonce_ns = _keypair(miner).ss58_address, time.time_ns() - int(age_s * 1e9)
    return btauth.sign_request(_keypair(uri), "/echo", BODY, receiver, nonce_ns).headers


def _accepted() -> list[bytes]:
    """Good requests, each with a nonce of its own."""
    caller, receiver = _keypair(CALLER), _keypair(MINER).ss58_address
    return [
        _post(btauth.sign_request(caller, "/echo", BODY, receiver).headers) for _ in range(BUSY)
    ]


def _refused(kind: str) -> bytes:
    """A request made just now and wrong in one way."""
    match kind:
        case "unknown":
            return _post(_signed("//bench-stranger"))
        case "unsigned":
            return _post({k: v for k, v in _signed().items() if k != SIGNATURE})
        case "oversized":
            return _post(_signed() | {"Content-Length": "100000000"}, b"")
        case "misdirected":
            return _post(_signed(miner="//bench-other-miner"))
        case "stale":
            return _post(_signed(age_s=3600))
        case "forged":
            return _post(_signed() | {SIGNATURE: _signed()[SIGNATURE]})
        case "tampered":
            return _post(_signed(), BODY[:-1] + b"y")
        case _:
            return _post(_signed())


def _post(headers: dict[str, str], body: bytes = BODY) -> bytes:
    headers = {"Host": "m", "Content-Length": str(len(body)), **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /echo HTTP/1.1\r\n{lines}\r\n".encode() + body


def _silence() -> NoReturn:
    raise RuntimeError("The miner does not answer.")


def _floor_s() -> float:
    """CPU time of one signature and one verification."""
    keypair = _keypair("//bench-floor")
    text, signer, count = b"x" * 300, AccountId(bytes(keypair.public_key)), 1000
    started_s = time.process_time()
    for _ in range(count):
        verify(text, keypair.sign(text), signer, Scheme.SR25519)
    return (time.process_time() - started_s) / count


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
            ours.send(None)
    finally:
        server.join(5)
        if server.is_alive():
            server.terminate()
    return figures


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
