"""A beacon of the node's own: its key, and the task that brings its rounds. For development networks only.

A network without the internet never hears of the public beacon's rounds, so what is sealed for them
would stay sealed. One that is begun with `--local-beacon` believes this node's beacon instead. Whoever
has the key file can open everything ahead of time; so it keeps weights from others' eyes on one's own
machine, and is no secret from its operator.

A node that was away brings the rounds it missed when it is back, up to an hour's worth; what was sealed
for an older one is dropped with its epoch.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from bittensor_core import Keypair

from mycelia.chain import Chain
from mycelia.crypto.beacon import SECRET_BYTES, public_key_of
from mycelia.pallets.drand import Pulse
from mycelia.pallets.drand.local import local_beacon, pulses_due, round_at
from mycelia.pallets.drand.types import PulsesPayload, Sr25519Key
from mycelia.primitives import (
    RAO_PER_TAO,
    AccountId,
    AppError,
    BlockNumber,
    InvalidTransaction,
    Tao,
)
from mycelia.runtime import GenesisConfig
from mycelia.runtime.compose import COMPOSITION
from mycelia.runtime.extrinsic import SigningContext, signed_extrinsic
from mycelia.runtime.version import SPEC_VERSION, TRANSACTION_VERSION

log = logging.getLogger("mycelia.node")

KEY_FILE: Final = "beacon.key"
PERIOD_S: Final = 1
MISSED_ROUNDS: Final = 3_600
"""How far back rounds are brought that were missed: an hour."""
_BRINGER: Final = "//Beacon"
_FUNDS: Final = Tao(100_000 * RAO_PER_TAO)
"""What the account that brings rounds has for its fees."""


def beacon_secret(folder: Path) -> bytes:
    """The secret key that a node keeps in its folder, made when there is none; `AppError` if it is unusable."""
    path = folder / KEY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(SECRET_BYTES) + "\n", encoding="ascii")
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as cause:
        raise _unusable(path, str(cause)) from cause
    if len(secret) != SECRET_BYTES:
        raise _unusable(path, f"it holds {len(secret)} bytes")
    return secret


def with_beacon(genesis: GenesisConfig, secret: bytes) -> GenesisConfig:
    """A network's start with this beacon, and the account that brings its rounds."""
    bringer = AccountId(bytes(Keypair.create_from_uri(_BRINGER).public_key))
    return replace(
        genesis,
        balances={**genesis.balances, bringer: _FUNDS},
        beacon=local_beacon(secret, period_s=PERIOD_S),
    )


class Rounds:
    """Signs the rounds that are due by the time of blocks, and submits them."""

    def __init__(
        self,
        chain: Chain,
        secret: bytes,
        *,
        submit: Callable[[bytes], object],
        next_nonce: Callable[[AccountId], int],
    ) -> None:
        """Stand by a chain; `AppError` where it believes another beacon."""
        config = chain.runtime.pallets.drand.beacon_config
        if config.public_key != public_key_of(secret):
            raise AppError(
                "beacon_differs",
                "This network was begun with another beacon than this node's.",
                "Start without --local-beacon, with the network's own beacon.key, or in a new folder.",
            )
        self._chain, self._secret, self._config = chain, secret, config
        self._submit, self._next_nonce = submit, next_nonce
        self._key = Keypair.create_from_uri(_BRINGER)
        self._account = AccountId(bytes(self._key.public_key))
        self._submitted = 0

    async def run(self) -> None:
        """Bring rounds until cancelled."""
        while True:
            try:
                self.bring()
            except InvalidTransaction as refusal:
                log.warning("beacon_refused cause=%r", refusal.detail)
            await asyncio.sleep(PERIOD_S)

    def bring(self) -> int:
        """Submit what is due; how many rounds that were. None before there is a block with a time."""
        now_s = self._chain.now_ms() // 1000
        if now_s == 0:
            return 0
        known = self._last_known()
        oldest_missed = round_at(self._config, now_s) - MISSED_ROUNDS
        last = max(known, oldest_missed) if known else 0
        pulses = pulses_due(self._secret, self._config, last, now_s)
        for pulse in pulses:
            self._submit(self._signed(pulse))
            self._submitted = int(pulse.round)
        return len(pulses)

    def _last_known(self) -> int:
        """The newest round that is kept, or that waits to be."""
        waits = self._next_nonce(self._account) > self._chain.next_nonce(self._account)
        stored = int(self._chain.runtime.pallets.drand.last_stored_round)
        return max(stored, self._submitted) if waits else stored

    def _signed(self, pulse: Pulse) -> bytes:
        payload = PulsesPayload(BlockNumber(0), (pulse,), Sr25519Key(bytes(self._account)))
        codec = COMPOSITION.call_scale
        call = codec.build("Drand", "write_pulse", pulses_payload=payload, signature=None)
        genesis = self._chain.genesis_hash
        context = SigningContext(SPEC_VERSION, TRANSACTION_VERSION, genesis, genesis)
        nonce = self._next_nonce(self._account)
        return signed_extrinsic(call, codec, self._account, nonce, context, self._key.sign)


def _unusable(path: Path, why: str) -> AppError:
    return AppError(
        "beacon_key_unusable",
        f"The beacon's key {path} can't be used: {why}.",
        f"Restore it: {SECRET_BYTES} bytes as hex. Without it this network's rounds are over.",
    )
