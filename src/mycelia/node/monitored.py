"""What a node shows to whoever watches over it: measures of sealing, pool, disk and RPC, and its health."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final

from mycelia.monitor import Health, Metric, Monitor
from mycelia.node.config import NodeConfig
from mycelia.node.sealer import Sealer

log = logging.getLogger("mycelia.node")

_LATE_SLOTS: Final = 10
_LATE_S: Final = 10.0
"""A node whose last block is older than both doesn't do its work."""

_COUNTERS: Final = (
    ("blocks", "mycelia_blocks_total", "Blocks sealed since the start."),
    ("included", "mycelia_extrinsics_included_total", "Extrinsics that entered a block."),
    ("admitted", "mycelia_extrinsics_admitted_total", "Extrinsics let into the pool."),
    ("refused", "mycelia_extrinsics_refused_total", "Extrinsics not let into the pool."),
    (
        "rejected",
        "mycelia_extrinsics_rejected_total",
        "Extrinsics dropped from the pool by a block.",
    ),
    ("waiting", "mycelia_pool_extrinsics", "Extrinsics that wait."),
    ("waiting_bytes", "mycelia_pool_bytes", "Size of the extrinsics that wait."),
    ("last_block_extrinsics", "mycelia_last_block_extrinsics", "Extrinsics in the newest block."),
)
_OF_RPC: Final = (
    ("sessions", "mycelia_rpc_sessions", "Open WebSocket connections."),
    ("answered", "mycelia_rpc_answered_total", "RPC requests answered."),
    ("failed", "mycelia_rpc_failed_total", "RPC requests answered with an error."),
    ("head_subscriptions", "mycelia_rpc_head_subscriptions", "Followers of heads."),
    ("storage_subscriptions", "mycelia_rpc_storage_subscriptions", "Followers of storage keys."),
    ("watched_extrinsics", "mycelia_rpc_watched_extrinsics", "Extrinsics that are followed."),
    ("cpu_seconds", "mycelia_rpc_cpu_seconds_total", "Processor time of the RPC process."),
)


@contextlib.asynccontextmanager
async def monitored(sealer: Sealer, store: Path, config: NodeConfig) -> AsyncIterator[None]:
    """Show a node's state on its monitor port meanwhile, if it has one. Raises AppError if it is taken."""
    if config.monitor_port is None:
        yield
        return
    slot_s = None if config.is_manual else config.block_time_s
    monitor = Monitor("node", lambda: metrics(sealer, store), lambda: health(sealer, slot_s))
    log.info("monitor_listening port=%d", await monitor.start(config.monitor_port))
    try:
        yield
    finally:
        await monitor.stop()


def metrics(sealer: Sealer, store: Path) -> Iterable[Metric]:
    """Every measure of the node; those of RPC come from its process, at most a second old."""
    stats = sealer.stats()
    yield Metric.one("mycelia_block_height", "Number of the newest block.", stats["height"])
    # One author, and news only of what is durable: a block that anybody hears of is final.
    yield Metric.one(
        "mycelia_finalized_height", "Number of the newest final block.", stats["height"]
    )
    for key, name, about in _COUNTERS:
        yield Metric.one(name, about, stats[key])
    yield Metric.one(
        "mycelia_sealing_seconds_total", "Spent on making blocks.", stats["sealing_ms"] / 1000
    )
    yield Metric.one(
        "mycelia_last_block_seconds", "What the newest block took.", stats["last_block_ms"] / 1000
    )
    yield Metric.one("mycelia_store_bytes", "Size of the store on disk.", _size_bytes(store))
    reports = sealer.rpc_reports
    yield Metric.one("mycelia_rpc_processes", "Linked RPC processes.", len(reports))
    for key, name, about in _OF_RPC:
        yield Metric.one(name, about, sum(report.get(key, 0) for report in reports))


def health(sealer: Sealer, slot_s: float | None) -> Health:
    """Whether blocks come and RPC answers. `slot_s` is None where blocks come by order only."""
    if not sealer.rpc_reports:
        return Health(is_well=False, state="there is no RPC process")
    height = sealer.stats()["height"]
    if slot_s is not None:
        since_s = time.monotonic() - sealer.sealed_at_s
        if since_s > max(_LATE_S, _LATE_SLOTS * slot_s):
            return Health(is_well=False, state=f"no block after {height} for {since_s:.0f} s")
    return Health(is_well=True, state=f"block {height}")


def _size_bytes(store: Path) -> int:
    """What the files of a folder take on disk."""
    total = 0
    with contextlib.suppress(OSError):
        for path in store.iterdir():
            total += path.stat().st_blocks * 512
    return total
