"""Setting weights: a validator says how much of the miners' pay each neuron deserves.

Terms: *permit* - held by the neurons with the most stake, renewed each epoch; *self weight* - a row
with the setter alone, which anybody may set; *openly* - at once, where the subnet has no commit-reveal.

Rate limits and activity are counted in each mechanism by itself. Of a call that sets one row the stake is
looked at first, then the rate limit; of a row in a batch, or one that is revealed, in the order of `set_row`.

Source: subtensor@14bc6f9 `subnets/weights.rs::internal_set_weights`, `guards/check_{weights,rate_limits}.rs`.
Differs: a mechanism that is not there is named as such. There the rate limit fails first for a neuron,
because nothing was ever set in it.
"""

from __future__ import annotations

from typing import Final

from mycelia.codec import U8, U16, U64
from mycelia.frame import Error, Origin, Pallet, State, call, ensure
from mycelia.pallets.subtensor.cost import cost
from mycelia.pallets.subtensor.epoch.results import Results, storage_index
from mycelia.pallets.subtensor.errors import (
    CanNotSetRootNetworkWeights,
    CommitRevealEnabled,
    DuplicateUids,
    HotKeyNotRegisteredInSubNet,
    IncorrectWeightVersionKey,
    MaxWeightExceeded,
    MechanismDoesNotExist,
    NeuronNoValidatorPermit,
    NotEnoughStakeToSetWeights,
    SettingWeightsTooFast,
    UidsLengthExceedUidsInSubNet,
    UidVecContainInvalidOne,
    WeightVecLengthIsLow,
    WeightVecNotEqualSize,
)
from mycelia.pallets.subtensor.events import WeightsSet
from mycelia.pallets.subtensor.needs import Clock
from mycelia.pallets.subtensor.registration.neurons import Neurons
from mycelia.pallets.subtensor.staking.stakes import Stakes
from mycelia.pallets.subtensor.subnets.pallet import Subnets
from mycelia.pallets.subtensor.weights.kernel import (
    exceeds_share,
    has_duplicates,
    is_self_weight,
    max_upscaled,
)
from mycelia.pallets.subtensor.weights.rows import Rows
from mycelia.primitives import AccountId, NetUid, Uid
from mycelia.primitives.fixed import U16_MAX
from mycelia.primitives.ids import ROOT_NETUID

ROW_FAILS: Final = (
    NotEnoughStakeToSetWeights,
    CanNotSetRootNetworkWeights,
    WeightVecNotEqualSize,
    UidsLengthExceedUidsInSubNet,
    HotKeyNotRegisteredInSubNet,
    IncorrectWeightVersionKey,
    NeuronNoValidatorPermit,
    DuplicateUids,
    UidVecContainInvalidOne,
    WeightVecLengthIsLow,
    MaxWeightExceeded,
)
"""Why a row is refused, be it set or revealed."""
_FAILS: Final = (SettingWeightsTooFast, CommitRevealEnabled, MechanismDoesNotExist, *ROW_FAILS)


