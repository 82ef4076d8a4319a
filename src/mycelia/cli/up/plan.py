"""What a network on one machine consists of: subnets, neurons, wallets, ports, and its folder.

The plan follows from the options and the registry of subnets. What only the first start can know
(netuids, ports) is kept in `network.json`, so that a later start takes the network up again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mycelia.neuron.subnet import Spec
from mycelia.primitives.errors import AppError

FORMAT = 1
HOST = "127.0.0.1"
"""Where everything on this machine listens; this chain takes loopback for a miner's address."""
SUDO = "sudo"
GATEWAY = "gateway"
NODE = "node"
VALIDATORS = ("validator-1", "validator-2", "validator-3")
_PARTS = ("node", "wallets", "sdk", "logs", "run", "ledgers")


@dataclass(frozen=True)
class Options:
    """What the operator asked for. Times in seconds, tempo in blocks."""

    folder: Path
    fresh: bool = False
    seed: str | None = None
    headless: bool = False
    until_epochs: int | None = None
    block_time_s: float = 1.0
    tempo_blocks: int = 20
    only: frozenset[str] = frozenset()
    rpc_port: int = 9944
    gateway_port: int = 8080
    monitor_port: int = 0
    """Of `up` itself; 0 takes a free one."""

    @property
    def endpoint(self) -> str:
        """Where the node answers."""
        return f"ws://127.0.0.1:{self.rpc_port}"


@dataclass(frozen=True)
class MinerPlan:
    """One miner process."""

    name: str
    """Of its process, its wallet and its log: `text-honest-1`."""
    subnet: str
    variant: str
    honest: bool


@dataclass(frozen=True)
class SubnetPlan:
    """One subnet and its miners."""

    name: str
    miners: tuple[MinerPlan, ...]

    @property
    def owner(self) -> str:
        """Name of the owner's wallet."""
        return f"{self.name}-owner"


@dataclass(frozen=True)
class Plan:
    """Everything that runs, before anything does."""

    options: Options
    subnets: tuple[SubnetPlan, ...]
    folder: Folder
    chat_model: str | None = None
    """What the gateway offers as a chat model, if any subnet of the plan serves one."""

    @property
    def miners(self) -> tuple[MinerPlan, ...]:
        """Miners of all subnets."""
        return tuple(miner for subnet in self.subnets for miner in subnet.miners)

    @property
    def wallets(self) -> tuple[str, ...]:
        """Names of all wallets that the network needs."""
        owners = tuple(subnet.owner for subnet in self.subnets)
        return (SUDO, *owners, *VALIDATORS, *(miner.name for miner in self.miners))


def planned(options: Options, registry: Mapping[str, Spec]) -> Plan:
    """The plan for these options. Raises AppError for a subnet that does not exist."""
    unknown = options.only - set(registry)
    if unknown:
        raise AppError(
            "unknown_subnet",
            f"There is no subnet {', '.join(sorted(unknown))}.",
            f"Known are: {', '.join(registry)}.",
        )
    chosen = [name for name in registry if not options.only or name in options.only]
    return Plan(
        options,
        tuple(
            SubnetPlan(
                name,
                tuple(
                    MinerPlan(f"{name}-{variant.name}", name, variant.name, variant.honest)
                    for variant in registry[name].miners.values()
                ),
            )
            for name in chosen
        ),
        Folder(options.folder),
        _chat_model(registry[name] for name in chosen),
    )


def _chat_model(specs: Iterable[Spec]) -> str | None:
    """The first model that chats: its subnet streams, while one of embeddings answers at once."""
    chatting = (spec for spec in specs if spec.subnet.Piece is not None)
    return next((spec.openai_model for spec in chatting if spec.openai_model), None)


@dataclass(frozen=True)
class Record:
    """What a network remembers between starts."""

    seed_digest: str | None = None
    """Of the seed its wallets follow from; None when they are random."""
    netuids: Mapping[str, int] = field(default_factory=dict)
    ready: frozenset[str] = frozenset()
    """Subnets whose one-time set-up is complete."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """Of miners, by name, and of the node's metrics."""

    def with_netuid(self, subnet: str, netuid: int) -> Record:
        """This record and one more subnet."""
        return replace(self, netuids={**self.netuids, subnet: netuid})

    def with_ready(self, subnet: str) -> Record:
        """This record with a subnet's set-up complete."""
        return replace(self, ready=self.ready | {subnet})


@dataclass(frozen=True)
class Folder:
    """The one folder that holds all state of a network."""

    path: Path

    @property
    def node(self) -> Path:
        """State of the chain."""
        return self.path / "node"

    @property
    def genesis(self) -> Path:
        """Who has what at the start of the chain."""
        return self.path / "node" / "genesis.json"

    @property
    def wallets(self) -> Path:
        """Keys, readable by the owner only."""
        return self.path / "wallets"

    @property
    def sdk(self) -> Path:
        """Caches of the SDK."""
        return self.path / "sdk"

    @property
    def logs(self) -> Path:
        """Events (`.jsonl`) and output (`.out`) of each process."""
        return self.path / "logs"

    @property
    def ledgers(self) -> Path:
        """Validators' samples."""
        return self.path / "ledgers"

    def status(self, process: str) -> Path:
        """Newest state of a process."""
        return self.path / "run" / f"{process}.json"

    def make(self, *, fresh: bool) -> None:
        """Create what is missing; with `fresh`, remove an earlier network first.

        Removes nothing but the parts a network consists of, whatever else the folder holds.
        """
        if fresh:
            for part in _PARTS:
                shutil.rmtree(self.path / part, ignore_errors=True)
            self._record_path.unlink(missing_ok=True)
        for part in _PARTS:
            (self.path / part).mkdir(parents=True, exist_ok=True)
        self.wallets.chmod(0o700)
        # Metadata is cached by genesis and version only; a program changed in between differs.
        shutil.rmtree(self.sdk / "runtime", ignore_errors=True)
        shutil.rmtree(self.path / "run", ignore_errors=True)
        (self.path / "run").mkdir()

    def load(self, seed: str | None) -> Record:
        """The record of an earlier start, or a new one. Raises AppError if it does not fit."""
        digest = hashlib.sha256(seed.encode()).hexdigest()[:16] if seed is not None else None
        remedy = "Start with --fresh to replace the network, or choose another --dir."
        try:
            text = self._record_path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Record(seed_digest=digest)
        try:
            stored: dict[str, Any] = json.loads(text)
            record = Record(
                seed_digest=stored["seed_digest"],
                netuids={str(name): int(netuid) for name, netuid in stored["netuids"].items()},
                ready=frozenset(stored["ready"]),
                ports={str(name): int(port) for name, port in stored["ports"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise AppError(
                "network_unreadable", f"{self._record_path} is damaged: {error}.", remedy
            ) from error
        if stored.get("format", 0) > FORMAT:
            raise AppError(
                "network_newer", f"{self.path} was made by a newer program.", "Run that. " + remedy
            )
        if digest is not None and digest != record.seed_digest:
            raise AppError("seed_differs", f"{self.path} was made with another seed.", remedy)
        return record

    def save(self, record: Record) -> None:
        """Replace the record, atomically."""
        scratch = self._record_path.with_suffix(".new")
        scratch.write_text(
            json.dumps(
                {
                    "format": FORMAT,
                    "seed_digest": record.seed_digest,
                    "netuids": dict(record.netuids),
                    "ready": sorted(record.ready),
                    "ports": dict(record.ports),
                },
                indent=2,
            ),
            encoding="utf-8",
        )
        scratch.replace(self._record_path)

    @property
    def _record_path(self) -> Path:
        return self.path / "network.json"
