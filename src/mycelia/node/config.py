"""What an operator chooses of a node. One dataclass; the command line and other programs fill it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mycelia.primitives import AppError
from mycelia.runtime import Rules

RPC_PORT: Final = 9944
BLOCK_TIME_S: Final = 12.0
FAST_BLOCK_TIME_S: Final = 0.25


@dataclass(frozen=True)
class NodeConfig:
    """A node. `base_path` None keeps nothing: a temporary folder that goes with the process."""

    base_path: Path | None = None
    genesis: Path | None = None
    chain_name: str = "mycelia"
    host: str = "127.0.0.1"
    rpc_port: int = RPC_PORT
    monitor_port: int | None = None
    """Loopback port of `/metrics` and `/health`; 0 takes a free one, None opens none."""
    block_time_s: float = BLOCK_TIME_S
    """Slot length that the chain tells clients, and how often a block is sealed."""
    is_manual: bool = False
    """Seal only when told to, by `mycelia_seal`."""
    may_be_told: bool = False
    """Whether RPC clients may order time: seal, jump, go back, set the clock. For development."""
    local_beacon: bool = False
    """Whether a new network believes a beacon of this node's own, and this node brings its rounds."""
    archive: bool = False
    pool_extrinsics: int = 16_384
    block_bytes: int = 5 * 1024 * 1024
    log_level: str = "INFO"

    def __post_init__(self) -> None:
        if not 0.001 <= self.block_time_s <= 3_600:
            raise AppError(
                "bad_block_time",
                f"A block time of {self.block_time_s} s makes no sense.",
                "Choose one between 0.001 and 3600 seconds.",
            )
        for port in (self.rpc_port, self.monitor_port or 0):
            if not 0 <= port <= 65_535:
                raise AppError(
                    "bad_port", f"{port} is no port.", "Choose one from 0 (any) to 65535."
                )

    @property
    def slot_ms(self) -> int:
        return max(1, round(self.block_time_s * 1000))

    @property
    def rules(self) -> Rules:
        """What a new network's rules are: the development network with fast blocks has the short waits, too."""
        is_fast = self.genesis is None and self.block_time_s == FAST_BLOCK_TIME_S
        return Rules(slot_ms=self.slot_ms, is_fast=is_fast)

    @property
    def build_ms(self) -> int:
        """How long making a block may take: most of a slot, since the pool waits for it."""
        return max(5, int(self.slot_ms * 0.8))
