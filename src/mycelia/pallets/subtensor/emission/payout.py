"""Pays out an epoch: the owner's cut, the miners, the validators and who staked with them.

All pay is stake. Miners are paid behind their own hotkey, or behind the one that their coldkey
named; what an epoch grants to hotkeys of the subnet's owner is burned: it still counts as issued but
is nobody's. What a validator earned with lent stake falls to those who lent it. Validators take their
share first, the rest goes to all that staked with them.
Dividends earned by stake on the root are kept as a claim, per root TAO behind the hotkey.

Source: subtensor@14bc6f9 `coinbase/run_coinbase.rs::distribute_emission` and below,
`staking/claim_root.rs::increase_root_claimable_for_hotkey_and_subnet`.
Differs: a hotkey without dividend gets no entry in the maps of dividends; it reads as zero all the
same. Owners cannot choose to recycle instead of burn, or lease; no call lets them.
"""

from __future__ import annotations

from collections.abc import Sequence

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
        ordered = sorted(earned, key=lambda grant: grant.hotkey)
        # Before anything is staked: dividends are parted by the stake that earned them.
        dividends = self.families.dividends_by_lender(
            netuid, {grant.hotkey: grant.dividend for grant in ordered if grant.dividend}
        )
        shares = kernel.dividend_distribution(
            dividends,
            {hotkey: self._stakes_of(netuid, hotkey) for hotkey in dividends},
            self.prices.tao_weight_q32(),
            validators,
            root,
        )
        self._pay_owner(netuid, owner_cut)
        self._pay_miners(netuid, ordered)
        self.alpha_dividends_per_subnet.clear(netuid)
        for hotkey, amount_q32 in shares.alpha_q32.items():
            self._pay_dividend(netuid, hotkey, amount_q32)
        self.root_alpha_dividends_per_subnet.clear(netuid)
        for hotkey, amount_q32 in shares.root_q32.items():
            self._pay_root_dividend(netuid, hotkey, amount_q32)

    def owner_hotkeys(self, netuid: NetUid) -> frozenset[AccountId]:
        """The hotkeys of the subnet's owner that hold a uid: what they mine is burned."""
        owned = self.stakes.owned_hotkeys[self.subnets.owner_of(netuid)]
        keys = (*owned, self.subnets.subnet_owner_hotkey[netuid])
        return frozenset(hotkey for hotkey in keys if self.neurons.has(netuid, hotkey))

    def _stakes_of(self, netuid: NetUid, hotkey: AccountId) -> tuple[int, int]:
        return self.stakes.total_of(hotkey, netuid), self.stakes.total_of(hotkey, ROOT_NETUID)

    def _pay_owner(self, netuid: NetUid, amount: Alpha) -> None:
        subnets = self.subnets
        if netuid in subnets.subnet_owner and netuid in subnets.subnet_owner_hotkey:
            hotkey = subnets.subnet_owner_hotkey[netuid]
            self.stakes.increase(hotkey, subnets.owner_of(netuid), netuid, amount)

    def _pay_miners(self, netuid: NetUid, earned: Sequence[Earned]) -> None:
        owner_hotkeys = self.owner_hotkeys(netuid)
        burned = 0
        for grant in earned:
            if grant.hotkey in owner_hotkeys:
                burned += grant.incentive
            elif grant.incentive:
                self._pay_miner(netuid, grant.hotkey, grant.incentive)
        total = sum(grant.incentive for grant in earned)
        self.miner_burned[netuid] = U96F32(kernel.proportion_q32(burned, total))

    def _pay_miner(self, netuid: NetUid, hotkey: AccountId, amount: Alpha) -> None:
        owner = self.stakes.owner[hotkey]
        named = self.stakes.auto_stake_destination[owner, netuid]
        if named is not None:
            self.deposit(AutoStakeAdded(netuid, named, hotkey, owner, amount))
        self.stakes.increase(named or hotkey, owner, netuid, amount)

    def _pay_dividend(self, netuid: NetUid, hotkey: AccountId, amount_q32: int) -> None:
        rest = Alpha(u64_of_q32(self._pay_take(netuid, hotkey, amount_q32)))
        self.stakes.pay(hotkey, netuid, rest)
        self.alpha_dividends_per_subnet[netuid, hotkey] = rest
        self.total_hotkey_alpha_last_epoch[hotkey, netuid] = self.stakes.total_of(hotkey, netuid)

    def _pay_root_dividend(self, netuid: NetUid, hotkey: AccountId, amount_q32: int) -> None:
        if not amount_q32:
            return
        rest = Alpha(u64_of_q32(self._pay_take(netuid, hotkey, amount_q32)))
        root_rao = self.stakes.total_of(hotkey, ROOT_NETUID)
        if rest > root_rao:
            self.stakes.increase(hotkey, self.stakes.owner[hotkey], netuid, rest)
        else:
            claims = dict(self.root_claimable[hotkey])
            claims[netuid] = I96F32(claims.get(netuid, 0) + kernel.proportion_q32(rest, root_rao))
            self.root_claimable[hotkey] = dict(sorted(claims.items()))
        self.root_alpha_dividends_per_subnet[netuid, hotkey] = rest

    def _pay_take(self, netuid: NetUid, hotkey: AccountId, amount_q32: int) -> int:
        """Pay the validator its take; what is left for others, with 32 fraction bits."""
        take_q32 = kernel.taken_q32(amount_q32, self.stakes.take_of(hotkey))
        taken = Alpha(u64_of_q32(take_q32))
        self.stakes.increase(hotkey, self.stakes.owner[hotkey], netuid, taken)
        return amount_q32 - take_q32

    def remove_subnet(self, netuid: NetUid) -> None:
        """Forget the records of a subnet; claims stay, they are people's."""
        del self.miner_burned[netuid]
        self.alpha_dividends_per_subnet.clear(netuid)
        self.root_alpha_dividends_per_subnet.clear(netuid)
