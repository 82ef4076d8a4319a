"""A whole node: sealer in this process, RPC in a child that is started again if it dies."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mycelia import __version__
from mycelia.chain import Budget, open_chain
from mycelia.engine import Sealing, SoloConfig
from mycelia.node.beacon import Rounds, beacon_secret, with_beacon
from mycelia.node.config import NodeConfig
from mycelia.node.genesis import load_genesis, localnet_genesis
from mycelia.node.monitored import monitored
from mycelia.node.rpc_child import RpcChild
from mycelia.node.sealer import Sealer
from mycelia.primitives import AppError
from mycelia.state.lmdb import LmdbStore
from mycelia.txpool import Limits, Pool

log = logging.getLogger("mycelia.node")

_BACKLOG: Final = 512
_INHERENT_BYTES: Final = 64
"""More than the time of a block takes."""


def run_node(config: NodeConfig) -> None:
    """Run a node until SIGINT or SIGTERM; raises `AppError` if it can't start."""
    asyncio.run(_run(config))


async def _run(config: NodeConfig) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await serve(config, stop)


async def serve(config: NodeConfig, stop: asyncio.Event) -> None:
    """Run a node until `stop` is set."""
    with listening(config.host, config.rpc_port) as listener, _folder(config) as folder:
        child = RpcChild(listener, config.log_level)
        # Started first: it imports on another core while the chain is opened.
        await child.start()
        store = None
        try:
            is_durable = config.base_path is not None
            store = LmdbStore(folder, archive=config.archive, sync=is_durable)
            secret = beacon_secret(folder.parent) if config.local_beacon else None
            sealer = _sealer(config, folder, store, listener, secret)
            rounds = None if secret is None else sealer.rounds_of(secret)
            await child.serve(sealer)
            async with monitored(sealer, folder, config):
                await until_stopped(sealer, child, stop, rounds)
        finally:
            await child.stop()
            if store is not None:
                store.close()
            log.info("node_stopped")


async def until_stopped(
    sealer: Sealer, child: RpcChild, stop: asyncio.Event, rounds: Rounds | None = None
) -> None:
    """Run engine and supervisor; whichever fails takes the node down with its error."""
    stopping = asyncio.create_task(stop.wait())
    work = [
        asyncio.create_task(sealer.solo.run()),
        asyncio.create_task(sealer.obey()),
        asyncio.create_task(sealer.broken()),
        asyncio.create_task(child.supervise(sealer)),
        *((asyncio.create_task(rounds.run()),) if rounds is not None else ()),
    ]
    try:
        pending = set(work)
        while not stopping.done():
            done, _ = await asyncio.wait({stopping, *pending}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()
                pending.discard(task)
    finally:
        for task in (stopping, *work):
            task.cancel()
        await asyncio.gather(stopping, *work, return_exceptions=True)


def _sealer(
    config: NodeConfig,
    folder: Path,
    store: LmdbStore,
    listener: socket.socket,
    secret: bytes | None,
) -> Sealer:
    genesis = load_genesis(config.genesis) if config.genesis else localnet_genesis()
    if secret is not None:
        genesis = with_beacon(genesis, secret)
    chain = open_chain(store, genesis, config.rules)
    log.info(
        "node_started height=%d genesis=0x%s port=%d store=%s version=%s",
        chain.height,
        chain.genesis_hash.hex(),
        listener.getsockname()[1],
        folder,
        __version__,
    )

    def on_sealed(sealing: Sealing) -> None:
        block = sealing.block
        log.info(
            "block_sealed height=%d hash=0x%s extrinsics=%d rejected=%d ms=%.1f",
            block.height,
            block.hash.hex(),
            len(block.extrinsics),
            sealing.rejected,
            sealing.made_ms,
        )
        if block.height == 1:
            _tell_block_1()

    if chain.height:
        _tell_block_1()

    return Sealer(
        chain,
        Pool(
            Limits(
                count=config.pool_extrinsics, extrinsic_bytes=config.block_bytes - _INHERENT_BYTES
            ),
            height=chain.height,
        ),
        SoloConfig(
            interval_ms=None if config.is_manual else config.slot_ms,
            budget=Budget(size_bytes=config.block_bytes, time_ms=config.build_ms),
        ),
        start_info={
            "store": str(folder),
            "archive": config.archive,
            "chain": config.chain_name,
            "kind": "Development" if config.may_be_told else "Live",
            "version": __version__,
        },
        may_be_told=config.may_be_told,
        on_sealed=on_sealed,
    )


def _tell_block_1() -> None:
    """Print the line that tools wait for."""
    sys.stdout.write("Imported #1\n")
    sys.stdout.flush()


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens; `AppError` where that is not possible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(_BACKLOG)
        except OSError as cause:
            if cause.errno == errno.EADDRINUSE:
                raise AppError(
                    "port_in_use",
                    f"Port {port} on {host} is in use.",
                    "Stop what listens there, or choose another with --rpc-port (0 takes any).",
                ) from cause
            raise AppError(
                "cannot_listen",
                f"Can't listen on {host}:{port}: {cause.strerror}.",
                "Choose another --rpc-port; ports below 1024 are for the system.",
            ) from cause
        yield listener


@contextlib.contextmanager
def _folder(config: NodeConfig) -> Iterator[Path]:
    if config.base_path is not None:
        yield config.base_path / "db"
        return
    with tempfile.TemporaryDirectory(prefix="mycelia-") as folder:
        yield Path(folder) / "db"
