"""The node's command line: flags to a `NodeConfig`, errors to two lines and a status."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mycelia.node.config import BLOCK_TIME_S, FAST_BLOCK_TIME_S, RPC_PORT, NodeConfig
from mycelia.node.logs import set_up_logging
from mycelia.node.replay import replay_folder
from mycelia.node.run import run_node
from mycelia.primitives import AppError, Bug

log = logging.getLogger("mycelia.node")

DEFAULT_FOLDER: Final = Path(".mycelia/node")


def parser() -> argparse.ArgumentParser:
    """The flags of `mycelia node`."""
    flags = argparse.ArgumentParser(prog="mycelia node", description="Run the chain alone.")
    add = flags.add_argument
    add("--dev", action="store_true", help="development accounts, and blocks on demand")
    add("--fast", action="store_true", help=f"blocks of {FAST_BLOCK_TIME_S} s")
    add("--ephemeral", action="store_true", help="keep nothing")
    add(
        "--manual",
        action="store_true",
        help="seal only when told to: mycelia_seal and the other orders",
    )
    add(
        "--local-beacon",
        action="store_true",
        help="begin the network with a beacon of this node's own, and bring its rounds; with --dev",
    )
    add("--archive", action="store_true", help="keep the state of every height")
    add("--replay", action="store_true", help="check the recorded blocks of the folder and exit")
    add("--genesis", type=Path, help="JSON file of who has what at the start")
    add("--base-path", type=Path, help=f"folder of the chain (default {DEFAULT_FOLDER})")
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--rpc-port", type=int, default=RPC_PORT, help="port of the RPC; 0 takes a free one")
    add(
        "--monitor-port", type=int, help="loopback port of /metrics and /health; 0 takes a free one"
    )
    add("--block-time", type=float, help=f"seconds between blocks (default {BLOCK_TIME_S:g})")
    add("--log", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"), help="log level")
    return flags


def config_of(arguments: Sequence[str]) -> tuple[NodeConfig, argparse.Namespace]:
    """The configuration that flags ask for; `AppError` where they contradict each other."""
    flags = parser().parse_args(arguments)
    if flags.ephemeral and (flags.base_path is not None or flags.replay):
        raise AppError(
            "ephemeral_folder",
            "An ephemeral node keeps nothing, so it has no folder.",
            "Leave out --ephemeral, or --base-path and --replay.",
        )
    if not (flags.dev or flags.genesis or flags.replay):
        raise AppError(
            "no_genesis",
            "A network needs a start.",
            "Give --genesis FILE, or --dev for the accounts of a local network.",
        )
    if flags.local_beacon and not flags.dev:
        raise AppError(
            "beacon_not_dev",
            "Who has the key of a network's beacon can open all that is sealed for it.",
            "Use --local-beacon with --dev only; elsewhere the public beacon is believed.",
        )
    block_time_s = flags.block_time
    if block_time_s is None:
        block_time_s = FAST_BLOCK_TIME_S if flags.fast else BLOCK_TIME_S
    folder = None if flags.ephemeral else (flags.base_path or DEFAULT_FOLDER)
    config = NodeConfig(
        base_path=folder,
        genesis=flags.genesis,
        host=flags.host,
        rpc_port=flags.rpc_port,
        monitor_port=flags.monitor_port,
        block_time_s=block_time_s,
        is_manual=flags.manual,
        may_be_told=flags.dev or flags.manual,
        local_beacon=flags.local_beacon,
        archive=flags.archive,
        log_level=flags.log,
    )
    return config, flags


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node; the exit status. An error that a person can act on takes two lines."""
    try:
        config, flags = config_of(sys.argv[1:] if arguments is None else arguments)
        set_up_logging(config.log_level)
        if flags.replay:
            found = replay_folder(config.base_path or DEFAULT_FOLDER)
            sys.stdout.write(
                f"Replayed {found.blocks} blocks; state root 0x{found.root.hex()} as recorded.\n"
            )
        else:
            run_node(config)
    except AppError as error:
        sys.stderr.write(f"error[{error.code}]: {error.message}\n  remedy: {error.remedy}\n")
        return 1
    except Bug as bug:
        sys.stderr.write(
            f"bug: {bug}\n  remedy: The state is kept as it was before this block. Keep the folder "
            "and the log, and report them.\n"
        )
        log.critical("bug", exc_info=bug)
        return 70
    return 0
