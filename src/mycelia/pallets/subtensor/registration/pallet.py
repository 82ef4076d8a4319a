"""Registration: a hotkey pays the price of a slot and gets one, in a full subnet at the expense of another.

Terms: *price* - what a slot costs now (`Burn`); it jumps with each registration and halves every half-life; *immune* -
registered less than `ImmunityPeriod` blocks ago.

The price buys alpha from the subnet's pool, and that alpha is recycled: holders gain, issuance falls.
Source: subtensor@14bc6f9 `subnets/{registration,uids}.rs`, `coinbase/root.rs::do_root_register`.
Differs: the purchase's fee goes to the block's author, where it is left beside the pool there. A price that buys no
alpha is recycled as TAO, and the call does not fail. Registrations on the root are counted anew each tempo; there in
each block of a chain older than one, since no epoch of the root uses its slot.
"""

from __future__ import annotations

from typing import Final, Protocol

from mycelia.codec import U16, U64
from mycelia.frame import Identity, Map, Origin, Pallet, State, call, ensure
from mycelia.pallets.subtensor.cost import cost
from mycelia.pallets.subtensor.epoch.results import Results
from mycelia.pallets.subtensor.errors import (
    CannotUseSystemAccount,
    HotKeyAlreadyRegisteredInSubNet,
    InsufficientTaoBalance,
    NonAssociatedColdKey,
    NoNeuronIdAvailable,
    NotEnoughBalanceToStake,
    RegistrationNotPermittedOnRootSubnet,
    RegistrationPriceLimitExceeded,
    RootNetworkDoesNotExist,
    StakeTooLowForRoot,
    SubnetNotExists,
    SubNetRegistrationDisabled,
    TooManyRegistrationsThisBlock,
    TooManyRegistrationsThisInterval,
)
from mycelia.pallets.subtensor.events import NeuronRegistered
from mycelia.pallets.subtensor.needs import Clock
from mycelia.pallets.subtensor.registration.kernel import (
    Candidate,
    bumped_price,
    decayed_price,
    uid_to_prune,
)
from mycelia.pallets.subtensor.registration.neurons import Neurons
from mycelia.pallets.subtensor.staking.market import Market
from mycelia.pallets.subtensor.staking.stakes import Stakes
from mycelia.pallets.subtensor.subnets.custody import Custody
from mycelia.pallets.subtensor.subnets.pallet import Subnets
from mycelia.primitives import AccountId, Alpha, DispatchError, NetUid, Tao, Uid
from mycelia.primitives.ids import ROOT_NETUID

ROOT_INTERVAL_MULTIPLE: Final = 3
_REGISTER: Final = (
    RegistrationNotPermittedOnRootSubnet,
    SubnetNotExists,
    SubNetRegistrationDisabled,
    HotKeyAlreadyRegisteredInSubNet,
    NotEnoughBalanceToStake,
    CannotUseSystemAccount,
    NonAssociatedColdKey,
    NoNeuronIdAvailable,
    InsufficientTaoBalance,
)


class Rows(Protocol):
    """What validators say."""

    def forget(self, netuid: NetUid, uid: Uid) -> None:
        """Drop the weights of a slot, and make those on it zero."""


class Endpoints(Protocol):
    """Where neurons are reached."""

    def forget(self, netuid: NetUid, hotkey: AccountId) -> None: ...


