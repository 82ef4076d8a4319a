"""What clients wait for: 200 of them asking while blocks are made, and the SDK's metagraph of 256 neurons.

The node runs in processes of its own, sealing four blocks a second. Each client has a WebSocket and asks five times a
second, on a beat of its own, for what wallets and validators ask for; a late answer doesn't put off the next question.
The clients share one process, so that on a machine with few cores their own work is part of what they wait.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from benchmarks.network import NETUID, subnet_network
from mycelia.state.lmdb import LmdbStore
from mycelia.testing.live import LiveNode
from mycelia.testing.oracle import Person

CLIENTS = 200
ASKED_PER_S = 5
RUN_S = 10.0
WARM_S = 2.0
PATIENCE_S = 3.0
VALIDATORS, MINERS = 64, 192
METAGRAPHS = 9
ACCOUNT = "0x26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9"


def run() -> dict[str, Any]:
    """Return milliseconds: median and 99th percentile of all answers, and the median metagraph."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="mycelia-bench-") as name:
        folder = Path(name)
        with LiveNode(folder) as node:
            times = asyncio.run(_crowd(node.url))
        figures["answers_per_s"] = round(len(times) / RUN_S, 1)
        figures["answer_ms"] = round(statistics.median(times), 2)
        figures["answer_p99_ms"] = round(statistics.quantiles(times, n=100)[98], 2)
        store = LmdbStore(folder / "chain" / "db", sync=False)
        subnet_network(store, validators=VALIDATORS, miners=MINERS, tempo_blocks=20)
        store.close()
        with LiveNode(folder, ("--dev", "--fast", "--base-path", str(folder / "chain"))) as node:
            figures |= asyncio.run(_metagraph(node.url, folder))
    return figures


async def _crowd(url: str) -> list[float]:
    """How long each answer took, in milliseconds, warming up left out."""
    times: list[float] = []
    people = [Person(f"//crowd/{number}").address for number in range(CLIENTS)]
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            json_serialize=lambda o: orjson.dumps(o).decode(),
        ) as http,
        asyncio.TaskGroup() as group,
    ):
        begins = time.perf_counter() + WARM_S
        for number, address in enumerate(people):
            group.create_task(_client(http, url, address, random.Random(number), begins, times))
    return times


async def _client(
    http: aiohttp.ClientSession,
    url: str,
    address: str,
    rng: random.Random,
    begins: float,
    times: list[float],
) -> None:
    """One client: questions on its beat, answers as they come."""
    sent: dict[int, float] = {}
    async with http.ws_connect(url, max_msg_size=0, compress=0) as socket:
        listening = asyncio.create_task(_listen(socket, sent, begins, times))
        beat_s = 1 / ASKED_PER_S
        due = time.perf_counter() + rng.random() * beat_s
        number = 0
        while due < begins + RUN_S:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            method, params = _question(rng, address)
            # From when it was due: a client that is held up does not make the node look quick.
            sent[number] = due
            await socket.send_bytes(
                orjson.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
            )
            number += 1
            due += beat_s
        await asyncio.sleep(PATIENCE_S)
        listening.cancel()
        if sent:
            raise RuntimeError(f"{len(sent)} questions were not answered in {PATIENCE_S} s.")


async def _listen(
    socket: aiohttp.ClientWebSocketResponse,
    sent: dict[int, float],
    begins: float,
    times: list[float],
) -> None:
    async for message in socket:
        now = time.perf_counter()
        reply = orjson.loads(message.data)
        if "error" in reply:
            raise RuntimeError(f"refused: {reply['error']}")
        due = sent.pop(reply["id"])
        if due >= begins:
            times.append((now - due) * 1e3)


def _question(rng: random.Random, address: str) -> tuple[str, list[Any]]:
    match rng.randrange(6):
        case 0:
            return "chain_getHeader", []
        case 1:
            return "chain_getBlock", []
        case 2:
            return "system_accountNextIndex", [address]
        case 3:
            return "state_getKeysPaged", [ACCOUNT, 10, ACCOUNT]
        case 4:
            return "state_getRuntimeVersion", []
        case _:
            return "state_getStorage", [ACCOUNT + "00" * 16]


async def _metagraph(url: str, folder: Path) -> dict[str, float]:
    """Medians of reading all neurons: through the SDK, and of the runtime call alone."""
    os.environ["BITTENSOR_RUNTIME_CACHE_DIR"] = str(folder / "cache")
    import bittensor as bt

    times: dict[str, list[float]] = {"metagraph_256_ms": [], "metagraph_call_ms": []}
    async with bt.Client(url) as client, aiohttp.ClientSession() as http:
        for _ in range(METAGRAPHS):
            started = time.perf_counter()
            graph = await client.subnets.metagraph(NETUID)
            times["metagraph_256_ms"].append((time.perf_counter() - started) * 1e3)
            if len(graph.neurons) != VALIDATORS + MINERS:
                raise RuntimeError(f"{len(graph.neurons)} neurons in the metagraph.")
            await asyncio.sleep(0.3)  # another block, so that nothing is remembered
            call = ["SubnetInfoRuntimeApi_get_metagraph", "0x0100"]
            request = {"jsonrpc": "2.0", "id": 1, "method": "state_call", "params": call}
            started = time.perf_counter()
            async with http.post(url.replace("ws", "http", 1), json=request) as reply:
                await reply.read()
            times["metagraph_call_ms"].append((time.perf_counter() - started) * 1e3)
            await asyncio.sleep(0.3)
    return {name: round(statistics.median(found), 1) for name, found in times.items()}


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
