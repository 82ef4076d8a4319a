"""A beacon of one's own, for networks without the internet: the same rounds, signed with a known key.

Whoever has the key knows all rounds ahead, so what is sealed for them is secret from everybody but its
owner. A network takes such a beacon by its genesis; its owner brings the rounds that are due.
"""

from __future__ import annotations

from typing import Final

from mycelia.codec import U32, U64
from mycelia.crypto import blake2_256
from mycelia.crypto.beacon import public_key_of, randomness_of, signed
from mycelia.pallets.drand.types import QUICKNET, BeaconConfiguration, Metadata, Pulse

MAX_AT_ONCE: Final = 50
"""Rounds that are caught up with in one go."""


def local_beacon(secret: bytes, *, period_s: int = 3, genesis_s: int = 0) -> BeaconConfiguration:
    """The configuration of a beacon that has this secret key of 32 bytes."""
    key = public_key_of(secret)
    return QUICKNET.but(
        public_key=key,
        period=U32(period_s),
        genesis_time=U32(genesis_s),
        hash=blake2_256(key),
        group_hash=bytes(32),
        metadata=Metadata(b"local"),
    )


def pulse_of(secret: bytes, round_number: int) -> Pulse:
    """One round of the beacon with this secret key."""
    signature = signed(secret, round_number)
    return Pulse(U64(round_number), randomness_of(signature), signature)


def round_at(config: BeaconConfiguration, now_s: int) -> int:
    """The newest round that is due at a time; 0 before the first."""
    return max(0, (now_s - config.genesis_time) // config.period + 1)


def pulses_due(
    secret: bytes, config: BeaconConfiguration, last_round: int, now_s: int
) -> tuple[Pulse, ...]:
    """The rounds since the last one stored, oldest first; where none is stored, the newest only."""
    newest = round_at(config, now_s)
    first = last_round + 1 if last_round else newest
    rounds = range(max(1, first), min(newest, first + MAX_AT_ONCE - 1) + 1)
    return tuple(pulse_of(secret, number) for number in rounds)
