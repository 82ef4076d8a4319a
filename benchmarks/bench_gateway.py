"""What a consumer's request costs the gateway, beside a bare relay in the same run.

The gateway does all it can do: keys, routing over four miners, metering, signing, receipts checked,
counter-signed and safe on disk, attested claims compared. The relay is thirty lines of aiohttp: it
checks one key and passes bytes on to one server, which is the least that a door can cost.

One process each for gateway, relay, and the miners with the relay's upstream; the load comes from
bare sockets. A unary answer is one chat completion. A stream has 64 pieces, which the miner sends
in one burst, or paced, 10 ms apart, as models do. CPU time per request is the door's own process, its
thread that writes receipts included, at concurrency 1 and 16.

A loaded machine makes all of it dearer, so each figure also stands as a multiple of two others of
the same run: the relay's, and what the three signatures of a request alone cost (one made for the
miner, one of the miner's checked, one made beside it).
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import bittensor_core
import uvloop
from aiohttp import web

from mycelia.gateway import Dispatcher, Gateway, Keys, Meter, Metrics, Route, Router
from mycelia.gateway.keys import Account, digest_of
from mycelia.gateway.process import settle_memory
from mycelia.neuron.routes import Traffic, routes
from mycelia.subnets.text import SPEC, Answer, Ask, Piece, Text
from mycelia.wire import AllowSet, Endpoint, WireClient, WireLimits, WireServer
from mycelia.wire.listener import Listener

MINERS = 4
PIECES = 64
PAUSE_S = 0.01
RUNS = 3
RUN_S = 2.0
WAYS = (("unary", 1), ("unary", 16), ("stream", 1), ("stream", 16), ("paced", 16))
SLOWLY = "Say something, please, and take your time."
KEY = "bench-key"
CLAIM = b"c" * 32
LIMITS = WireLimits(per_hotkey_s=1e5, burst=1e5, inflight=256)


def _keypair(name: str) -> bittensor_core.Keypair:
    return bittensor_core.Keypair.create_from_uri(f"//bench-{name}")


async def _recite(ask: Ask) -> AsyncIterator[Piece]:
    """One piece, or as many as tokens were asked for: as a model does it, one by one."""
    pause_s = PAUSE_S if ask.messages[-1].content == SLOWLY else 0.0
    for number in range(ask.max_tokens):
        if pause_s:
            await asyncio.sleep(pause_s)
        final = number == ask.max_tokens - 1
        yield Piece(
            text="word ",
            tokens=(number,),
            finish="length" if final else None,
            prompt_tokens=5 if final else 0,
        )


async def _miners(pipe: Connection) -> None:
    """Four miners, and a server that says the same to the relay without any signature."""
    ports = []
    for number in range(MINERS):
        allowed = AllowSet([_keypair("gateway").ss58_address])
        handlers = routes(Text, Text.miner(_recite), Traffic())
        server = WireServer(_keypair(f"miner{number}"), handlers, allowed, LIMITS)
        server.claim = CLAIM
        ports.append(await server.start("127.0.0.1", 0))

    async def plain(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if not body.get("stream"):
            return web.json_response(Answer(text="word ", tokens=(1,), finish="stop").model_dump())
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        pause_s = PAUSE_S if body["messages"][-1]["content"] == SLOWLY else 0.0
        for _ in range(PIECES):
            if pause_s:
                await asyncio.sleep(pause_s)
            await response.write(b'data: {"choices":[{"delta":{"content":"word "}}]}\n\n')
        await response.write(b"data: [DONE]\n\n")
        return response

    ports.append(await _site(plain))
    pipe.send(ports)
    await asyncio.Event().wait()


async def _gateway(pipe: Connection, ports: list[int], folder: str) -> None:
    found = [
        Route(
            Endpoint(_keypair(f"miner{number}").ss58_address, "127.0.0.1", port),
            "text", 1, number, 1.0, epoch=1, claim=CLAIM,
        )
        for number, port in enumerate(ports[:MINERS])
    ]  # fmt: skip

    class Found:
        def routes(self, subnet: str) -> list[Route]:  # noqa: ARG002 - there is one
            return found

        def withheld(self, subnet: str) -> int:  # noqa: ARG002 - none is
            return 0

    metrics, signer = Metrics(), _keypair("gateway")
    meter = Meter.open(Path(folder) / "gateway.db", [signer], metrics)
    keys = Keys({digest_of(KEY.encode()): Account("bench", per_minute=1e8)})
    async with WireClient(signer) as caller:
        dispatcher = Dispatcher(Found(), caller, Router(), metrics)
        gateway = Gateway([SPEC], Found(), dispatcher, metrics, LIMITS, keys=keys, meter=meter)
        pipe.send(await Listener(gateway, LIMITS).start("127.0.0.1", 0))
        settle_memory()
        await _report_cpu(pipe)


async def _relay(pipe: Connection, ports: list[int], folder: str) -> None:
    del folder
    upstream = f"http://127.0.0.1:{ports[MINERS]}/"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def relay(request: web.Request) -> web.StreamResponse:
            if request.headers.get("authorization") != f"Bearer {KEY}":
                return web.Response(status=401)
            async with session.post(upstream, data=await request.read()) as answer:
                if answer.content_type != "text/event-stream":
                    return web.Response(body=await answer.read(), content_type=answer.content_type)
                response = web.StreamResponse(headers={"content-type": "text/event-stream"})
                await response.prepare(request)
                async for data in answer.content.iter_any():
                    await response.write(data)
                return response

        pipe.send(await _site(relay))
        await _report_cpu(pipe)


async def _site(handler: Any) -> int:
    """Serve one handler on a free port."""
    application = web.Application()
    application.router.add_post("/{path:.*}", handler)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return int(runner.addresses[0][1])


async def _report_cpu(pipe: Connection) -> None:
    while await asyncio.to_thread(pipe.recv):
        pipe.send(_cpu_s())


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _signatures_us() -> float:
    """CPU time of the three signatures that a request takes."""
    ours, miner = _keypair("gateway"), _keypair("miner0")
    text, count, before_s = b"t" * 300, 200, _cpu_s()
    for _ in range(count):
        ours.sign(text)
        signature = miner.sign(text)
        bittensor_core.verify(text, signature, miner.ss58_address, miner.crypto_type)
    return (_cpu_s() - before_s) / count * 1e6


def _main(body: Any, *arguments: Any) -> None:
    uvloop.run(body(*arguments))


def _request(way: str) -> bytes:
    stream = way != "unary"
    text = SLOWLY if way == "paced" else "Say something, please."
    body = json.dumps(
        {
            "model": SPEC.openai_model,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": PIECES if stream else 1,
            "stream": stream,
        }
    ).encode()
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


async def _load(port: int, concurrency: int, way: str, run_s: float) -> list[float]:
    """Milliseconds of each answer."""
    request, until_s = _request(way), time.perf_counter() + run_s
    latencies_ms: list[float] = []

    async def worker() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < until_s:
            started_s = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head)
            if way != "unary":
                await reader.readuntil(b"0\r\n\r\n")
            else:
                length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
                await reader.readexactly(int(length))
            latencies_ms.append((time.perf_counter() - started_s) * 1000)
        writer.close()

    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return latencies_ms


def _measure(pipes: dict[str, Connection], ports: dict[str, int]) -> dict[str, float]:
    figures: dict[str, list[float]] = {}

    def cpu_s(door: str) -> float:
        pipes[door].send(True)
        return float(pipes[door].recv())

    for run in range(RUNS + 1):
        # The first run warms caches and connections.
        run_s = RUN_S if run else RUN_S / 4
        signatures_us = _signatures_us()
        for way, concurrency in WAYS:
            used_us: dict[str, float] = {}
            for door, port in ports.items():
                before_s = cpu_s(door)
                latencies_ms = uvloop.run(_load(port, concurrency, way, run_s))
                used_us[door] = (cpu_s(door) - before_s) / len(latencies_ms) * 1e6
                found = {"cpu_us": used_us[door], "p50_ms": statistics.median(latencies_ms)}
                if door == "gateway":
                    found["of_the_relay"] = used_us["gateway"] / used_us["relay"]
                    found["of_the_signatures"] = used_us["gateway"] / signatures_us
                for name, value in found.items() if run else ():
                    figures.setdefault(f"{door}_{way}_c{concurrency}_{name}", []).append(value)
        if run:
            figures.setdefault("signatures_us", []).append(signatures_us)
            figures.setdefault("load", []).append(os.getloadavg()[0])
    return {name: round(statistics.median(values), 2) for name, values in figures.items()}


def run() -> dict[str, Any]:
    """Return medians over the runs."""
    context = multiprocessing.get_context("spawn")
    processes = []

    def started(body: Any, *arguments: Any) -> Connection:
        ours, theirs = context.Pipe()
        process = context.Process(target=_main, args=(body, theirs, *arguments), daemon=True)
        process.start()
        processes.append(process)
        return ours

    with tempfile.TemporaryDirectory() as folder:
        try:
            miners = started(_miners)
            ports = miners.recv()
            pipes = {
                "relay": started(_relay, ports, folder),
                "gateway": started(_gateway, ports, folder),
            }
            return _measure(pipes, {door: pipe.recv() for door, pipe in pipes.items()})
        finally:
            for process in processes:
                process.terminate()
                process.join(5)


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