class Weights(Pallet, name="SubtensorModule"):
    """A validator says how much of the miners' pay each neuron deserves."""

    subnets: Subnets
    neurons: Neurons
    stakes: Stakes
    results: Results
    rows: Rows
    clock: Clock

    def __init__(
        self,
        state: State,
        *,
        subnets: Subnets,
        neurons: Neurons,
        stakes: Stakes,
        results: Results,
        rows: Rows,
        clock: Clock,
    ) -> None:
        super().__init__(
            state,
            subnets=subnets,
            neurons=neurons,
            stakes=stakes,
            results=results,
            rows=rows,
            clock=clock,
        )

    @call(
        index=0, weight=cost(15_514_000_000, 10_327), emits=(WeightsSet,), fails=_FAILS, pays=False
    )
    def set_weights(
        self,
        origin: Origin,
        netuid: NetUid,
        dests: tuple[U16, ...],
        weights: tuple[U16, ...],
        version_key: U64,
    ) -> None:
        """Set the weights of the signing hotkey's neuron."""
        self._set_alone(origin.signed(), netuid, U8(0), dests, weights, version_key)

    @call(
        index=119,
        weight=cost(15_540_000_000, 10_327),
        emits=(WeightsSet,),
        fails=_FAILS,
        pays=False,
    )
    def set_mechanism_weights(
        self,
        origin: Origin,
        netuid: NetUid,
        mecid: U8,
        dests: tuple[U16, ...],
        weights: tuple[U16, ...],
        version_key: U64,
    ) -> None:
        """Set the weights of the signing hotkey's neuron in one mechanism of the subnet."""
        self._set_alone(origin.signed(), netuid, mecid, dests, weights, version_key)

    def _set_alone(
        self,
        hotkey: AccountId,
        netuid: NetUid,
        mechanism: int,
        uids: tuple[U16, ...],
        values: tuple[U16, ...],
        version: int,
    ) -> None:
        self.check_stake(hotkey, netuid)
        if not self.takes_commits(netuid):
            self.check_pace(hotkey, netuid, mechanism, SettingWeightsTooFast)
        self.set_openly(hotkey, netuid, mechanism, uids, values, version)

    # What commits and reveals share

    def set_openly(
        self,
        hotkey: AccountId,
        netuid: NetUid,
        mechanism: int,
        uids: tuple[U16, ...],
        values: tuple[U16, ...],
        version: int,
    ) -> None:
        """Set a row on a subnet without commit-reveal."""
        ensure(not self.takes_commits(netuid), CommitRevealEnabled)
        self.set_row(hotkey, netuid, mechanism, uids, values, version)

    def set_row(
        self,
        hotkey: AccountId,
        netuid: NetUid,
        mechanism: int,
        uids: tuple[U16, ...],
        values: tuple[U16, ...],
        version: int,
    ) -> None:
        """Check a row and store it. Under commit-reveal, rate limit and activity belong to the commit."""
        # CHECK
        ensure(netuid != ROOT_NETUID, CanNotSetRootNetworkWeights)
        ensure(len(uids) == len(values), WeightVecNotEqualSize)
        self.check_mechanism(netuid, mechanism)
        ensure(len(uids) <= self.neurons.size(netuid), UidsLengthExceedUidsInSubNet)
        uid = self._checked_setter(hotkey, netuid, mechanism, version, uids)
        self._check_row(netuid, uid, uids, values)
        # CHANGE
        index = storage_index(netuid, mechanism)
        self.rows.set(index, uid, uids, max_upscaled(values))
        if not self.takes_commits(netuid):
            self.date(index, uid)
        # TELL
        self.deposit(WeightsSet(U16(index), uid))

    def takes_commits(self, netuid: NetUid) -> bool:
        """Whether the subnet takes weights by commit and reveal."""
        return self.subnets.parameters.commit_reveal_weights_enabled[netuid]

    def check_mechanism(self, netuid: NetUid, mechanism: int) -> None:
        """`MechanismDoesNotExist` without the mechanism, or without the subnet."""
        ensure(self._has_mechanism(netuid, mechanism), MechanismDoesNotExist)

    def check_stake(self, hotkey: AccountId, netuid: NetUid) -> None:
        """`NotEnoughStakeToSetWeights` below the threshold, which the owner's neuron need not reach."""
        is_owner = self.neurons.has(netuid, hotkey) and self._is_owners(hotkey, netuid)
        stake_q64 = self.stakes.stake_weight_q64(hotkey, netuid)
        threshold_q64 = self.subnets.network.stake_threshold << 64
        ensure(is_owner or stake_q64 >= threshold_q64, NotEnoughStakeToSetWeights)

    def check_pace(
        self, hotkey: AccountId, netuid: NetUid, mechanism: int, too_fast: type[Error]
    ) -> None:
        """Raise the error where the hotkey's neuron, if it has one, must wait in that mechanism, if it exists."""
        uid = self.neurons.uid_of(netuid, hotkey)
        if uid is not None and self._has_mechanism(netuid, mechanism):
            ensure(self.passes_rate_limit(netuid, mechanism, uid), too_fast)

    def passes_rate_limit(self, netuid: NetUid, mechanism: int, uid: Uid) -> bool:
        """Whether the neuron's last weights or commit in a mechanism are long enough ago."""
        last = int(self.results.last_update[storage_index(netuid, mechanism)][uid])
        limit = self.subnets.parameters.weights_set_rate_limit[netuid]
        return last == 0 or self.clock.now() - last >= limit

    def date(self, index: int, uid: Uid) -> None:
        """Count the neuron as active from now in a mechanism, and start its rate limit there."""
        self.results.set_last_update(index, uid, self.clock.now())

    def _checked_setter(
        self,
        hotkey: AccountId,
        netuid: NetUid,
        mechanism: int,
        version: int,
        uids: tuple[U16, ...],
    ) -> Uid:
        uid = self.neurons.uid_of(netuid, hotkey)
        if uid is None:
            raise HotKeyNotRegisteredInSubNet
        self.check_stake(hotkey, netuid)
        least_version = self.subnets.parameters.weights_version_key[netuid]
        ensure(version >= least_version, IncorrectWeightVersionKey)
        in_time = self.takes_commits(netuid) or self.passes_rate_limit(netuid, mechanism, uid)
        ensure(in_time, SettingWeightsTooFast)
        permitted = bool(self.results.validator_permit[netuid][uid])
        may = permitted or is_self_weight(uid, uids) or self._is_owners(hotkey, netuid)
        ensure(may, NeuronNoValidatorPermit)
        return uid

    def _has_mechanism(self, netuid: NetUid, mechanism: int) -> bool:
        count = self.subnets.parameters.mechanism_count_current[netuid]
        return self.subnets.exists(netuid) and mechanism < count

    def _is_owners(self, hotkey: AccountId, netuid: NetUid) -> bool:
        return hotkey == self.subnets.subnet_owner_hotkey[netuid]

    def _check_row(
        self, netuid: NetUid, uid: Uid, uids: tuple[U16, ...], values: tuple[U16, ...]
    ) -> None:
        parameters, size = self.subnets.parameters, self.neurons.size(netuid)
        ensure(not has_duplicates(uids), DuplicateUids)
        ensure(all(each < size for each in uids), UidVecContainInvalidOne)
        alone = is_self_weight(uid, uids)
        least = min(size, parameters.min_allowed_weights[netuid])
        ensure(alone or len(values) >= least, WeightVecLengthIsLow)
        limit = parameters.max_weights_limit[netuid]
        within = limit == U16_MAX or not exceeds_share(max_upscaled(values), limit)
        ensure(alone or within, MaxWeightExceeded)
