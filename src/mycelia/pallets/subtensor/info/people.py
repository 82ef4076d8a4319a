"""Neurons, stakes and delegates as clients see them."""

from __future__ import annotations

from typing import Final

from mycelia.codec import U16, U64, Compact
from mycelia.frame import Pallet, State, view
from mycelia.pallets.subtensor.emission.payout import Payout
from mycelia.pallets.subtensor.epoch.results import Results, U16s, storage_index
from mycelia.pallets.subtensor.hyperparameters.table import Hyperparameters
from mycelia.pallets.subtensor.info import types as t
from mycelia.pallets.subtensor.needs import Exchange
from mycelia.pallets.subtensor.registration.neurons import Neurons
from mycelia.pallets.subtensor.serving.pallet import Serving
from mycelia.pallets.subtensor.staking.stakes import Stakes
from mycelia.pallets.subtensor.subnets.pallet import Subnets
from mycelia.pallets.subtensor.weights.rows import Rows
from mycelia.primitives import AccountId, Alpha, NetUid, Tao, Uid
from mycelia.primitives.fixed import U16_MAX
from mycelia.primitives.ids import ROOT_NETUID

NEURONS: Final = "NeuronInfoRuntimeApi"
STAKES: Final = "StakeInfoRuntimeApi"
DELEGATES: Final = "DelegateInfoRuntimeApi"
BLOCKS_PER_DAY: Final = 7_200
THOUSAND_TAO_RAO: Final = 1_000 * 10**9
UNSCORED: Final = U16(U16_MAX)
Pair = tuple[Compact[U16], Compact[U16]]


class NeuronViews(Pallet, name="SubtensorModule"):
    """Neurons as clients see them."""

    subnets: Subnets
    neurons: Neurons
    stakes: Stakes
    results: Results
    rows: Rows
    serving: Serving

    def __init__(
        self,
        state: State,
        *,
        subnets: Subnets,
        neurons: Neurons,
        stakes: Stakes,
        results: Results,
        rows: Rows,
        serving: Serving,
    ) -> None:
        super().__init__(
            state,
            subnets=subnets,
            neurons=neurons,
            stakes=stakes,
            results=results,
            rows=rows,
            serving=serving,
        )

    @view(api=NEURONS)
    def get_neurons(self, netuid: NetUid) -> tuple[t.NeuronInfo, ...]:
        """All neurons of a subnet by uid, with weights and bonds."""
        return tuple(self._full(netuid, Uid(uid)) for uid in range(self.neurons.size(netuid)))

    @view(api=NEURONS)
    def get_neuron(self, netuid: NetUid, uid: U16) -> t.NeuronInfo | None:
        """One neuron, with weights and bonds; None when the slot is free."""
        return self._full(netuid, Uid(uid)) if uid < self.neurons.size(netuid) else None

    @view(api=NEURONS)
    def get_neurons_lite(self, netuid: NetUid) -> tuple[t.NeuronInfoLite, ...]:
        """All neurons of a subnet by uid."""
        return tuple(self._lite(netuid, Uid(uid)) for uid in range(self.neurons.size(netuid)))

    @view(api=NEURONS)
    def get_neuron_lite(self, netuid: NetUid, uid: U16) -> t.NeuronInfoLite | None:
        """One neuron; None when the slot is free."""
        return self._lite(netuid, Uid(uid)) if uid < self.neurons.size(netuid) else None

    def _full(self, netuid: NetUid, uid: Uid) -> t.NeuronInfo:
        lite, index = self._lite(netuid, uid), storage_index(netuid)
        fields = dict(vars(lite))
        return t.NeuronInfo(
            **fields,
            weights=_nonzero(self.rows.weights[index, uid]),
            bonds=_nonzero(self.results.bonds[index, uid]),
        )

    def _lite(self, netuid: NetUid, uid: Uid) -> t.NeuronInfoLite:
        results, index = self.results, storage_index(netuid)
        hotkey = self.neurons.hotkey_at(netuid, uid)
        coldkey = self.stakes.owner[hotkey]
        return t.NeuronInfoLite(
            hotkey=hotkey,
            coldkey=coldkey,
            uid=U16(uid),
            netuid=netuid,
            active=bool(results.active[netuid][uid]),
            axon_info=self.serving.axon_of(netuid, hotkey),
            prometheus_info=self.serving.prometheus_of(netuid, hotkey),
            stake=((coldkey, self.stakes.total_of(hotkey, netuid)),),
            rank=U16(0),
            emission=results.emission[netuid][uid],
            incentive=U16(int(results.incentive[index][uid])),
            consensus=U16(int(results.consensus[netuid][uid])),
            trust=U16(0),
            validator_trust=U16(int(results.validator_trust[netuid][uid])),
            dividends=U16(int(results.dividends[netuid][uid])),
            last_update=U64(int(results.last_update[index][uid])),
            validator_permit=bool(results.validator_permit[netuid][uid]),
            pruning_score=UNSCORED,
        )


