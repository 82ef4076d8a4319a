"""What commits and reveals tell. Indexes, names and the order of fields are the chain's.

Source: subtensor@14bc6f9 `macros/events.rs`.
"""

from __future__ import annotations

from mycelia.codec import H256, U64, Compact
from mycelia.frame import Event
from mycelia.frame.dispatch import Failure
from mycelia.pallets.subtensor.epoch.results import StorageIndex
from mycelia.primitives import AccountId, NetUid


class WeightsCommitted(Event, index=85, tuple_like=True):
    """A validator committed to weights by their hash."""

    hotkey: AccountId
    index_: StorageIndex
    commit: H256


class WeightsRevealed(Event, index=86, tuple_like=True):
    """A validator revealed the weights behind a hash."""

    hotkey: AccountId
    index_: StorageIndex
    commit: H256


class WeightsBatchRevealed(Event, index=87, tuple_like=True):
    """A validator revealed the weights behind several hashes."""

    hotkey: AccountId
    netuid: NetUid
    commits: tuple[H256, ...]


class BatchWeightsCompleted(Event, index=88, tuple_like=True):
    """All items of a batch were tried."""

    netuids: tuple[Compact[NetUid], ...]
    hotkey: AccountId


class BatchCompletedWithErrors(Event, index=89):
    """Some items of a batch failed."""


class BatchWeightItemFailed(Event, index=90, tuple_like=True):
    """An item of a batch failed."""

    netuid: NetUid
    error: Failure


class TimelockedWeightsCommitted(Event, index=107, tuple_like=True):
    """A validator committed weights sealed until a round of the beacon; `commit` is the ciphertext's hash."""

    hotkey: AccountId
    index_: StorageIndex
    commit: H256
    round: U64


class TimelockedWeightsRevealed(Event, index=108, tuple_like=True):
    """The beacon opened a validator's weights, and they were set."""

    index_: StorageIndex
    hotkey: AccountId
