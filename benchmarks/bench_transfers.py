"""Signed transfers per second from WebSocket to committed block, beside the bare rate of verifying.

A node of its own runs on one core, a client on the other. The client has signed everything beforehand; it sends batches
of JSON-RPC over one WebSocket and stops the clock when the block with the last transfer is committed. Each signature is
verified once, by the node's RPC process. The floor is how many of these very signatures one core verifies and does
nothing else, taken on the node's core right before each run.

Three ways: `transfers` (RPC process and sealer share one core), `durable` (the same, each block synced to disk), and
`two_cores` (the sealer has a core for itself, the RPC process shares the other with the client). `cpu_us` is processor
time per transfer: it says the same on a busy machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from mycelia.crypto import Scheme, verify
from mycelia.testing.oracle import Person, compose

ACCOUNTS = 250
TRANSFERS = 12_000
"""Of one run; fewer than the pool holds, so that nothing is turned away."""
BATCH = 100
RUNS = 3
BLOCK_TIME_S = 0.25
ENDOWMENT_RAO = 10**15
VALUE_RAO = 1_000_000
START_S = 30.0
RUN_S = 120.0


@dataclass(frozen=True)
class Setting:
    """One way to run the node."""

    name: str
    is_durable: bool = False
    is_sealer_alone: bool = False


SETTINGS = (
    Setting("transfers"),
    Setting("durable", is_durable=True),
    Setting("two_cores", is_sealer_alone=True),
)


@dataclass
class Node:
    """A node that runs, and the files it runs on."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    @property
    def pids(self) -> tuple[int, int]:
        """Sealer and RPC process."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return self.process.pid, int(children.split()[0])

    def cpu_s(self) -> tuple[float, float]:
        """Processor time that each has used."""
        ticks = os.sysconf("SC_CLK_TCK")
        stats = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2] for pid in self.pids)
        sealer, rpc = (sum(map(int, stat.split()[11:13])) / ticks for stat in stats)
        return sealer, rpc


@contextmanager
def node(setting: Setting, people: list[Person], cores: tuple[int, int]) -> Iterator[Node]:
    """Run a node on the first core; the sealer's alone, if the setting says so."""
    with tempfile.TemporaryDirectory(prefix="mycelia-bench-") as name:
        folder = Path(name)
        balances = {person.address: str(ENDOWMENT_RAO) for person in people}
        genesis = folder / "genesis.json"
        genesis.write_text(json.dumps({"sudo": people[0].address, "balances_rao": balances}))
        where = ["--base-path", str(folder / "chain")] if setting.is_durable else ["--ephemeral"]
        arguments = ["--genesis", str(genesis), *where, "--block-time", str(BLOCK_TIME_S)]
        log = folder / "node.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", "mycelia.node", "--rpc-port", "0", *arguments],
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
        try:
            port = _port(process, log)
            made = Node(process, port, folder)
            sealer, rpc = made.pids
            os.sched_setaffinity(sealer, {cores[0]})
            os.sched_setaffinity(rpc, {cores[1] if setting.is_sealer_alone else cores[0]})
            yield made
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(START_S)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    ends = time.monotonic() + START_S
    while time.monotonic() < ends and process.poll() is None:
        text = log.read_text()
        found = re.search(r"rpc_serving port=(\d+)", text)
        if found and "Imported #1" in text:
            return int(found[1])
        time.sleep(0.02)
    raise RuntimeError(f"The node did not start:\n{log.read_text()[-2_000:]}")


@dataclass
class Client:
    """The sending side: people with their nonces, and one WebSocket."""

    people: list[Person]
    socket: aiohttp.ClientWebSocketResponse
    genesis_hash: bytes
    nonces: list[int] = field(default_factory=lambda: [0] * ACCOUNTS)

    def sign(self, count: int) -> list[bytes]:
        """Signed transfers, each account's in order, to its neighbour."""
        signed = []
        calls = [
            compose("Balances", "transfer_keep_alive", dest=person.address, value=VALUE_RAO)
            for person in (*self.people[1:], self.people[0])
        ]
        for number in range(count):
            who = number % len(self.people)
            signed.append(
                self.people[who].sign(
                    calls[who], nonce=self.nonces[who], genesis_hash=self.genesis_hash
                )
            )
            self.nonces[who] += 1
        return signed

    async def send(self, signed: list[bytes], head: int) -> float:
        """Hand all in; seconds from the first byte to the commit of the last."""
        frames = [_batch(signed[at : at + BATCH]) for at in range(0, len(signed), BATCH)]
        await self.ask("chain_subscribeNewHeads")
        started = time.perf_counter()
        sending = asyncio.create_task(self._send_all(frames))
        included, admitted = 0, 0
        while included < len(signed):
            message = orjson.loads((await self.socket.receive(RUN_S)).data)
            if isinstance(message, list):
                refused = [reply["error"] for reply in message if "error" in reply]
                if refused:
                    raise RuntimeError(f"{len(refused)} transfers refused: {refused[0]}")
                admitted += len(message)
            elif message.get("method") == "chain_newHead":
                took = time.perf_counter() - started
                await self.socket.send_bytes(_request("mycelia_stats", [], "stats"))
            elif message.get("id") == "stats":
                included = message["result"]["sealer"]["included"] - head
        await sending
        if admitted != len(signed):
            raise RuntimeError(f"{admitted} of {len(signed)} were answered.")
        return took

    async def _send_all(self, frames: list[bytes]) -> None:
        for frame in frames:
            await self.socket.send_bytes(frame)

    async def ask(self, method: str, *params: Any) -> Any:
        """The result of one method, while nothing else is under way."""
        await self.socket.send_bytes(_request(method, list(params), "ask"))
        while True:
            message = orjson.loads((await self.socket.receive(RUN_S)).data)
            if isinstance(message, dict) and message.get("id") == "ask":
                return message["result"]


