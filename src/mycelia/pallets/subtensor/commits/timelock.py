"""Weights sealed until a round of the beacon: nobody has to come back to reveal them.

A commit of one epoch is opened `RevealPeriodEpochs` epochs later, at the beginning of that epoch: before
it runs, so that it counts the weights. The round's signature must be on the chain by then. As long as
it is not, the commit waits, and each block of the epoch tries again; what is still sealed when the
epoch is over is dropped. So a beacon that stops delays weights until the rounds arrive, and costs a
validator its new weights if it stops for longer than that epoch lasts: the ones it had stay.

What doesn't open, names another hotkey, or is not a row that could be set, is dropped.

Source: subtensor@14bc6f9 `coinbase/reveal_commits.rs`, `subnets/weights.rs`, `guards/check_weights.rs`.
Differs: the older payload, which did not name its hotkey and could be copied by another, is dropped.
"""

from __future__ import annotations

from typing import Final, Protocol

from mycelia.codec import H256, U8, U16, U64, BoundedBytes, Bytes, DecodeError, Record, scale
from mycelia.crypto import blake2_256
from mycelia.crypto.timelock import opened
from mycelia.frame import Origin, Pallet, State, call, ensure
from mycelia.pallets.subtensor.commits.errors import (
    CommitPayloadTooLarge,
    IncorrectCommitRevealVersion,
    InvalidRevealRound,
    TooManyUnrevealedCommits,
)
from mycelia.pallets.subtensor.commits.events import (
    TimelockedWeightsCommitted,
    TimelockedWeightsRevealed,
)
from mycelia.pallets.subtensor.commits.kernel import MAX_CIPHERTEXT_BYTES, MAX_UNREVEALED
from mycelia.pallets.subtensor.commits.pallet import SETTER_FAILS, Commits
from mycelia.pallets.subtensor.cost import cost
from mycelia.pallets.subtensor.epoch.pallet import Epochs
from mycelia.pallets.subtensor.epoch.results import storage_index
from mycelia.pallets.subtensor.epoch.schedule import Schedule
from mycelia.pallets.subtensor.weights.rows import Rows, TimedCommit
from mycelia.primitives import AccountId, DispatchError, NetUid
from mycelia.primitives.ids import ROOT_NETUID

CURRENT_VERSION: Final = U16(4)
"""What the call without a version stands for."""
_FAILS: Final = (
    CommitPayloadTooLarge,
    InvalidRevealRound,
    IncorrectCommitRevealVersion,
    *SETTER_FAILS,
)


class Beacon(Protocol):
    """The rounds that are on the chain."""

    @property
    def last_stored_round(self) -> U64: ...
    def signature_of(self, round_number: int) -> bytes | None: ...


class Payload(Record):
    """What is sealed. The hotkey keeps others from committing the same bytes as theirs."""

    hotkey: Bytes
    uids: tuple[U16, ...]
    values: tuple[U16, ...]
    version_key: U64


_PAYLOAD: Final = scale(Payload)


