"""What epochs decided, per neuron: vectors by uid, and the bonds that one epoch hands to the next.

Vectors of a subnet are equally long, one entry per uid; they grow when a neuron registers and are
reset when a uid is handed on. Shares are 0..65535 for 0..1, rounded down.

Some vectors there are once per subnet, others once per mechanism, under its storage index.

Terms: *storage index* - netuid plus 4096 times the number of a mechanism, the first being 0.
Source: subtensor@14bc6f9 `lib.rs`, `subnets/uids.rs`, `epoch/run_epoch.rs::persist_*`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mycelia.codec import BoolVec, PairVec, U16Vec, U64Vec
from mycelia.codec.scale import U16, Named
from mycelia.frame import DoubleMap, Identity, Map, Pallet, State
from mycelia.pallets.subtensor.epoch.types import EpochOutput, SparseRow, SubnetOutcome
from mycelia.primitives import Alpha, BlockNumber, NetUid, Uid

StorageIndex = Annotated[int, Named(U16, "subtensor_runtime_common::NetUidStorageIndex")]
MECHANISM_STEP = 4_096
_LAST_INDEX = 65_535

U16s = NDArray[np.uint16]
U64s = NDArray[np.uint64]
Bools = NDArray[np.bool_]
Array = TypeVar("Array", bound=NDArray[Any])  # Any: of whatever the vector holds


def storage_index(netuid: NetUid, mechanism: int = 0) -> int:
    """Under which number a mechanism's weights, bonds, incentives and updates are kept; saturates at its width."""
    return min(_LAST_INDEX, netuid + MECHANISM_STEP * mechanism)


def fixed(array: Array) -> Array:
    """The array, from now on read-only: what is stored is never changed in place."""
    array.setflags(write=False)
    return array


NO_U16: U16s = fixed(np.zeros(0, np.uint16))
NO_U64: U64s = fixed(np.zeros(0, np.uint64))
NO_BOOLS: Bools = fixed(np.zeros(0, np.bool_))
NO_PAIRS: U16s = fixed(np.zeros((0, 2), np.uint16))


class Mechanisms(Protocol):
    """What mechanisms a subnet has."""

    def indexes(self, netuid: NetUid) -> Sequence[int]:
        """Their storage indexes."""


