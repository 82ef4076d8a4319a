"""Empty blocks per second in time warp, and how long a node takes from its start to block 1.

Blocks come from the solo engine, one after the other, in this process, on the whole runtime: at the development genesis
and with a subnet that earns and runs its epochs; with the state in memory, and on disk as an ephemeral node has it.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.network import SLOT_MS, subnet_network
from mycelia.chain import Chain, open_chain
from mycelia.engine import Solo
from mycelia.node.genesis import development_genesis
from mycelia.runtime import Rules
from mycelia.state import MemoryStore
from mycelia.state.lmdb import LmdbStore
from mycelia.txpool import Pool

RUNS = 5
STARTS = 3
RUN_S = 1.0
WARM_BLOCKS = 50


def run() -> dict[str, Any]:
    """Return medians over the runs."""
    with tempfile.TemporaryDirectory(prefix="mycelia-bench-") as folder:
        store = LmdbStore(Path(folder) / "db", sync=False)
        figures = {
            "empty_blocks_per_s": _blocks_per_s(_development(MemoryStore())),
            "subnet_blocks_per_s": _blocks_per_s(subnet_network().chain),
            "empty_blocks_on_disk_per_s": _blocks_per_s(_development(store)),
        }
        store.close()
    figures["node_start_ms"] = _median(_node_start_ms, STARTS)
    return {name: round(value, 1) for name, value in figures.items()}


def _development(store: MemoryStore | LmdbStore) -> Chain:
    return open_chain(store, development_genesis(), Rules(slot_ms=SLOT_MS))


def _blocks_per_s(chain: Chain) -> float:
    """The rate at which the engine alone seals empty blocks, each a slot after the one before."""
    engine = Solo(chain, Pool(height=chain.height), on_sealed=lambda _: None, clock_ms=lambda: 1)
    asyncio.run(engine.seal(WARM_BLOCKS))

    def once() -> float:
        async def seal() -> float:
            before, started = chain.height, time.perf_counter()
            while time.perf_counter() - started < RUN_S:
                await engine.seal(10)
            return (chain.height - before) / (time.perf_counter() - started)

        return asyncio.run(seal())

    return _median(once, RUNS)


def _node_start_ms() -> float:
    """From starting the program to its line that says that block 1 exists."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "mycelia.node", "--dev", "--fast", "--ephemeral"]
    with subprocess.Popen(
        [*command, "--rpc-port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            for line in process.stdout or ():
                if line.startswith(b"Imported #1"):
                    return (time.perf_counter() - started) * 1e3
        finally:
            process.terminate()
    raise RuntimeError("The node did not start.")


def _median(measure: Callable[[], float], runs: int) -> float:
    return statistics.median(measure() for _ in range(runs))


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
