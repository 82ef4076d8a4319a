"""Weights and commits on several subnets at once: items that fail don't stop the others.

Source: subtensor@14bc6f9 `subnets/weights.rs::do_batch_{set,commit}_weights`, `guards/check_weights.rs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mycelia.codec import H256, U8, U16, U64, Compact
from mycelia.frame import Origin, Pallet, State, call, ensure
from mycelia.frame.dispatch import Failure
from mycelia.pallets.subtensor.commits.errors import InputLengthsUnequal
from mycelia.pallets.subtensor.commits.events import (
    BatchCompletedWithErrors,
    BatchWeightItemFailed,
    BatchWeightsCompleted,
    WeightsCommitted,
)
from mycelia.pallets.subtensor.commits.pallet import Commits
from mycelia.pallets.subtensor.cost import cost
from mycelia.pallets.subtensor.errors import NotEnoughStakeToSetWeights
from mycelia.pallets.subtensor.events import WeightsSet
from mycelia.pallets.subtensor.weights.pallet import Weights
from mycelia.primitives import AccountId, DispatchError, NetUid

Netuids = tuple[Compact[NetUid], ...]
_TELLS = (BatchCompletedWithErrors, BatchWeightItemFailed, BatchWeightsCompleted)


class Batches(Pallet, name="SubtensorModule"):
    """Weights and commits on several subnets at once."""

    events = _TELLS

    weights: Weights
    commits: Commits
    failure_of: Callable[[DispatchError], Failure]

    def __init__(
        self,
        state: State,
        *,
        weights: Weights,
        commits: Commits,
        failure_of: Callable[[DispatchError], Failure],
    ) -> None:
        super().__init__(state, weights=weights, commits=commits, failure_of=failure_of)

    @call(
        index=80,
        weight=cost(703_092_000, 7_395),
        emits=(WeightsSet, *_TELLS),
        fails=(InputLengthsUnequal, NotEnoughStakeToSetWeights),
        pays=False,
    )
    def batch_set_weights(
        self,
        origin: Origin,
        netuids: Netuids,
        weights: tuple[tuple[tuple[Compact[U16], Compact[U16]], ...], ...],
        version_keys: tuple[Compact[U64], ...],
    ) -> None:
        """Set weights on several subnets, as (uid, weight). Signed by the hotkey."""
        hotkey = origin.signed()
        self._check(hotkey, netuids, len(weights), len(version_keys))

        def set_row(
            netuid: NetUid, row: tuple[tuple[U16, U16], ...], version: U64
        ) -> Callable[[], None]:
            uids, values = tuple(uid for uid, _ in row), tuple(value for _, value in row)
            return lambda: self.weights.set_openly(hotkey, netuid, U8(0), uids, values, version)

        self._try(hotkey, netuids, map(set_row, netuids, weights, version_keys))

    @call(
        index=100,
        weight=cost(722_224_000, 4_765),
        emits=(WeightsCommitted, *_TELLS),
        fails=(InputLengthsUnequal, NotEnoughStakeToSetWeights),
        pays=False,
    )
    def batch_commit_weights(
        self, origin: Origin, netuids: Netuids, commit_hashes: tuple[H256, ...]
    ) -> None:
        """Commit to weights on several subnets. Signed by the hotkey."""
        hotkey = origin.signed()
        self._check(hotkey, netuids, len(commit_hashes))

        def commit(netuid: NetUid, hash_: H256) -> Callable[[], None]:
            return lambda: self.commits.commit(hotkey, netuid, U8(0), hash_)

        self._try(hotkey, netuids, map(commit, netuids, commit_hashes))

    def _check(self, hotkey: AccountId, netuids: Netuids, *lengths: int) -> None:
        ensure(all(length == len(netuids) for length in lengths), InputLengthsUnequal)
        for netuid in netuids:
            self.weights.check_stake(hotkey, netuid)

    def _try(
        self, hotkey: AccountId, netuids: Netuids, items: Iterable[Callable[[], None]]
    ) -> None:
        failed: list[BatchWeightItemFailed] = []
        for netuid, item in zip(netuids, items, strict=True):
            try:
                with self.state.transaction():
                    item()
            except DispatchError as error:
                failed.append(BatchWeightItemFailed(netuid, self.failure_of(error)))
        if failed:
            self.deposit(BatchCompletedWithErrors())
        for each in failed:
            self.deposit(each)
        self.deposit(BatchWeightsCompleted(netuids, hotkey))
