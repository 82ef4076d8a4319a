"""Pays out an epoch: the owner's cut, the miners, the validators and who staked with them.

First a plan is made, which is all that has to be decided; then it is carried out.

All pay is stake. Miners are paid behind their own hotkey, or behind the one that their coldkey
named; what an epoch grants to hotkeys of the subnet's owner is burned: it still counts as issued but
is nobody's. What a validator earned with lent stake falls to those who lent it. Validators take their
share first, the rest goes to all that staked with them.
Dividends earned by stake on the root are kept as a claim, per root TAO behind the hotkey.

Source: subtensor@14bc6f9 `coinbase/run_coinbase.rs::distribute_emission` and below,
`staking/claim_root.rs::increase_root_claimable_for_hotkey_and_subnet`.
Differs: a hotkey without dividend gets no entry in the maps of dividends; it reads as zero all the
same. Who mined nothing tells no `AutoStakeAdded`. Owners cannot choose to recycle instead of burn, or lease; no call
lets them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mycelia.codec import I96F32, U96F32
from mycelia.frame import (
    Blake2_128Concat,
    DoubleMap,
    Event,
    Identity,
    Map,
    Pallet,
    State,
)
from mycelia.pallets.subtensor.children.families import Families
from mycelia.pallets.subtensor.emission import kernel
from mycelia.pallets.subtensor.emission.prices import Prices
from mycelia.pallets.subtensor.epoch.pallet import Earned
from mycelia.pallets.subtensor.registration.neurons import Neurons
from mycelia.pallets.subtensor.staking.stakes import Stakes
from mycelia.pallets.subtensor.subnets.pallet import Subnets
from mycelia.primitives import AccountId, Alpha, NetUid
from mycelia.primitives.fixed import u64_of_q32
from mycelia.primitives.ids import ROOT_NETUID


class AutoStakeAdded(Event, index=109):
    """A miner's pay was staked behind the hotkey that its coldkey named."""

    netuid: NetUid
    destination: AccountId
    hotkey: AccountId
    owner: AccountId
    incentive: Alpha


@dataclass(frozen=True)
class StakePay:
    """An amount that is staked behind a hotkey for a coldkey."""

    hotkey: AccountId
    coldkey: AccountId
    amount: Alpha


@dataclass(frozen=True)
class MinerPay:
    """A miner's incentive, and what is staked of it; nothing where it is burned."""

    hotkey: AccountId
    incentive: Alpha
    staked: StakePay | None


@dataclass(frozen=True)
class DividendPay:
    """What falls to a validator and those who staked with it, with 32 fraction bits, and its two parts.

    `take` is the validator's own, staked for its coldkey; `rest` everybody's by their shares, the coldkey's included.
    """

    hotkey: AccountId
    coldkey: AccountId
    amount_rao_q32: int
    take: Alpha
    rest: Alpha


@dataclass(frozen=True)
class RootPay(DividendPay):
    """The same for those who staked on the root: each root TAO may claim `claim_q32` more alpha.

    Without a claim `rest` is staked for the validator's coldkey: there is less root TAO than it.
    """

    claim_q32: int | None


@dataclass(frozen=True)
class Plan:
    """All that an epoch pays, in the order in which it is paid."""

    owner: StakePay | None
    miners: tuple[MinerPay, ...]
    dividends: tuple[DividendPay, ...]
    root: tuple[RootPay, ...]