class StakeViews(Pallet, name="SubtensorModule"):
    """Stakes and delegates as clients see them."""

    subnets: Subnets
    parameters: Hyperparameters
    neurons: Neurons
    stakes: Stakes
    results: Results
    payout: Payout
    exchange: Exchange

    def __init__(
        self,
        state: State,
        *,
        subnets: Subnets,
        parameters: Hyperparameters,
        neurons: Neurons,
        stakes: Stakes,
        results: Results,
        payout: Payout,
        exchange: Exchange,
    ) -> None:
        super().__init__(
            state,
            subnets=subnets,
            parameters=parameters,
            neurons=neurons,
            stakes=stakes,
            results=results,
            payout=payout,
            exchange=exchange,
        )

    @view(api=STAKES)
    def get_stake_info_for_coldkey(self, coldkey_account: AccountId) -> tuple[t.StakeInfo, ...]:
        """All positions of a coldkey that are worth something."""
        return tuple(
            self._info(hotkey, coldkey_account, netuid)
            for netuid in self.subnets.netuids()
            for hotkey in self.stakes.staking_hotkeys[coldkey_account]
            if self.stakes.stake_of(hotkey, coldkey_account, netuid)
        )

    @view(api=STAKES)
    def get_stake_info_for_coldkeys(
        self, coldkey_accounts: tuple[AccountId, ...]
    ) -> tuple[tuple[AccountId, tuple[t.StakeInfo, ...]], ...]:
        """All positions of several coldkeys."""
        return tuple((key, self.get_stake_info_for_coldkey(key)) for key in coldkey_accounts)

    @view(api=STAKES)
    def get_stake_info_for_hotkey_coldkey_netuid(
        self, hotkey_account: AccountId, coldkey_account: AccountId, netuid: NetUid
    ) -> t.StakeInfo | None:
        """One position, also when it is worth nothing."""
        return self._info(hotkey_account, coldkey_account, netuid)

    @view(api=STAKES)
    def get_stake_availability_for_coldkeys(
        self, coldkey_accounts: tuple[AccountId, ...], netuids: tuple[NetUid, ...] | None
    ) -> dict[AccountId, dict[NetUid, t.StakeAvailability]]:
        """What coldkeys may unstake, per subnet on which they have anything."""
        asked = self.subnets.netuids() if netuids is None else sorted(frozenset(netuids))
        return {
            coldkey: {
                netuid: t.StakeAvailability(total=total, locked=Alpha(0), available=total)
                for netuid in asked
                if self.subnets.exists(netuid) and (total := self._total(coldkey, netuid))
            }
            for coldkey in sorted(frozenset(coldkey_accounts))
        }

    @view(api=STAKES)
    def get_stake_fee(
        self,
        origin: tuple[AccountId, NetUid] | None,
        origin_coldkey_account: AccountId,
        destination: tuple[AccountId, NetUid] | None,
        destination_coldkey_account: AccountId,
        amount: U64,
    ) -> U64:
        """The fee on moving stake from one place to another; None stands for the free balance."""
        del origin_coldkey_account, destination_coldkey_account
        place = destination or origin
        if origin == destination or place is None:
            return U64(0)
        return U64(self.exchange.fee_of(place[1], amount))

    @view(api=DELEGATES)
    def get_delegates(self) -> tuple[t.DelegateInfo, ...]:
        """All hotkeys that accept nominators."""
        return tuple(self._delegate(hotkey) for hotkey in self.stakes.delegates.keys())  # noqa: SIM118  # a storage map is no mapping

    @view(api=DELEGATES)
    def get_delegate(self, delegate_account: AccountId) -> t.DelegateInfo | None:
        """A hotkey that accepts nominators; None when it doesn't."""
        known = self.stakes.is_delegate(delegate_account)
        return self._delegate(delegate_account) if known else None

    @view(api=DELEGATES)
    def get_delegated(
        self, delegatee_account: AccountId
    ) -> tuple[tuple[t.DelegateInfo, tuple[Compact[NetUid], Compact[Alpha]]], ...]:
        """The delegates behind which a coldkey stakes, with its stake there."""
        return tuple(
            (self._delegate(hotkey), (netuid, stake))
            for hotkey in self.stakes.staking_hotkeys[delegatee_account]
            if self.stakes.is_delegate(hotkey)
            for netuid in self.subnets.netuids()
            if (stake := self.stakes.stake_of(hotkey, delegatee_account, netuid))
        )

    def _total(self, coldkey: AccountId, netuid: NetUid) -> Alpha:
        hotkeys = self.stakes.staking_hotkeys[coldkey]
        return Alpha(sum(self.stakes.stake_of(key, coldkey, netuid) for key in hotkeys))

    def _info(self, hotkey: AccountId, coldkey: AccountId, netuid: NetUid) -> t.StakeInfo:
        return t.StakeInfo(
            hotkey=hotkey,
            coldkey=coldkey,
            netuid=netuid,
            stake=self.stakes.stake_of(hotkey, coldkey, netuid),
            locked=U64(0),
            emission=self.payout.alpha_dividends_per_subnet[netuid, hotkey],
            tao_emission=Tao(0),
            drain=U64(0),
            is_registered=self.neurons.has(netuid, hotkey),
        )

    def _delegate(self, hotkey: AccountId) -> t.DelegateInfo:
        nominators: dict[AccountId, list[tuple[NetUid, U64]]] = {}
        for coldkey, netuid in self.stakes.positions(hotkey):
            stake = U64(self.stakes.stake_of(hotkey, coldkey, netuid))
            nominators.setdefault(coldkey, []).append((netuid, stake))
        netuids = self.neurons.netuids_of(hotkey)
        uids = {netuid: self.neurons.uid_of(netuid, hotkey) for netuid in netuids}
        held = [(netuid, uid) for netuid, uid in uids.items() if uid is not None]
        per_day = sum(
            self.results.emission[netuid][uid] * BLOCKS_PER_DAY // self.parameters.tempo[netuid]
            for netuid, uid in held
            if self.parameters.tempo[netuid]
        )
        take, root = self.stakes.take_of(hotkey), self.stakes.total_of(hotkey, ROOT_NETUID)
        rest = per_day * (U16_MAX - take) // U16_MAX
        return t.DelegateInfo(
            delegate_ss58=hotkey,
            take=U16(take),
            nominators=tuple((key, tuple(pairs)) for key, pairs in sorted(nominators.items())),
            owner_ss58=self.stakes.owner[hotkey],
            registrations=tuple(netuids),
            validator_permits=tuple(
                netuid for netuid, uid in held if self.results.validator_permit[netuid][uid]
            ),
            return_per_1000=U64(rest * THOUSAND_TAO_RAO // root if root else 0),
            total_daily_return=U64(per_day),
        )


def _nonzero(row: U16s) -> tuple[Pair, ...]:
    return tuple((U16(uid), U16(value)) for uid, value in row.tolist() if value)
