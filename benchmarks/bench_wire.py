"""Signed request round trips per second between two processes, beside the bare cost of signing.

Each round trip signs a request (caller), verifies it (miner), signs a receipt (miner) and verifies
that (caller): two signatures and two verifications, over a pooled HTTP/1.1 connection. The floor
is how many such quadruples one core does with no network at all, measured in the same run.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import resource
import statistics
import time
from multiprocessing.connection import Connection
from typing import Any

import bittensor_core
import uvloop

from mycelia.wire import AllowSet, Endpoint, Inbound, WireClient, WireLimits, WireServer

CONCURRENCY = 16
BODY = b"x" * 1024
RUNS = 5
RUN_S = 2.0


async def _echo(inbound: Inbound) -> bytes:
    return inbound.body


def _serve(pipe: Connection) -> None:
    """Miner process: says its port, then how much CPU time it used at each request for it."""

    async def run() -> None:
        miner = bittensor_core.Keypair.create_from_uri("//bench-miner")
        caller = bittensor_core.Keypair.create_from_uri("//bench-caller")
        server = WireServer(
            miner,
            {"/echo": _echo},
            AllowSet([caller.ss58_address]),
            WireLimits(per_hotkey_s=1e5, burst=1e5),
        )
        pipe.send(await server.start("127.0.0.1", 0))
        while await asyncio.to_thread(pipe.recv):
            pipe.send(_cpu_s())
        await server.stop()

    uvloop.run(run())


async def _drive(pipe: Connection) -> list[dict[str, float]]:
    port = pipe.recv()
    miner = bittensor_core.Keypair.create_from_uri("//bench-miner")
    endpoint = Endpoint(miner.ss58_address, "127.0.0.1", port)
    runs = []
    async with WireClient(bittensor_core.Keypair.create_from_uri("//bench-caller")) as client:
        await _load(client, endpoint, 0.5)
        for _ in range(RUNS):
            floor = _floor_per_s()
            pipe.send(True)
            server_cpu_s, client_cpu_s = pipe.recv(), _cpu_s()
            started_s = time.perf_counter()
            latencies_ms = await _load(client, endpoint, RUN_S)
            took_s = time.perf_counter() - started_s
            pipe.send(True)
            server_cpu_s, client_cpu_s = pipe.recv() - server_cpu_s, _cpu_s() - client_cpu_s
            trips = len(latencies_ms)
            runs.append(
                {
                    "round_trips_per_s": trips / took_s,
                    "p50_ms": statistics.median(latencies_ms),
                    "p99_ms": statistics.quantiles(latencies_ms, n=100)[98],
                    "server_cpu_us": server_cpu_s / trips * 1e6,
                    "client_cpu_us": client_cpu_s / trips * 1e6,
                    "floor_per_s": floor,
                }
            )
    pipe.send(False)
    return runs


async def _load(client: WireClient, endpoint: Endpoint, seconds: float) -> list[float]:
    until_s = time.perf_counter() + seconds
    latencies_ms: list[float] = []

    async def worker() -> None:
        while time.perf_counter() < until_s:
            outcome = await client.call(endpoint, "/echo", BODY, 10.0)
            latencies_ms.append(outcome.total_ms)

    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
    return latencies_ms


def _floor_per_s() -> float:
    """Two signatures and two verifications per second on this core, network not included."""
    keypair = bittensor_core.Keypair.create_from_uri("//bench-floor")
    text, address, count = b"x" * 300, keypair.ss58_address, 1000
    started_s = time.perf_counter()
    for _ in range(count):
        bittensor_core.verify(text, keypair.sign(text), address, keypair.crypto_type)
    return count / (time.perf_counter() - started_s) / 2


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def run() -> dict[str, Any]:
    """Return medians over the runs; `floor_per_s` is the crypto alone, on one core."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    try:
        runs = uvloop.run(_drive(ours))
    finally:
        server.join(5)
        if server.is_alive():
            server.terminate()
    return {name: round(statistics.median(r[name] for r in runs), 2) for name in runs[0]}


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
