"""How a node starts on a chain with a million accounts: seconds to its first answer, and the memory of both processes.

The chain is made beforehand, in this process. Times are of a folder that the system has read before.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from mycelia.chain import open_chain
from mycelia.primitives import AccountId, Tao
from mycelia.runtime import GenesisConfig, Rules
from mycelia.state.lmdb import LmdbStore
from mycelia.testing.live import LiveNode
from mycelia.testing.network import rpc_client
from mycelia.testing.oracle import Person

ACCOUNTS = 1_000_000
STARTS = 3


def run() -> dict[str, Any]:
    """Return medians: `start_ms` until a balance is answered, `memory_mb` of sealer and RPC together."""
    with tempfile.TemporaryDirectory(prefix="mycelia-bench-") as name:
        folder = Path(name)
        started = time.perf_counter()
        _make(folder / "chain" / "db")
        made_s = time.perf_counter() - started
        runs = [_start(folder) for _ in range(STARTS)]
        size_mb = (folder / "chain" / "db" / "data.mdb").stat().st_blocks * 512 / 1e6
    return {
        "start_ms": round(statistics.median(start for start, _ in runs), 1),
        "memory_mb": round(statistics.median(memory for _, memory in runs), 1),
        "genesis_s": round(made_s, 1),
        "disk_mb": round(size_mb, 1),
    }


def _make(path: Path) -> None:
    balances = {
        AccountId(number.to_bytes(4, "big") * 8): Tao(10**9 + number) for number in range(ACCOUNTS)
    }
    alice = Person("//Alice").account
    balances[alice] = Tao(10**15)
    store = LmdbStore(path, sync=False)
    open_chain(store, GenesisConfig(balances=balances, sudo=alice), Rules(slot_ms=250))
    store.close()


def _start(folder: Path) -> tuple[float, float]:
    """Milliseconds to the first answer about an account, and MB then."""
    started = time.perf_counter()
    with LiveNode(folder, ("--dev", "--fast", "--base-path", str(folder / "chain"))) as node:
        asyncio.run(_ask(node.url))
        took_ms = (time.perf_counter() - started) * 1e3
        children = Path(f"/proc/{node.pid}/task/{node.pid}/children").read_text().split()
        memory_kb = sum(_private_kb(pid) for pid in (str(node.pid), *children))
    return took_ms, memory_kb / 1e3


def _private_kb(pid: str) -> int:
    """What a process has for itself; what is mapped from the store's file belongs to the system."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


async def _ask(url: str) -> None:
    async with rpc_client(url) as client:
        if await client.call("account_nextIndex", Person("//Alice").address) != 0:
            raise RuntimeError("The account is not as it was made.")


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
