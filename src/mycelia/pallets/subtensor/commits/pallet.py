"""Weights by hash: committed in one epoch, revealed `RevealPeriodEpochs` epochs later, in that epoch only.

A commit counts as the validator's activity and against its rate limit; the reveal does not again.

Source: subtensor@14bc6f9 `subnets/weights.rs`, `guards/check_{weights,rate_limits}.rs`.
Differs: a hash that is not known and a commit that is expired have their own errors. There a look ahead
of the call reports them as `NoWeightsCommitFound` and `RevealTooEarly`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mycelia.codec import H256, U8, U16, U64
from mycelia.frame import Origin, Pallet, State, call, ensure
from mycelia.pallets.subtensor.commits.errors import (
    CommitRevealDisabled,
    CommittingWeightsTooFast,
    ExpiredWeightCommit,
    InputLengthsUnequal,
    InvalidRevealCommitHashNotMatch,
    NoWeightsCommitFound,
    RevealTooEarly,
    TooManyUnrevealedCommits,
)
from mycelia.pallets.subtensor.commits.events import (
    WeightsBatchRevealed,
    WeightsCommitted,
    WeightsRevealed,
)
from mycelia.pallets.subtensor.commits.kernel import (
    MAX_UNREVEALED,
    commit_hash,
    is_expired,
    is_revealable,
)
from mycelia.pallets.subtensor.cost import cost
from mycelia.pallets.subtensor.epoch.results import storage_index
from mycelia.pallets.subtensor.epoch.schedule import Schedule
from mycelia.pallets.subtensor.errors import (
    HotKeyNotRegisteredInSubNet,
    MechanismDoesNotExist,
    NotEnoughStakeToSetWeights,
)
from mycelia.pallets.subtensor.events import WeightsSet
from mycelia.pallets.subtensor.needs import Clock
from mycelia.pallets.subtensor.weights.pallet import ROW_FAILS, Weights
from mycelia.pallets.subtensor.weights.rows import HashedCommit, Rows
from mycelia.primitives import AccountId, NetUid, Uid

SETTER_FAILS: Final = (
    NotEnoughStakeToSetWeights,
    MechanismDoesNotExist,
    CommitRevealDisabled,
    HotKeyNotRegisteredInSubNet,
    CommittingWeightsTooFast,
    TooManyUnrevealedCommits,
)
"""Why either kind of commit fails."""
_REVEAL_FAILS: Final = (
    NoWeightsCommitFound,
    InvalidRevealCommitHashNotMatch,
    ExpiredWeightCommit,
    RevealTooEarly,
    CommitRevealDisabled,
    *ROW_FAILS,
)


class Commits(Pallet, name="SubtensorModule"):
    """Weights by hash."""

    events = (WeightsCommitted, WeightsRevealed, WeightsBatchRevealed)
    errors = (
        NoWeightsCommitFound,
        InvalidRevealCommitHashNotMatch,
        CommitRevealDisabled,
        TooManyUnrevealedCommits,
        ExpiredWeightCommit,
        RevealTooEarly,
        InputLengthsUnequal,
        CommittingWeightsTooFast,
    )

    weights: Weights
    rows: Rows
    schedule: Schedule
    clock: Clock

    def __init__(
        self, state: State, *, weights: Weights, rows: Rows, schedule: Schedule, clock: Clock
    ) -> None:
        super().__init__(state, weights=weights, rows=rows, schedule=schedule, clock=clock)

    @call(
        index=96,
        weight=cost(594_049_000, 4_714),
        emits=(WeightsCommitted,),
        fails=SETTER_FAILS,
        pays=False,
    )
    def commit_weights(self, origin: Origin, netuid: NetUid, commit_hash: H256) -> None:
        """Commit to weights by their hash. Signed by the hotkey."""
        self._commit_alone(origin.signed(), netuid, U8(0), commit_hash)

    @call(
        index=115,
        weight=cost(430_130_000, 0),
        emits=(WeightsCommitted,),
        fails=SETTER_FAILS,
        pays=False,
    )
    def commit_mechanism_weights(
        self, origin: Origin, netuid: NetUid, mecid: U8, commit_hash: H256
    ) -> None:
        """Commit to weights of one mechanism by their hash. Signed by the hotkey."""
        self._commit_alone(origin.signed(), netuid, mecid, commit_hash)

    def _commit_alone(
        self, hotkey: AccountId, netuid: NetUid, mechanism: int, commit: H256
    ) -> None:
        self.weights.check_stake(hotkey, netuid)
        self.weights.check_pace(hotkey, netuid, mechanism, CommittingWeightsTooFast)
        self.commit(hotkey, netuid, mechanism, commit)

    @call(
        index=97,
        weight=cost(786_227_000, 7_590),
        emits=(WeightsSet, WeightsRevealed),
        fails=_REVEAL_FAILS,
        pays=False,
    )
    def reveal_weights(
        self,
        origin: Origin,
        netuid: NetUid,
        uids: tuple[U16, ...],
        values: tuple[U16, ...],
        salt: tuple[U16, ...],
        version_key: U64,
    ) -> None:
        """Reveal committed weights, which sets them. Signed by the hotkey that committed."""
        self._reveal(origin.signed(), netuid, U8(0), uids, values, salt, version_key)

    @call(
        index=116,
        weight=cost(722_000_000, 0),
        emits=(WeightsSet, WeightsRevealed),
        fails=_REVEAL_FAILS,
        pays=False,
    )
    def reveal_mechanism_weights(
        self,
        origin: Origin,
        netuid: NetUid,
        mecid: U8,
        uids: tuple[U16, ...],
        values: tuple[U16, ...],
        salt: tuple[U16, ...],
        version_key: U64,
    ) -> None:
        """Reveal committed weights of one mechanism. Signed by the hotkey that committed."""
        self._reveal(origin.signed(), netuid, mecid, uids, values, salt, version_key)

    @call(
        index=98,
        weight=cost(1_096_363_000, 8_095),
        emits=(WeightsSet, WeightsBatchRevealed),
        fails=(InputLengthsUnequal, *_REVEAL_FAILS),
        pays=False,
    )
    def batch_reveal_weights(
        self,
        origin: Origin,
        netuid: NetUid,
        uids_list: tuple[tuple[U16, ...], ...],
        values_list: tuple[tuple[U16, ...], ...],
        salts_list: tuple[tuple[U16, ...], ...],
        version_keys: tuple[U64, ...],
    ) -> None:
        """Reveal several commits, all or none; the last sets the weights. Signed by the hotkey."""
        hotkey, index = origin.signed(), storage_index(netuid)
        # CHECK
        lengths = (len(values_list), len(salts_list), len(version_keys))
        ensure(lengths == (len(uids_list),) * 3, InputLengthsUnequal)
        self.weights.check_stake(hotkey, netuid)
        waiting, expired = self._waiting(hotkey, netuid, U8(0))
        items = list(zip(uids_list, values_list, salts_list, version_keys, strict=True))
        hashes = [H256(commit_hash(hotkey, index, *item)) for item in items]
        for hash_ in hashes:
            self._position(netuid, waiting, expired, hash_)
        ensure(self.weights.takes_commits(netuid), CommitRevealDisabled)
        # CHANGE
        for hash_, (uids, values, _, version) in zip(hashes, items, strict=True):
            del waiting[self._position(netuid, waiting, expired, hash_)]
            self.weights.set_row(hotkey, netuid, U8(0), uids, values, version)
        self._keep(index, hotkey, waiting)
        # TELL
        self.deposit(WeightsBatchRevealed(hotkey, netuid, tuple(hashes)))

    # What batches and sealed commits share

    def commit(self, hotkey: AccountId, netuid: NetUid, mechanism: int, commit: H256) -> None:
        """Queue a hash. The stake is not looked at: the call did."""
        # CHECK
        self.check_taken(netuid, mechanism)
        uid = self.checked_setter(hotkey, netuid, mechanism)
        index, period = storage_index(netuid, mechanism), self._period(netuid)
        epoch = self.schedule.commit_epoch(netuid)
        queue = list(self.rows.weight_commits[index, hotkey] or ())
        while queue and is_expired(epoch, queue[0][1], period):
            del queue[0]
        ensure(len(queue) < MAX_UNREVEALED, TooManyUnrevealedCommits)
        # CHANGE
        queue.append((commit, U64(epoch), U64(self.clock.now()), U64(0)))
        self.rows.weight_commits[index, hotkey] = tuple(queue)
        self.weights.date(index, uid)
        # TELL
        self.deposit(WeightsCommitted(hotkey, index, commit))

    def check_taken(self, netuid: NetUid, mechanism: int) -> None:
        """`MechanismDoesNotExist` or `CommitRevealDisabled` where no commits are taken."""
        self.weights.check_mechanism(netuid, mechanism)
        ensure(self.weights.takes_commits(netuid), CommitRevealDisabled)

    def checked_setter(self, hotkey: AccountId, netuid: NetUid, mechanism: int) -> Uid:
        """The hotkey's uid, if it may commit now."""
        weights = self.weights
        uid = weights.neurons.uid_of(netuid, hotkey)
        if uid is None:
            raise HotKeyNotRegisteredInSubNet
        ensure(weights.passes_rate_limit(netuid, mechanism, uid), CommittingWeightsTooFast)
        return uid

    # Reveals

    def _reveal(
        self,
        hotkey: AccountId,
        netuid: NetUid,
        mechanism: int,
        uids: tuple[U16, ...],
        values: tuple[U16, ...],
        salt: tuple[U16, ...],
        version: int,
    ) -> None:
        # CHECK
        index = storage_index(netuid, mechanism)
        hash_ = H256(commit_hash(hotkey, index, uids, values, salt, version))
        self.weights.check_stake(hotkey, netuid)
        waiting, expired = self._waiting(hotkey, netuid, mechanism)
        position = self._position(netuid, waiting, expired, hash_)
        ensure(self.weights.takes_commits(netuid), CommitRevealDisabled)
        # CHANGE
        self._keep(
            index, hotkey, waiting[position + 1 :]
        )  # who reveals a later one drops earlier ones
        self.weights.set_row(hotkey, netuid, mechanism, uids, values, version)
        # TELL
        self.deposit(WeightsRevealed(hotkey, index, hash_))

    def _waiting(
        self, hotkey: AccountId, netuid: NetUid, mechanism: int
    ) -> tuple[list[HashedCommit], list[H256]]:
        """The hotkey's commits that are not expired, and the hashes of those that are."""
        queue = self.rows.weight_commits[storage_index(netuid, mechanism), hotkey]
        if queue is None:
            raise NoWeightsCommitFound
        epoch, period = self.schedule.commit_epoch(netuid), self._period(netuid)
        waiting = [entry for entry in queue if not is_expired(epoch, entry[1], period)]
        return waiting, [entry[0] for entry in queue if is_expired(epoch, entry[1], period)]

    def _position(
        self, netuid: NetUid, waiting: Sequence[HashedCommit], expired: Sequence[H256], hash_: H256
    ) -> int:
        """Where in the queue a commit waits that may be revealed now."""
        hashes = [entry[0] for entry in waiting]
        if hash_ not in hashes:
            ensure(hash_ not in expired, ExpiredWeightCommit)
            raise InvalidRevealCommitHashNotMatch if waiting else NoWeightsCommitFound
        position = hashes.index(hash_)
        epoch, period = self.schedule.commit_epoch(netuid), self._period(netuid)
        ensure(is_revealable(epoch, waiting[position][1], period), RevealTooEarly)
        return position

    def _keep(self, index: int, hotkey: AccountId, waiting: Sequence[HashedCommit]) -> None:
        self.rows.weight_commits[index, hotkey] = tuple(waiting) or None

    def _period(self, netuid: NetUid) -> int:
        return self.weights.subnets.parameters.reveal_period_epochs[netuid]