class Results(Pallet, name="SubtensorModule"):
    """Outcomes of epochs per neuron, and when each neuron last set weights."""

    # Identity throughout: all keys are numbers that the chain hands out.
    active = Map[NetUid, Bools](
        NetUid,
        BoolVec,
        hasher=Identity,
        default=NO_BOOLS,
        doc="Whether each neuron set weights within the activity cutoff.",
    )
    consensus = Map[NetUid, U16s](
        NetUid,
        U16Vec,
        hasher=Identity,
        default=NO_U16,
        doc="The largest weight for each neuron that enough stake supports, 0..65535 as 0..1.",
    )
    incentive = Map[int, U16s](
        StorageIndex,
        U16Vec,
        hasher=Identity,
        default=NO_U16,
        doc="Each neuron's share of the miners' pay, by storage index, 0..65535 as 0..1.",
    )
    dividends = Map[NetUid, U16s](
        NetUid,
        U16Vec,
        hasher=Identity,
        default=NO_U16,
        doc="Each neuron's share of the validators' pay, 0..65535 as 0..1.",
    )
    validator_trust = Map[NetUid, U16s](
        NetUid,
        U16Vec,
        hasher=Identity,
        default=NO_U16,
        doc="The part of each validator's weights within the consensus, 0..65535 as 0..1.",
    )
    validator_permit = Map[NetUid, Bools](
        NetUid,
        BoolVec,
        hasher=Identity,
        default=NO_BOOLS,
        doc="Whether each neuron may set weights that count.",
    )
    emission = Map[NetUid, tuple[Alpha, ...]](
        NetUid,
        tuple[Alpha, ...],
        hasher=Identity,
        default=(),
        doc="Alpha that each neuron earned in the last epoch, in rao.",
    )
    stake_weight = Map[NetUid, U16s](
        NetUid,
        U16Vec,
        hasher=Identity,
        default=NO_U16,
        doc="Each neuron's share of the stake that counted, 0..65535 as 0..1.",
    )
    last_update = Map[int, U64s](
        StorageIndex,
        U64Vec,
        hasher=Identity,
        default=NO_U64,
        doc="Block at which each neuron last set weights or registered, by storage index.",
    )
    bonds = DoubleMap[int, Uid, U16s](
        StorageIndex,
        Uid,
        PairVec,
        hashers=(Identity, Identity),
        default=NO_PAIRS,
        doc="A validator's bonds as (uid, 0..65535 of the largest bond on it), by storage index.",
    )

    mechanisms: Mechanisms

    def __init__(self, state: State, *, mechanisms: Mechanisms) -> None:
        super().__init__(state, mechanisms=mechanisms)

    def append_neuron(self, netuid: NetUid, block: BlockNumber) -> None:
        """Make room for the next uid, registered at a block."""
        self.active[netuid] = _with(self.active[netuid], True)
        self.consensus[netuid] = _with(self.consensus[netuid], 0)
        self.dividends[netuid] = _with(self.dividends[netuid], 0)
        self.validator_trust[netuid] = _with(self.validator_trust[netuid], 0)
        self.validator_permit[netuid] = _with(self.validator_permit[netuid], False)
        self.emission[netuid] = (*self.emission[netuid], Alpha(0))
        for index in self.mechanisms.indexes(netuid):
            self.incentive[index] = _with(self.incentive[index], 0)
            self.last_update[index] = _with(self.last_update[index], block)

    def clear_neuron(self, netuid: NetUid, uid: Uid, block: BlockNumber) -> None:
        """Reset a uid that a new neuron takes over at a block."""
        self.active[netuid] = _replaced(self.active[netuid], uid, True)
        self.consensus[netuid] = _replaced(self.consensus[netuid], uid, 0)
        self.dividends[netuid] = _replaced(self.dividends[netuid], uid, 0)
        self.validator_trust[netuid] = _replaced(self.validator_trust[netuid], uid, 0)
        self.validator_permit[netuid] = _replaced(self.validator_permit[netuid], uid, False)
        self.stake_weight[netuid] = _replaced(self.stake_weight[netuid], uid, 0)
        emission = self.emission[netuid]
        self.emission[netuid] = (*emission[:uid], Alpha(0), *emission[uid + 1 :])
        for index in self.mechanisms.indexes(netuid):
            self.incentive[index] = _replaced(self.incentive[index], uid, 0)
            self.set_last_update(index, uid, block)
            del self.bonds[index, uid]

    def reset_bonds_on(self, netuid: NetUid, uid: Uid) -> None:
        """Drop all bonds on a neuron, in every mechanism.

        Source: epoch/run_epoch.rs::do_reset_bonds
        """
        for index in self.mechanisms.indexes(netuid):
            for validator, row in list(self.bonds.under(index)):
                others = row[:, 0] != uid
                if not others.all():
                    self.bonds[index, validator] = fixed(row[others])

    def set_last_update(self, index: int, uid: Uid, block: BlockNumber) -> None:
        """Note that a neuron set its weights in a mechanism at a block."""
        self.last_update[index] = _replaced(self.last_update[index], uid, block)

    def keep(self, netuid: NetUid, outcome: SubnetOutcome) -> None:
        """Store what an epoch decided for the whole subnet."""
        self.active[netuid] = fixed(np.array(outcome.active, np.bool_))
        self.consensus[netuid] = _shares(outcome.consensus_u16)
        self.dividends[netuid] = _shares(outcome.dividends_u16)
        self.validator_trust[netuid] = _shares(outcome.validator_trust_u16)
        self.validator_permit[netuid] = fixed(np.array(outcome.permits, np.bool_))
        self.emission[netuid] = tuple(Alpha(rao) for rao in outcome.emissions_rao)
        self.stake_weight[netuid] = _shares(outcome.stake_weights_u16)

    def keep_mechanism(self, index: int, outcome: EpochOutput) -> None:
        """Store what an epoch decided in one mechanism."""
        self.incentive[index] = _shares(outcome.incentives_u16)
        for uid in range(len(outcome.active)):
            row = _pairs(outcome.bonds.get(uid, ()))
            key = (index, Uid(uid))
            if key not in self.bonds or not np.array_equal(self.bonds[key], row):
                self.bonds[key] = row

    def add_mechanism(self, index: int, neurons: int) -> None:
        """Make room for what a new mechanism decides for so many neurons. None has set weights there.

        Differs: there a vector stays empty until it is first written; absent entries count as zero, too.
        """
        self.incentive[index] = fixed(np.zeros(neurons, np.uint16))
        self.last_update[index] = fixed(np.zeros(neurons, np.uint64))

    def remove_mechanism(self, index: int) -> None:
        """Forget all of one mechanism."""
        del self.incentive[index], self.last_update[index]
        self.bonds.clear(index)

    def remove_subnet(self, netuid: NetUid) -> None:
        """Forget all of a subnet."""
        del self.active[netuid], self.consensus[netuid]
        del self.dividends[netuid], self.validator_trust[netuid], self.validator_permit[netuid]
        del self.emission[netuid], self.stake_weight[netuid]
        for index in self.mechanisms.indexes(netuid):
            self.remove_mechanism(index)


def _with(vector: Array, last: int) -> Array:
    longer: Array = np.append(vector, np.array([last], vector.dtype))  # type: ignore[assignment]
    return fixed(longer)


def _replaced(vector: Array, at: int, value: int) -> Array:
    if at >= len(vector):
        return vector
    changed: Array = vector.copy()
    changed[at] = value
    return fixed(changed)


def _shares(values: tuple[int, ...]) -> U16s:
    return fixed(np.array(values, np.uint16))


def _pairs(row: SparseRow) -> U16s:
    return fixed(np.array(row, np.uint16).reshape(-1, 2))