class Payout(Pallet, name="SubtensorModule"):
    """Turns what an epoch granted into stake."""

    events = (AutoStakeAdded,)

    miner_burned = Map[NetUid, U96F32](
        NetUid,
        U96F32,
        hasher=Identity,
        default=U96F32(0),
        doc="Part of the miners' last pay that went to hotkeys of the owner, 32 fraction bits.",
    )
    # Blake2_128Concat for hotkeys: users choose them.
    alpha_dividends_per_subnet = DoubleMap[NetUid, AccountId, Alpha](
        NetUid,
        AccountId,
        Alpha,
        hashers=(Identity, Blake2_128Concat),
        default=Alpha(0),
        doc="What those who staked alpha with the hotkey got in the last epoch, in rao.",
    )
    root_alpha_dividends_per_subnet = DoubleMap[NetUid, AccountId, Alpha](
        NetUid,
        AccountId,
        Alpha,
        hashers=(Identity, Blake2_128Concat),
        default=Alpha(0),
        doc="What those who staked root TAO with the hotkey got in the last epoch, in rao.",
    )
    total_hotkey_alpha_last_epoch = DoubleMap[AccountId, NetUid, Alpha](
        AccountId,
        NetUid,
        Alpha,
        hashers=(Blake2_128Concat, Identity),
        default=Alpha(0),
        doc="All stake behind the hotkey right after the last epoch, in rao.",
    )
    root_claimable = Map[AccountId, dict[NetUid, I96F32]](
        AccountId,
        dict[NetUid, I96F32],
        hasher=Blake2_128Concat,
        default={},
        doc="Alpha that each root TAO behind the hotkey may claim so far, with 32 fraction bits.",
    )

    subnets: Subnets
    neurons: Neurons
    stakes: Stakes
    families: Families
    prices: Prices

    def __init__(
        self,
        state: State,
        *,
        subnets: Subnets,
        neurons: Neurons,
        stakes: Stakes,
        families: Families,
        prices: Prices,
    ) -> None:
        super().__init__(
            state,
            subnets=subnets,
            neurons=neurons,
            stakes=stakes,
            families=families,
            prices=prices,
        )

    def pay(
        self,
        netuid: NetUid,
        earned: Sequence[Earned],
        *,
        owner_cut: Alpha,
        validators: Alpha,
        root: Alpha,
    ) -> None:
        """Pay an epoch: each miner its incentive, the two other amounts by the dividends."""
        # The whole plan before anything is staked: dividends are parted by the stake that earned them.
        plan = self.plan(netuid, earned, owner_cut=owner_cut, validators=validators, root=root)
        if plan.owner is not None:
            self._stake(netuid, plan.owner)
        self._pay_miners(netuid, plan.miners)
        self.alpha_dividends_per_subnet.clear(netuid)
        for dividend in plan.dividends:
            self._pay_dividend(netuid, dividend)
        self.root_alpha_dividends_per_subnet.clear(netuid)
        for part in plan.root:
            self._pay_root(netuid, part)

    # What is to be paid

    def plan(
        self,
        netuid: NetUid,
        earned: Sequence[Earned],
        *,
        owner_cut: Alpha,
        validators: Alpha,
        root: Alpha,
    ) -> Plan:
        """What `pay` pays; changes nothing."""
        ordered = sorted(earned, key=lambda grant: grant.hotkey)
        shares = self.shares(netuid, ordered, validators=validators, root=root)
        owner_hotkeys = self.owner_hotkeys(netuid)
        return Plan(
            self._owner_pay(netuid, owner_cut),
            tuple(self._miner_pay(netuid, grant, owner_hotkeys) for grant in ordered),
            tuple(
                DividendPay(hotkey, self.stakes.owner[hotkey], amount, *self._parts(hotkey, amount))
                for hotkey, amount in shares.alpha_q32.items()
            ),
            tuple(
                self._root_pay(hotkey, amount)
                for hotkey, amount in shares.root_q32.items()
                if amount
            ),
        )

    def shares(
        self, netuid: NetUid, earned: Iterable[Earned], *, validators: Alpha, root: Alpha
    ) -> kernel.Dividends:
        """The two amounts by the dividends of those whose stake earned them."""
        dividends = self.dividends(netuid, earned)
        weight = self.prices.tao_weight_q32()
        return kernel.dividend_distribution(
            dividends, self.stakes_of(netuid, dividends), weight, validators, root
        )

    def dividends(self, netuid: NetUid, earned: Iterable[Earned]) -> Mapping[AccountId, int]:
        """The epoch's dividends in rao, of those whose stake earned them."""
        granted = {grant.hotkey: grant.dividend for grant in earned if grant.dividend}
        return self.families.dividends_by_lender(netuid, granted)

    def owner_hotkeys(self, netuid: NetUid) -> frozenset[AccountId]:
        """The hotkeys of the subnet's owner that hold a uid: what they mine is burned."""
        owned = self.stakes.owned_hotkeys[self.subnets.owner_of(netuid)]
        keys = (*owned, self.subnets.subnet_owner_hotkey[netuid])
        return frozenset(hotkey for hotkey in keys if self.neurons.has(netuid, hotkey))

    def stakes_of(
        self, netuid: NetUid, hotkeys: Iterable[AccountId]
    ) -> Mapping[AccountId, tuple[int, int]]:
        """Alpha and root TAO behind each, in rao."""
        total_of = self.stakes.total_of
        return {key: (total_of(key, netuid), total_of(key, ROOT_NETUID)) for key in hotkeys}

    def _owner_pay(self, netuid: NetUid, amount: Alpha) -> StakePay | None:
        subnets = self.subnets
        if netuid in subnets.subnet_owner and netuid in subnets.subnet_owner_hotkey:
            hotkey = subnets.subnet_owner_hotkey[netuid]
            return StakePay(hotkey, subnets.owner_of(netuid), amount)
        return None

    def _miner_pay(
        self, netuid: NetUid, grant: Earned, owner_hotkeys: frozenset[AccountId]
    ) -> MinerPay:
        if grant.hotkey in owner_hotkeys or not grant.incentive:
            return MinerPay(grant.hotkey, grant.incentive, None)
        owner = self.stakes.owner[grant.hotkey]
        behind = self.stakes.auto_stake_destination[owner, netuid] or grant.hotkey
        return MinerPay(grant.hotkey, grant.incentive, StakePay(behind, owner, grant.incentive))

    def _root_pay(self, hotkey: AccountId, amount_rao_q32: int) -> RootPay:
        take, rest = self._parts(hotkey, amount_rao_q32)
        root_rao = self.stakes.total_of(hotkey, ROOT_NETUID)
        claim = None if rest > root_rao else kernel.proportion_q32(rest, root_rao)
        return RootPay(hotkey, self.stakes.owner[hotkey], amount_rao_q32, take, rest, claim)

    def _parts(self, hotkey: AccountId, amount_rao_q32: int) -> tuple[Alpha, Alpha]:
        """A validator's take, and what is left for all."""
        take_q32 = kernel.taken_q32(amount_rao_q32, self.stakes.take_of(hotkey))
        return Alpha(u64_of_q32(take_q32)), Alpha(u64_of_q32(amount_rao_q32 - take_q32))

    # Paying it

    def _stake(self, netuid: NetUid, pay: StakePay) -> None:
        self.stakes.increase(pay.hotkey, pay.coldkey, netuid, pay.amount)

    def _pay_miners(self, netuid: NetUid, miners: Sequence[MinerPay]) -> None:
        for miner in miners:
            if miner.staked is not None:
                self._pay_miner(netuid, miner.hotkey, miner.staked)
        total = sum(miner.incentive for miner in miners)
        burned = sum(miner.incentive for miner in miners if miner.staked is None)
        self.miner_burned[netuid] = U96F32(kernel.proportion_q32(burned, total))

    def _pay_miner(self, netuid: NetUid, hotkey: AccountId, staked: StakePay) -> None:
        named = self.stakes.auto_stake_destination[staked.coldkey, netuid]
        if named is not None:
            told = AutoStakeAdded(netuid, named, hotkey, staked.coldkey, staked.amount)
            self.deposit(told)
        self._stake(netuid, staked)

    def _pay_dividend(self, netuid: NetUid, pay: DividendPay) -> None:
        hotkey = pay.hotkey
        self.stakes.increase(hotkey, pay.coldkey, netuid, pay.take)
        self.stakes.pay(hotkey, netuid, pay.rest)
        self.alpha_dividends_per_subnet[netuid, hotkey] = pay.rest
        self.total_hotkey_alpha_last_epoch[hotkey, netuid] = self.stakes.total_of(hotkey, netuid)

    def _pay_root(self, netuid: NetUid, pay: RootPay) -> None:
        hotkey = pay.hotkey
        self.stakes.increase(hotkey, pay.coldkey, netuid, pay.take)
        if pay.claim_q32 is None:
            self.stakes.increase(hotkey, pay.coldkey, netuid, pay.rest)
        else:
            claims = dict(self.root_claimable[hotkey])
            claims[netuid] = I96F32(claims.get(netuid, 0) + pay.claim_q32)
            self.root_claimable[hotkey] = dict(sorted(claims.items()))
        self.root_alpha_dividends_per_subnet[netuid, hotkey] = pay.rest

    def remove_subnet(self, netuid: NetUid) -> None:
        """Forget the records of a subnet, and claims on its alpha: there is none left.

        Source: staking/claim_root.rs::finalize_all_subnet_root_dividends
        """
        del self.miner_burned[netuid]
        self.alpha_dividends_per_subnet.clear(netuid)
        self.root_alpha_dividends_per_subnet.clear(netuid)
        for hotkey, at in self.total_hotkey_alpha_last_epoch.keys():  # noqa: SIM118  # a storage map
            if at == netuid:
                del self.total_hotkey_alpha_last_epoch[hotkey, at]
        for hotkey, claims in self.root_claimable.items():
            if netuid not in claims:
                continue
            if rest := {at: claim for at, claim in claims.items() if at != netuid}:
                self.root_claimable[hotkey] = rest
            else:
                del self.root_claimable[hotkey]
