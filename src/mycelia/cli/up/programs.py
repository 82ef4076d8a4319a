"""The command line of each process that a network consists of."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from mycelia.cli.environment import LEAN
from mycelia.cli.up.plan import GATEWAY, HOST, NODE, VALIDATORS, MinerPlan, Plan, Record
from mycelia.cli.up.supervisor import Program
from mycelia.neuron.chain import sdk_environment

_PYTHON = (sys.executable, "-m")
_MINER_NICE = 5


def node(plan: Plan, record: Record) -> Program:
    """The chain."""
    options = plan.options
    return _program(
        plan,
        NODE,
        (
            "mycelia.node",
            *("--genesis", str(plan.folder.genesis)),
            *("--base-path", str(plan.folder.node)),
            *("--rpc-port", str(options.rpc_port)),
            *("--block-time", str(options.block_time_s)),
            *("--monitor-port", str(record.ports[NODE])),
        ),
    )


def miner(plan: Plan, record: Record, who: MinerPlan) -> Program:
    """One miner."""
    return _program(
        plan,
        who.name,
        (
            *("mycelia.cli", "mine", who.subnet, "--miner", who.variant),
            *("--netuid", str(record.netuids[who.subnet])),
            *("--host", HOST, "--port", str(record.ports[who.name])),
            *("--monitor-port", "0"),
            *_station(plan, who.name),
        ),
        nice=_MINER_NICE,
    )


def validator(plan: Plan, record: Record, name: str) -> Program:
    """One validator, on every subnet of the plan."""
    return _program(
        plan,
        name,
        (
            *("mycelia.cli", "validate", *_subnets(plan, record.netuids)),
            *("--ledger", str(plan.folder.ledgers / f"{name}.sqlite"), "--monitor-port", "0"),
            *_station(plan, name),
        ),
        nice=_MINER_NICE,
    )


def gateway(plan: Plan, record: Record) -> Program:
    """The door for consumers. It speaks with the validators' hotkeys, so that miners serve it alike."""
    return _program(
        plan,
        GATEWAY,
        (
            *("mycelia.cli", "gateway"),
            *(w for word in _subnets(plan, record.netuids) for w in ("--subnet", word)),
            *("--port", str(plan.options.gateway_port), "--claims"),
            *("--receipts", str(plan.folder.ledgers / f"{GATEWAY}.receipts")),
            *(
                w
                for v in VALIDATORS
                for w in ("--audits", str(plan.folder.ledgers / f"{v}.audits"))
            ),
            *_station(plan, GATEWAY, *VALIDATORS),
        ),
    )


def _program(plan: Plan, name: str, arguments: tuple[str, ...], *, nice: int = 0) -> Program:
    environment = LEAN | sdk_environment(plan.folder.sdk)
    pulse = None if name == NODE else plan.folder.status(name)
    return Program(name, (*_PYTHON, *arguments), environment, nice, pulse)


def _subnets(plan: Plan, netuids: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(f"{subnet.name}={netuids[subnet.name]}" for subnet in plan.subnets)


def _station(plan: Plan, name: str, *wallets: str) -> tuple[str, ...]:
    folder = plan.folder
    return (
        *("--endpoint", plan.options.endpoint),
        *("--wallets", str(folder.wallets)),
        *(word for wallet in wallets or (name,) for word in ("--wallet", wallet)),
        *("--log", str(folder.logs / f"{name}.jsonl")),
        *("--status", str(folder.status(name))),
    )
