"""Weights sealed for a beacon of the network's own.

The SDK seals for the public beacon, quicknet, whose key it has compiled in; that is right wherever its
rounds arrive. A network without the internet may believe a beacon of its own instead, see `mycelia node
--local-beacon`: then the kit seals by itself, for the key that the chain names.

A commit of one epoch is opened `RevealPeriodEpochs` epochs later, at the beginning of that epoch. Its
round is chosen to be due shortly before, so that it is on the chain by then and no earlier than need be.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from bittensor import Client

from mycelia.codec import U16, U64, Bytes, Record, scale
from mycelia.crypto.timelock import sealed

QUICKNET_KEY: Final = bytes.fromhex(
    "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c"
    "8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb"
    "5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
)
"""Public key of the beacon that the SDK seals for."""
COMMIT_VERSION: Final = 4
_MARGIN_BLOCKS: Final = 2
"""How long a round may take from being due to being in a block."""


class Payload(Record):
    """What is sealed. The hotkey keeps others from committing the same bytes as theirs."""

    hotkey: Bytes
    uids: tuple[U16, ...]
    values: tuple[U16, ...]
    version_key: U64


@dataclass(frozen=True)
class Beacon:
    """A beacon that a chain believes. Round r is due at genesis_s + (r - 1) * period_s, since 1970."""

    public_key: bytes
    period_s: int
    genesis_s: int

    def round_at(self, time_s: float) -> int:
        """The newest round that is due at a time."""
        return max(1, int(time_s - self.genesis_s) // self.period_s + 1)


@dataclass(frozen=True)
class Sealed:
    """A sealed row, and the round that opens it."""

    ciphertext: bytes
    reveal_round: int


def blocks_to_opening(
    height: int, last_epoch: int, asked_for: int, tempo_blocks: int, period_epochs: int
) -> int:
    """Blocks from a height to the epoch whose beginning opens what the next block commits.

    The next block belongs to the epoch that began in `last_epoch`, or to the one that begins in it.
    """
    starts = last_epoch + tempo_blocks
    if asked_for:
        starts = min(starts, max(asked_for, height + 1))
    if starts <= height + 1:
        starts = height + 1 + tempo_blocks
    return starts + (period_epochs - 1) * tempo_blocks - height


async def own_beacon(client: Client, netuid: int) -> Beacon | None:
    """The beacon to seal for by oneself; None where weights are set openly or the SDK seals them."""
    if not await client.query(("SubtensorModule", "CommitRevealWeightsEnabled"), [netuid]):
        return None
    config = await client.query(("Drand", "BeaconConfig"))
    key = _bytes(config["public_key"])
    if key == QUICKNET_KEY:
        return None
    return Beacon(key, int(config["period"]), int(config["genesis_time"]))


async def sealed_row(
    client: Client,
    netuid: int,
    beacon: Beacon,
    hotkey: bytes,
    row: tuple[Sequence[int], Sequence[int]],
) -> Sealed:
    """A row of uids and 16-bit values, sealed until shortly before the epoch that is to count it."""

    async def number(name: str) -> int:
        return int(await client.query(("SubtensorModule", name), [netuid], block=height) or 0)

    height = await client.block()
    blocks = blocks_to_opening(
        height,
        await number("LastEpochBlock"),
        await number("PendingEpochAt"),
        await number("Tempo"),
        await number("RevealPeriodEpochs"),
    )
    now_s = (await client.timestamp(height)).timestamp()
    opens_s = now_s + max(0, blocks - _MARGIN_BLOCKS) * await client.block_time()
    due = max(beacon.round_at(opens_s), beacon.round_at(now_s) + 1)
    uids, values = row
    payload = Payload(hotkey, _u16s(uids), _u16s(values), U64(await number("WeightsVersionKey")))
    content = scale(Payload).encode(payload)
    return Sealed(sealed(content, beacon.public_key, due, secrets.token_bytes(32)), due)


def _u16s(values: Sequence[int]) -> tuple[U16, ...]:
    return tuple(U16(value) for value in values)


def _bytes(value: Any) -> bytes:
    """What the SDK decodes bytes to: hex, text, or numbers."""
    if isinstance(value, str):
        return bytes.fromhex(value[2:]) if value.startswith("0x") else value.encode()
    return bytes(value)