class Registration(Pallet, name="SubtensorModule"):
    """A hotkey pays the price of a slot and gets one."""

    burn = Map[NetUid, Tao](
        NetUid, Tao, hasher=Identity, default=Tao(100_000_000), doc="Price of a slot, in rao."
    )
    registrations_this_block = Map[NetUid, U16](
        NetUid, U16, hasher=Identity, default=U16(0), doc="Registrations in this block."
    )
    registrations_this_interval = Map[NetUid, U16](
        NetUid,
        U16,
        hasher=Identity,
        default=U16(0),
        doc="Registrations on the root since its last epoch.",
    )
    rao_recycled_for_registration = Map[NetUid, Tao](
        NetUid,
        Tao,
        hasher=Identity,
        default=Tao(0),
        doc="What was paid for slots so far, in rao.",
        name="RAORecycledForRegistration",
    )

    subnets: Subnets
    neurons: Neurons
    stakes: Stakes
    market: Market
    custody: Custody
    results: Results
    rows: Rows
    endpoints: Endpoints
    clock: Clock

    def __init__(
        self,
        state: State,
        *,
        subnets: Subnets,
        neurons: Neurons,
        stakes: Stakes,
        market: Market,
        custody: Custody,
        results: Results,
        rows: Rows,
        endpoints: Endpoints,
        clock: Clock,
    ) -> None:
        super().__init__(
            state,
            subnets=subnets,
            neurons=neurons,
            stakes=stakes,
            market=market,
            custody=custody,
            results=results,
            rows=rows,
            endpoints=endpoints,
            clock=clock,
        )

    def on_initialize(self) -> None:
        """Let prices fall and count the block's registrations from zero."""
        limits = self.subnets.parameters
        now = self.clock.now()
        for netuid in self.subnets.netuids():
            price = self.burn[netuid]
            half_life = limits.burn_half_life[netuid] if now > 1 else 0
            low, high = limits.min_burn[netuid], limits.max_burn[netuid]
            after = decayed_price(price, half_life, low, high)
            if after != price:
                self.burn[netuid] = Tao(after)
            if self.registrations_this_block[netuid]:
                del self.registrations_this_block[netuid]
        if now % max(1, limits.tempo[ROOT_NETUID]) == 0:
            del self.registrations_this_interval[ROOT_NETUID]

    @call(index=7, weight=cost(4_087_000_000, 6_148), emits=(NeuronRegistered,), fails=_REGISTER)
    def burned_register(self, origin: Origin, netuid: NetUid, hotkey: AccountId) -> None:
        """Register a hotkey on a subnet for the price of a slot. Signed by the coldkey that will own it."""
        self._register(origin.signed(), netuid, hotkey)

    @call(
        index=134,
        weight=cost(5_529_200_000, 0),
        emits=(NeuronRegistered,),
        fails=(*_REGISTER, RegistrationPriceLimitExceeded),
    )
    def register_limit(
        self, origin: Origin, netuid: NetUid, hotkey: AccountId, limit_price: U64
    ) -> None:
        """Register a hotkey unless a slot costs more than the limit, in rao. Signed by the coldkey that will own it."""
        coldkey = origin.signed()
        ensure(netuid != ROOT_NETUID, RegistrationNotPermittedOnRootSubnet)
        self.subnets.check_exists(netuid)
        ensure(self.burn[netuid] <= limit_price, RegistrationPriceLimitExceeded)
        self._register(coldkey, netuid, hotkey)

    def _register(self, coldkey: AccountId, netuid: NetUid, hotkey: AccountId) -> None:
        # CHECK
        ensure(netuid != ROOT_NETUID, RegistrationNotPermittedOnRootSubnet)
        self.subnets.check_exists(netuid)
        limits = self.subnets.parameters
        ensure(limits.network_registration_allowed[netuid], SubNetRegistrationDisabled)
        ensure(not self.neurons.has(netuid, hotkey), HotKeyAlreadyRegisteredInSubNet)
        price = self.burn[netuid]
        ensure(self.custody.affords(coldkey, price), NotEnoughBalanceToStake)
        # CHANGE
        self.stakes.claim(coldkey, hotkey)
        ensure(self.stakes.owns(coldkey, hotkey), NonAssociatedColdKey)
        taken = self._taken_slot(netuid)
        self._spend(netuid, self.custody.pay_in(netuid, coldkey, price))
        uid = self._seat(netuid, hotkey, taken)
        self.registrations_this_block[netuid] = U16(self.registrations_this_block[netuid] + 1)
        recycled = self.rao_recycled_for_registration[netuid] + price
        self.rao_recycled_for_registration[netuid] = Tao(recycled)
        low, high = limits.min_burn[netuid], limits.max_burn[netuid]
        multiple = limits.burn_increase_mult[netuid]
        self.burn[netuid] = Tao(bumped_price(price, multiple, low, high))
        # TELL
        self.deposit(NeuronRegistered(netuid, uid, hotkey))

    @call(
        index=62,
        weight=cost(2_179_000_000, 4_981),
        emits=(NeuronRegistered,),
        fails=(
            RootNetworkDoesNotExist,
            TooManyRegistrationsThisBlock,
            TooManyRegistrationsThisInterval,
            HotKeyAlreadyRegisteredInSubNet,
            CannotUseSystemAccount,
            StakeTooLowForRoot,
        ),
    )
    def root_register(self, origin: Origin, hotkey: AccountId) -> None:
        """Register a hotkey on the root, when full in place of the least staked. Signed by the coldkey."""
        coldkey, root = origin.signed(), ROOT_NETUID
        # CHECK
        ensure(self.subnets.exists(root), RootNetworkDoesNotExist)
        limits = self.subnets.parameters
        this_block = self.registrations_this_block[root]
        ensure(this_block < limits.max_registrations_per_block[root], TooManyRegistrationsThisBlock)
        this_interval = self.registrations_this_interval[root]
        most = limits.target_registrations_per_interval[root] * ROOT_INTERVAL_MULTIPLE
        ensure(this_interval < most, TooManyRegistrationsThisInterval)
        ensure(not self.neurons.has(root, hotkey), HotKeyAlreadyRegisteredInSubNet)
        # CHANGE
        self.stakes.claim(coldkey, hotkey)
        if self.neurons.size(root) < limits.max_allowed_uids[root]:
            uid = self._append(root, hotkey)
        else:
            staked = [self.stakes.total_of(key, root) for key in self.neurons.hotkeys(root)]
            uid = Uid(staked.index(min(staked)))
            ensure(min(staked) < self.stakes.total_of(hotkey, root), StakeTooLowForRoot)
            self._replace(root, uid, hotkey)
        self.stakes.become_delegate(hotkey)
        self.registrations_this_block[root] = U16(this_block + 1)
        self.registrations_this_interval[root] = U16(this_interval + 1)
        # TELL
        self.deposit(NeuronRegistered(root, uid, hotkey))

    def open(self, netuid: NetUid, hotkey: AccountId, price: Tao) -> None:
        """Give the owner's hotkey the first slot of a new subnet, and later ones a price."""
        self.burn[netuid] = price
        self._append(netuid, hotkey)

    def remove_subnet(self, netuid: NetUid) -> None:
        """Forget prices and counts."""
        for item in (
            self.burn,
            self.registrations_this_block,
            self.registrations_this_interval,
            self.rao_recycled_for_registration,
        ):
            del item[netuid]

    def is_immune(self, netuid: NetUid, uid: Uid) -> bool:
        """Whether the neuron registered less than `ImmunityPeriod` blocks ago."""
        age = self.clock.now() - self.neurons.block_at_registration[netuid, uid]
        return age < self.subnets.parameters.immunity_period[netuid]

    def _spend(self, netuid: NetUid, paid: Tao) -> None:
        """Buy alpha and recycle it. Where the pool gives none, the TAO is recycled: that must not close a subnet."""
        try:
            trade = self.market.buy(netuid, paid)
        except DispatchError:
            self.custody.recycle(netuid, paid)
            return
        self.market.pools.recycle(netuid, Alpha(trade.paid_out))
        self.custody.pay_author(netuid, Tao(trade.fee))
        self.market.pools.record_flow(netuid, paid)

    def _taken_slot(self, netuid: NetUid) -> Uid | None:
        """Whose slot a newcomer gets; None where it gets a new one. `NoNeuronIdAvailable` where it gets none."""
        slots = self.subnets.parameters.max_allowed_uids[netuid]
        if self.neurons.size(netuid) < slots:
            return None
        uid = self._uid_to_prune(netuid) if slots else None
        if uid is None:
            raise NoNeuronIdAvailable
        return uid

    def _seat(self, netuid: NetUid, hotkey: AccountId, taken: Uid | None) -> Uid:
        if taken is None:
            return self._append(netuid, hotkey)
        self._replace(netuid, taken, hotkey)
        return taken

    def _append(self, netuid: NetUid, hotkey: AccountId) -> Uid:
        uid = self.neurons.append(netuid, hotkey)
        self.results.append_neuron(netuid, self.clock.now())
        return uid

    def _replace(self, netuid: NetUid, uid: Uid, hotkey: AccountId) -> None:
        former = self.neurons.replace(netuid, uid, hotkey)
        self.endpoints.forget(netuid, former)
        self.rows.forget(netuid, uid)
        self.results.clear_neuron(netuid, uid, self.clock.now())

    def _uid_to_prune(self, netuid: NetUid) -> Uid | None:
        kept = self.immortal(netuid)
        emissions = self.results.emission[netuid]
        candidates = (
            Candidate(
                emissions[uid],
                self.neurons.block_at_registration[netuid, Uid(uid)],
                Uid(uid),
                self.is_immune(netuid, Uid(uid)),
            )
            for uid in range(self.neurons.size(netuid))
            if uid not in kept
        )
        return uid_to_prune(candidates, self.subnets.parameters.min_non_immune_uids[netuid])

    def immortal(self, netuid: NetUid) -> tuple[Uid, ...]:
        """The owner's slots that are never given away: its hotkey's first, then its oldest others.

        Source: `registration.rs::get_immune_owner_tuples`.
        """
        most = self.subnets.parameters.immune_owner_uids_limit[netuid]
        owned = self.stakes.owned_hotkeys[self.subnets.owner_of(netuid)]
        slots = [uid for key in owned if (uid := self.neurons.uid_of(netuid, key)) is not None]
        slots.sort(key=lambda uid: (self.neurons.block_at_registration[netuid, uid], uid))
        kept = slots[:most]
        chief = self.neurons.uid_of(netuid, self.subnets.subnet_owner_hotkey[netuid])
        if chief is not None and chief not in kept:
            kept.insert(0, chief)
        return tuple(kept[:most])