def _request(method: str, params: list[Any], id_: Any) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": id_, "method": method, "params": params})


def _batch(signed: list[bytes]) -> bytes:
    parts = (
        _request("author_submitExtrinsic", ["0x" + raw.hex()], number)
        for number, raw in enumerate(signed)
    )
    return b"[" + b",".join(parts) + b"]"


async def _drive(running: Node, people: list[Person], cores: tuple[int, int]) -> dict[str, float]:
    """Medians of the runs on one node."""
    runs: list[dict[str, float]] = []
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"ws://127.0.0.1:{running.port}", max_msg_size=0, compress=0) as socket,
    ):
        client = Client(people, socket, b"")
        client.genesis_hash = bytes.fromhex((await client.ask("chain_getBlockHash", 0))[2:])
        await client.send(client.sign(1_000), 0)  # not counted: everything is warm after it
        for _ in range(RUNS):
            signed = client.sign(TRANSFERS)
            floor = _floor_per_s(cores)
            before = (await client.ask("mycelia_stats"))["sealer"]["included"]
            sealer_s, rpc_s = running.cpu_s()
            rate = TRANSFERS / await client.send(signed, before)
            sealer_us, rpc_us = (
                (after - begun) / TRANSFERS * 1e6
                for after, begun in zip(running.cpu_s(), (sealer_s, rpc_s), strict=True)
            )
            runs.append({"per_s": rate, "floor": floor, "sealer_us": sealer_us, "rpc_us": rpc_us})
        await _must_have_moved(client)
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


async def _must_have_moved(client: Client) -> None:
    """Every nonce is what we signed up to: each transfer was applied, none twice."""
    for person, nonce in zip(client.people, client.nonces, strict=True):
        found = await client.ask("account_nextIndex", person.address)
        if found != nonce:
            raise RuntimeError(f"{person.uri}: expected nonce {nonce}, found {found}.")


def _floor_per_s(cores: tuple[int, int]) -> float:
    """Signatures that the node's core verifies in a second and nothing else."""
    person = Person("//bench/floor")
    message = b"x" * 140
    signature, count = bytes(person.key.sign(message)), 4_000
    os.sched_setaffinity(0, {cores[0]})
    started = time.perf_counter()
    for _ in range(count):
        verify(message, signature, person.account, Scheme.SR25519)
    took = time.perf_counter() - started
    os.sched_setaffinity(0, {cores[1]})
    return count / took


def _cores() -> tuple[int, int]:
    """The node's core and the client's; the same one where there is no other."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def run() -> dict[str, Any]:
    """Return medians over the runs of each setting; `floor_per_s` is verification alone."""
    everywhere, cores = os.sched_getaffinity(0), _cores()
    people = [Person(f"//bench/{number}") for number in range(ACCOUNTS)]
    figures: dict[str, Any] = {}
    floors = []
    try:
        for setting in SETTINGS:
            os.sched_setaffinity(0, {cores[1]})
            with node(setting, people, cores) as running:
                medians = asyncio.run(_drive(running, people, cores))
            figures[f"{setting.name}_per_s"] = round(medians["per_s"], 1)
            figures[f"{setting.name}_sealer_cpu_us"] = round(medians["sealer_us"], 1)
            figures[f"{setting.name}_rpc_cpu_us"] = round(medians["rpc_us"], 1)
            floors.append(medians["floor"])
    finally:
        os.sched_setaffinity(0, everywhere)
    return {**figures, "floor_per_s": round(statistics.median(floors), 1), "runs": RUNS}


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
