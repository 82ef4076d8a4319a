"""What validators say of miners, row by row, in each mechanism.

Terms: *row* - the weights one neuron set, as (uid, 0..65535); *storage index* - see `epoch.results`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from mycelia.codec import H256, U64, BoundedBytes, PairVec
from mycelia.frame import DoubleMap, Identity, OptionalDoubleMap, Pallet, State, Twox64Concat
from mycelia.pallets.subtensor.epoch.results import (
    NO_PAIRS,
    StorageIndex,
    U16s,
    fixed,
)
from mycelia.primitives import AccountId, NetUid, Uid

HashedCommit = tuple[H256, U64, U64, U64]
"""Hash, epoch and block of the commit, and a number that is always zero."""
TimedCommit = tuple[AccountId, U64, BoundedBytes, U64]
"""Who, block of the commit, ciphertext, round of its reveal."""


class Mechanisms(Protocol):
    """What mechanisms a subnet has."""

    def indexes(self, netuid: NetUid) -> Sequence[int]:
        """Their storage indexes."""


class Rows(Pallet, name="SubtensorModule"):
    """What validators say of miners, row by row."""

    weights = DoubleMap[int, Uid, U16s](
        StorageIndex,
        Uid,
        PairVec,
        hashers=(Identity, Identity),
        default=NO_PAIRS,
        doc="Weights that the neuron set, as (uid, 0..65535 of its largest).",
    )
    weight_commits = OptionalDoubleMap[int, AccountId, tuple[HashedCommit, ...]](
        StorageIndex,
        AccountId,
        tuple[HashedCommit, ...],
        hashers=(Twox64Concat, Twox64Concat),
        doc="Hashes of weights that the hotkey will reveal.",
    )
    timelocked_weight_commits = DoubleMap[int, U64, tuple[TimedCommit, ...]](
        StorageIndex,
        U64,
        tuple[TimedCommit, ...],
        hashers=(Twox64Concat, Twox64Concat),
        default=(),
        doc="Encrypted weights by the epoch in which they were committed.",
    )

    mechanisms: Mechanisms

    def __init__(self, state: State, *, mechanisms: Mechanisms) -> None:
        super().__init__(state, mechanisms=mechanisms)

    def rows(self, index: int) -> dict[int, U16s]:
        """The row of each neuron that set one."""
        return dict(self.weights.under(index))

    def earliest_commits(self, index: int, *, from_epoch: int) -> dict[AccountId, int]:
        """Block of each hotkey's earliest commit, of those made in that epoch or later."""
        earliest: dict[AccountId, int] = {}
        for hotkey, commits in self.weight_commits.under(index):
            blocks = [block for _, epoch, block, _ in commits or () if epoch >= from_epoch]
            if blocks:
                earliest[hotkey] = blocks[0]
        for epoch, timed in self.timelocked_weight_commits.under(index):
            for hotkey, block, _, _ in timed if epoch >= from_epoch else ():
                earliest[hotkey] = min(block, earliest.get(hotkey, block))
        return earliest

    def set(self, index: int, uid: Uid, uids: Sequence[int], values_u16: Sequence[int]) -> None:
        """Replace a neuron's row."""
        row = np.array((uids, values_u16), np.uint16).T if uids else NO_PAIRS
        self.weights[index, uid] = fixed(np.ascontiguousarray(row))

    def remove_subnet(self, netuid: NetUid) -> None:
        """Forget what a subnet's validators said and committed."""
        for index in self.mechanisms.indexes(netuid):
            self.remove_mechanism(index)

    def remove_mechanism(self, index: int) -> None:
        """Forget what validators said and committed in one mechanism."""
        self.weights.clear(index)
        self.weight_commits.clear(index)
        self.timelocked_weight_commits.clear(index)

    def forget(self, netuid: NetUid, uid: Uid) -> None:
        """Drop a slot's rows, and make the weights on it zero: a newcomer has it."""
        for index in self.mechanisms.indexes(netuid):
            self._forget(index, uid)

    def _forget(self, index: int, uid: Uid) -> None:
        del self.weights[index, uid]
        for setter, row in self.weights.under(index):
            on_it = row[:, 0] == uid
            if on_it.any():
                changed = row.copy()
                changed[on_it, 1] = 0
                self.weights[index, setter] = fixed(changed)