class Timelocks(Pallet, name="SubtensorModule"):
    """Weights sealed until a round of the beacon."""

    events = (TimelockedWeightsCommitted, TimelockedWeightsRevealed)
    errors = (IncorrectCommitRevealVersion, InvalidRevealRound, CommitPayloadTooLarge)

    commits: Commits
    rows: Rows
    schedule: Schedule
    epochs: Epochs
    beacon: Beacon

    def __init__(
        self,
        state: State,
        *,
        commits: Commits,
        rows: Rows,
        schedule: Schedule,
        epochs: Epochs,
        beacon: Beacon,
    ) -> None:
        super().__init__(
            state, commits=commits, rows=rows, schedule=schedule, epochs=epochs, beacon=beacon
        )

    def on_initialize(self) -> None:
        """Open what is due, before epochs run."""
        for netuid in self._subnets_in_turn():
            self._open_due(netuid)

    @call(
        index=113,
        weight=cost(636_951_000, 4_713),
        emits=(TimelockedWeightsCommitted,),
        fails=_FAILS,
        pays=False,
    )
    def commit_timelocked_weights(
        self,
        origin: Origin,
        netuid: NetUid,
        commit: BoundedBytes,
        reveal_round: U64,
        commit_reveal_version: U16,
    ) -> None:
        """Commit weights sealed until a round of the beacon. Signed by the hotkey."""
        hotkey = origin.signed()
        self._commit(hotkey, netuid, U8(0), commit, reveal_round, commit_reveal_version)

    @call(
        index=117,
        weight=cost(452_750_000, 0),
        emits=(TimelockedWeightsCommitted,),
        fails=_FAILS,
        pays=False,
    )
    def commit_crv3_mechanism_weights(
        self, origin: Origin, netuid: NetUid, mecid: U8, commit: BoundedBytes, reveal_round: U64
    ) -> None:
        """Commit sealed weights of one mechanism, in the current version. Signed by the hotkey."""
        self._commit(origin.signed(), netuid, mecid, commit, reveal_round, CURRENT_VERSION)

    @call(
        index=118,
        weight=cost(509_020_000, 0),
        emits=(TimelockedWeightsCommitted,),
        fails=_FAILS,
        pays=False,
    )
    def commit_timelocked_mechanism_weights(
        self,
        origin: Origin,
        netuid: NetUid,
        mecid: U8,
        commit: BoundedBytes,
        reveal_round: U64,
        commit_reveal_version: U16,
    ) -> None:
        """Commit sealed weights of one mechanism. Signed by the hotkey."""
        hotkey = origin.signed()
        self._commit(hotkey, netuid, mecid, commit, reveal_round, commit_reveal_version)

    def _commit(
        self,
        hotkey: AccountId,
        netuid: NetUid,
        mechanism: int,
        ciphertext: bytes,
        round_number: U64,
        version: int,
    ) -> None:
        weights = self.commits.weights
        # CHECK
        ensure(len(ciphertext) <= MAX_CIPHERTEXT_BYTES, CommitPayloadTooLarge)
        weights.check_stake(hotkey, netuid)
        ensure(round_number >= self.beacon.last_stored_round, InvalidRevealRound)
        self.commits.check_taken(netuid, mechanism)
        current = weights.subnets.network.commit_reveal_weights_version
        ensure(version == current, IncorrectCommitRevealVersion)
        uid = self.commits.checked_setter(hotkey, netuid, mechanism)
        index, epoch = storage_index(netuid, mechanism), U64(self.schedule.commit_epoch(netuid))
        queue = self.rows.timelocked_weight_commits[index, epoch]
        own = sum(entry[0] == hotkey for entry in queue)
        ensure(own < MAX_UNREVEALED, TooManyUnrevealedCommits)
        # CHANGE
        now = U64(weights.clock.now())
        entry = (hotkey, now, ciphertext, round_number)
        self.rows.timelocked_weight_commits[index, epoch] = (*queue, entry)
        weights.date(index, uid)
        # TELL
        commit = H256(blake2_256(ciphertext))
        self.deposit(TimelockedWeightsCommitted(hotkey, index, commit, round_number))

    # Opening

    def _subnets_in_turn(self) -> list[NetUid]:
        """All subnets but the root and those whose epoch, though due, is put off for lack of room."""
        in_turn: list[NetUid] = []
        running = 0
        for netuid in self.commits.weights.subnets.netuids():
            if netuid == ROOT_NETUID:
                continue
            if self.schedule.is_due(netuid):
                if running >= self.schedule.max_epochs_per_block:
                    continue
                running += self.epochs.is_consistent(netuid)
            in_turn.append(netuid)
        return in_turn

    def _open_due(self, netuid: NetUid) -> None:
        parameters = self.commits.weights.subnets.parameters
        epoch = self.schedule.commit_epoch(netuid)
        due = epoch - parameters.reveal_period_epochs[netuid]
        for mechanism in range(parameters.mechanism_count_current[netuid]):
            index, sealed = storage_index(netuid, mechanism), self.rows.timelocked_weight_commits
            for committed, queue in list(sealed.under(index)):
                if committed > due:
                    continue
                waiting = () if committed < due else self._after_opening(netuid, mechanism, queue)
                if not waiting:
                    del sealed[index, committed]
                elif len(waiting) < len(queue):
                    sealed[index, committed] = waiting

    def _after_opening(
        self, netuid: NetUid, mechanism: int, queue: tuple[TimedCommit, ...]
    ) -> tuple[TimedCommit, ...]:
        """Set what opens; what is left in the queue, because its round is not there yet."""
        waiting: list[TimedCommit] = []
        for entry in queue:
            hotkey, _, ciphertext, round_number = entry
            signature = self.beacon.signature_of(round_number)
            if signature is None:
                waiting.append(entry)
                continue
            payload = payload_of(opened(ciphertext, signature), hotkey)
            if payload is not None:
                self._set(netuid, mechanism, hotkey, payload)
        return tuple(waiting)

    def _set(self, netuid: NetUid, mechanism: int, hotkey: AccountId, payload: Payload) -> None:
        row = (payload.uids, payload.values, payload.version_key)
        try:
            with self.state.transaction():
                self.commits.weights.set_row(hotkey, netuid, mechanism, *row)
        except DispatchError:  # no row that could be set: nobody is there to be told
            return
        self.deposit(TimelockedWeightsRevealed(storage_index(netuid, mechanism), hotkey))


def payload_of(content: bytes | None, hotkey: AccountId) -> Payload | None:
    """What a commit held, if it opened and is the hotkey's own. What follows the payload is ignored."""
    if content is None:
        return None
    try:
        payload: Payload
        payload, _ = _PAYLOAD.take(content, 0)
    except DecodeError:
        return None
    return payload if payload.hotkey[: len(hotkey)] == hotkey else None
