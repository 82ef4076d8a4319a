"""Drand: the rounds of a public beacon, each checked against the beacon's key before it is kept.

Terms: *pulse* - a round with its signature; *quicknet* - the beacon that is believed unless the genesis
names another.

A pulse proves itself, so anybody may bring it. What is sealed until a round (see the crypto package)
opens with its signature.

Source: subtensor@14bc6f9 `pallets/drand/src/lib.rs`, `verifier.rs`.
Differs: there nodes fetch rounds and bring them unsigned; here an account signs for the fee, or the
block's author brings them. Rounds may come in any order, so that nobody can make the chain skip one;
there each must be newer than the last. A pulse that is not genuine fails the call; there it is left
out silently. The random bytes must be the signature's hash; there they are not looked at.
"""

from __future__ import annotations

from typing import Final

from mycelia.codec import U64
from mycelia.crypto.beacon import is_genuine, randomness_of, signature_point
from mycelia.frame import (
    BadOrigin,
    Blake2_128Concat,
    Error,
    Event,
    OptionalMap,
    Origin,
    Pallet,
    State,
    Value,
    Weight,
    call,
    ensure,
    invariant,
)
from mycelia.pallets.drand.types import (
    QUICKNET,
    BeaconConfiguration,
    BeaconConfigurationPayload,
    Pulse,
    PulsesPayload,
    Signature,
)

MAX_KEPT: Final = 216_000
"""Rounds that are kept: a week of quicknet."""
MAX_REMOVED: Final = 100
"""Old rounds that one call removes at most."""


class BeaconConfigChanged(Event, index=0):
    """Another beacon is believed from now on."""


class NewPulse(Event, index=1):
    """A round was checked and kept."""

    rounds: tuple[U64, ...]


class SetOldestStoredRound(Event, index=2, tuple_like=True):
    """Root said which round is the oldest one kept."""

    round: U64


class UnverifiedPulse(Error, index=3):
    """The pulse is not this beacon's, or there is not exactly one. Bring one genuine pulse per call."""


class InvalidRoundNumber(Error, index=4):
    """The round is kept already, or older than the oldest kept one."""


class PulseVerificationError(Error, index=5):
    """The signature is no point of the curve. Copy the pulse whole."""


class Drand(Pallet, name="Drand"):
    """Keeps the rounds of a public beacon."""

    events = (BeaconConfigChanged, NewPulse, SetOldestStoredRound)
    errors = (UnverifiedPulse, InvalidRoundNumber, PulseVerificationError)

    beacon_config = Value(BeaconConfiguration, default=QUICKNET, doc="The beacon that is believed.")
    pulses = OptionalMap[U64, Pulse](
        U64, Pulse, hasher=Blake2_128Concat, doc="The rounds that are kept, by number."
    )
    last_stored_round = Value(U64, default=U64(0), doc="Newest round that is kept; 0 for none.")
    oldest_stored_round = Value(U64, default=U64(0), doc="Oldest round that is kept; 0 for none.")

    def __init__(self, state: State) -> None:
        super().__init__(state)

    def signature_of(self, round_number: int) -> bytes | None:
        """The signature of a round, if it is kept."""
        pulse = self.pulses[U64(round_number)]
        return None if pulse is None else pulse.signature

    @call(
        index=0,
        weight=Weight(U64(4_769_000_000)),
        emits=(NewPulse,),
        fails=(UnverifiedPulse, InvalidRoundNumber, PulseVerificationError),
    )
    def write_pulse(
        self, origin: Origin, pulses_payload: PulsesPayload, signature: Signature | None
    ) -> None:
        """Check a round and keep it. Signed by anybody, or the block's author."""
        del signature
        ensure(not origin.is_root, BadOrigin)
        # CHECK
        ensure(len(pulses_payload.pulses) == 1, UnverifiedPulse)
        pulse = pulses_payload.pulses[0]
        is_new = pulse.round >= max(1, self.oldest_stored_round) and pulse.round not in self.pulses
        ensure(is_new, InvalidRoundNumber)
        ensure(signature_point(pulse.signature) is not None, PulseVerificationError)
        ensure(pulse.randomness == randomness_of(pulse.signature), UnverifiedPulse)
        key = self.beacon_config.public_key
        ensure(is_genuine(key, pulse.round, pulse.signature), UnverifiedPulse)
        # CHANGE
        self.pulses[pulse.round] = pulse
        self.last_stored_round = U64(max(self.last_stored_round, pulse.round))
        self.oldest_stored_round = self.oldest_stored_round or pulse.round
        self._prune()
        # TELL
        self.deposit(NewPulse((pulse.round,)))

    @call(index=1, weight=Weight(U64(208_766_000)), emits=(BeaconConfigChanged,))
    def set_beacon_config(
        self,
        origin: Origin,
        config_payload: BeaconConfigurationPayload,
        signature: Signature | None,
    ) -> None:
        """Believe another beacon. Root."""
        del signature
        origin.root()
        self.beacon_config = config_payload.config
        self.deposit(BeaconConfigChanged())

    @call(index=2, weight=Weight(U64(105_370_000)), emits=(SetOldestStoredRound,))
    def set_oldest_stored_round(self, origin: Origin, oldest_round: U64) -> None:
        """Say from which round on old ones are removed. Root."""
        origin.root()
        self.oldest_stored_round = oldest_round
        self.deposit(SetOldestStoredRound(oldest_round))

    @invariant
    def the_last_round_is_kept(self) -> None:
        """The newest round is one that is kept, and none is newer."""
        rounds = list(self.pulses.keys())
        assert self.last_stored_round == max(rounds, default=0)

    def _prune(self) -> None:
        oldest, last = self.oldest_stored_round, self.last_stored_round
        first_kept = min(max(oldest, last - MAX_KEPT + 1), oldest + MAX_REMOVED)
        for number in range(oldest, first_kept):
            del self.pulses[U64(number)]
        self.oldest_stored_round = U64(first_kept)
