"""Naming children: they count with a part of their parent's stake, and share in what it earns.

Children named on a started subnet take effect at the first epoch after a cooldown, so that nobody can
lend stake for the moment of an epoch; before the start at once. A new subnet's first hotkey begins as
the child of everybody on the root network who has not declined that.

Source: subtensor@14bc6f9 `staking/set_children.rs`, `coinbase/block_step.rs`, `utils/rate_limiting.rs`.
Differs: pending children of a parent whose stake is below the threshold are dropped also when they would
take effect: not only `remove_stake` and its kin lower it.
"""

from __future__ import annotations

from typing import Final

from mycelia.codec import U16, U64
from mycelia.frame import (
    Blake2_128Concat,
    Event,
    Map,
    Origin,
    Pallet,
    State,
    Value,
    call,
    ensure,
)
from mycelia.pallets.subtensor.children.errors import (
    ChildParentInconsistency,
    DuplicateChild,
    InvalidChild,
    InvalidChildkeyTake,
    NotEnoughStakeToSetChildkeys,
    ProportionOverflow,
    TooManyChildren,
    TxChildkeyTakeRateLimitExceeded,
)
from mycelia.pallets.subtensor.children.families import Families
from mycelia.pallets.subtensor.cost import cost
from mycelia.pallets.subtensor.epoch.schedule import Schedule
from mycelia.pallets.subtensor.errors import (
    HotKeyNotRegisteredInSubNet,
    NonAssociatedColdKey,
    RegistrationNotPermittedOnRootSubnet,
    SubnetNotExists,
    TxRateLimitExceeded,
)
from mycelia.pallets.subtensor.needs import Clock, Exchange
from mycelia.pallets.subtensor.registration.neurons import Neurons
from mycelia.pallets.subtensor.staking.stakes import Family
from mycelia.pallets.subtensor.subnets.limits import RateLimits
from mycelia.pallets.subtensor.subnets.pallet import Subnets
from mycelia.primitives import AccountId, DispatchError, NetUid
from mycelia.primitives.fixed import U64_MAX
from mycelia.primitives.ids import ROOT_NETUID

MAX_CHILDREN: Final = 5
SET_CHILDREN_LIMIT_BLOCKS: Final = 150
FAST_COOLDOWN_BLOCKS: Final = U64(15)
FAST_TAKE_LIMIT_BLOCKS: Final = U64(5)
"""What a fast network starts with; its limit on naming children is the same as its cooldown."""
SET_CHILDREN: Final = U16(0)
SET_CHILDKEY_TAKE: Final = U16(1)
"""What was done, by the chain's number for it. Source: `utils/rate_limiting.rs::TransactionType`."""


class TxChildKeyTakeRateLimitSet(Event, index=42, tuple_like=True):
    """Root chose how long takes of children stay before they may rise again."""

    value: U64


class MinChildKeyTakeSet(Event, index=45, tuple_like=True):
    """Root chose the least take of children."""

    take: U16


class MaxChildKeyTakeSet(Event, index=47, tuple_like=True):
    """Root chose the largest take of children."""

    take: U16


class ChildKeyTakeSet(Event, index=48, tuple_like=True):
    """A hotkey takes another share of what its parents earn with it."""

    hotkey: AccountId
    take: U16


class SetChildrenScheduled(Event, index=75, tuple_like=True):
    """A hotkey's children take effect at the first epoch after the block."""

    hotkey: AccountId
    netuid: NetUid
    block: U64
    children: Family


class SetChildren(Event, index=76, tuple_like=True):
    """A hotkey's children took effect."""

    hotkey: AccountId
    netuid: NetUid
    children: Family


class AutoParentDelegationEnabledSet(Event, index=126):
    """A hotkey of the root network said whether it lends to new subnets."""

    hotkey: AccountId
    enabled: bool


class Children(Pallet, name="SubtensorModule"):
    """Naming children."""

    events = (
        TxChildKeyTakeRateLimitSet,
        MinChildKeyTakeSet,
        MaxChildKeyTakeSet,
        ChildKeyTakeSet,
        SetChildrenScheduled,
        SetChildren,
        AutoParentDelegationEnabledSet,
    )
    errors = (
        NotEnoughStakeToSetChildkeys,
        InvalidChild,
        DuplicateChild,
        ProportionOverflow,
        TooManyChildren,
        InvalidChildkeyTake,
        TxChildkeyTakeRateLimitExceeded,
        ChildParentInconsistency,
    )

    pending_child_key_cooldown = Value(
        U64, default=U64(7_200), doc="Blocks before a started subnet's new children take effect."
    )
    tx_childkey_take_rate_limit = Value(
        U64, default=U64(216_000), doc="Blocks before a hotkey may raise its take of parents again."
    )
    # Blake2_128Concat: users choose hotkeys.
    auto_parent_delegation_enabled = Map[AccountId, bool](
        AccountId,
        bool,
        hasher=Blake2_128Concat,
        default=True,
        doc="Whether a hotkey of the root network lends to the first hotkey of new subnets.",
    )

    families: Families
    subnets: Subnets
    neurons: Neurons
    limits: RateLimits
    schedule: Schedule
    exchange: Exchange
    clock: Clock

    def __init__(
        self,
        state: State,
        *,
        families: Families,
        subnets: Subnets,
        neurons: Neurons,
        limits: RateLimits,
        schedule: Schedule,
        exchange: Exchange,
        clock: Clock,
    ) -> None:
        super().__init__(
            state,
            families=families,
            subnets=subnets,
            neurons=neurons,
            limits=limits,
            schedule=schedule,
            exchange=exchange,
            clock=clock,
        )

    def genesis(self) -> None:
        """Let a fast network wait less."""
        if self.subnets.rules.is_fast():
            self.pending_child_key_cooldown = FAST_COOLDOWN_BLOCKS
            self.tx_childkey_take_rate_limit = FAST_TAKE_LIMIT_BLOCKS

    def on_initialize(self) -> None:
        """After epochs ran: children whose cooldown is over take effect."""
        now = U64(self.clock.now())
        for netuid in self.subnets.netuids():
            if self.schedule.last_epoch_block[netuid] == now:
                self._set_pending(netuid)

    @call(
        index=67,
        weight=cost(3_369_000_000, 0),
        emits=(SetChildrenScheduled, SetChildren),
        fails=(
            TxRateLimitExceeded,
            RegistrationNotPermittedOnRootSubnet,
            SubnetNotExists,
            NonAssociatedColdKey,
            DuplicateChild,
            InvalidChild,
            TooManyChildren,
            ProportionOverflow,
            ChildParentInconsistency,
            NotEnoughStakeToSetChildkeys,
        ),
    )
    def set_children(
        self, origin: Origin, hotkey: AccountId, netuid: NetUid, children: Family
    ) -> None:
        """Name a hotkey's children on a subnet, all at once. Signed by its coldkey."""
        self._schedule_children(origin.signed(), hotkey, netuid, children)

    @call(
        index=75,
        weight=cost(428_870_000, 4_498),
        emits=(ChildKeyTakeSet,),
        fails=(NonAssociatedColdKey, InvalidChildkeyTake, TxChildkeyTakeRateLimitExceeded),
    )
    def set_childkey_take(
        self, origin: Origin, hotkey: AccountId, netuid: NetUid, take: U16
    ) -> None:
        """Choose the share a hotkey takes of what parents earn with it; lowering is free. Signed by its coldkey."""
        coldkey, families = origin.signed(), self.families
        # CHECK
        ensure(families.stakes.owns(coldkey, hotkey), NonAssociatedColdKey)
        most = families.network.max_childkey_take
        ensure(families.least_take(netuid) <= take <= most, InvalidChildkeyTake)
        limit = self.tx_childkey_take_rate_limit
        in_time = self.limits.owner_passes(hotkey, netuid, SET_CHILDKEY_TAKE, limit)
        rises = take > families.take_of(hotkey, netuid)
        ensure(in_time or not rises, TxChildkeyTakeRateLimitExceeded)
        # CHANGE
        self.limits.mark_owner(hotkey, netuid, SET_CHILDKEY_TAKE)
        families.childkey_take[hotkey, netuid] = take
        # TELL
        self.deposit(ChildKeyTakeSet(hotkey, take))

    @call(index=69, weight=cost(105_760_000, 0), emits=(TxChildKeyTakeRateLimitSet,))
    def sudo_set_tx_childkey_take_rate_limit(self, origin: Origin, tx_rate_limit: U64) -> None:
        """Choose how long takes of children stay before they may rise again. Root."""
        origin.root()
        self.tx_childkey_take_rate_limit = tx_rate_limit
        self.deposit(TxChildKeyTakeRateLimitSet(tx_rate_limit))

    @call(index=76, weight=cost(125_006_000, 0), emits=(MinChildKeyTakeSet,))
    def sudo_set_min_childkey_take(self, origin: Origin, take: U16) -> None:
        """Choose the least take of children. Root."""
        origin.root()
        self.families.network.min_childkey_take = take
        self.deposit(MinChildKeyTakeSet(take))

    @call(index=77, weight=cost(125_006_000, 0), emits=(MaxChildKeyTakeSet,))
    def sudo_set_max_childkey_take(self, origin: Origin, take: U16) -> None:
        """Choose the largest take of children. Root."""
        origin.root()
        self.families.network.max_childkey_take = take
        self.deposit(MaxChildKeyTakeSet(take))

    @call(index=109, weight=cost(103_000_000, 0))
    def set_pending_childkey_cooldown(self, origin: Origin, cooldown: U64) -> None:
        """Choose how long new children of started subnets wait. Root."""
        origin.root()
        self.pending_child_key_cooldown = cooldown

    @call(
        index=135,
        weight=cost(178_023_000, 4_364),
        emits=(AutoParentDelegationEnabledSet,),
        fails=(NonAssociatedColdKey, HotKeyNotRegisteredInSubNet),
    )
    def set_auto_parent_delegation_enabled(
        self, origin: Origin, hotkey: AccountId, enabled: bool
    ) -> None:
        """Say whether a hotkey of the root network lends to new subnets. Signed by its coldkey."""
        coldkey = origin.signed()
        ensure(self.families.stakes.owns(coldkey, hotkey), NonAssociatedColdKey)
        ensure(self.neurons.has(ROOT_NETUID, hotkey), HotKeyNotRegisteredInSubNet)
        self.auto_parent_delegation_enabled[hotkey] = enabled
        self.deposit(AutoParentDelegationEnabledSet(hotkey, enabled))

    def lend_from_root(self, netuid: NetUid) -> None:
        """Make a new subnet's first hotkey the child of all on the root network who want that.

        Source: `do_set_root_validators_for_subnet`
        """
        child = self.subnets.subnet_owner_hotkey[netuid]
        for parent in self.neurons.hotkeys(ROOT_NETUID):
            if parent == child or not self.auto_parent_delegation_enabled[parent]:
                continue
            coldkey = self.families.stakes.owner[parent]
            try:
                with self.state.transaction():
                    self._schedule_children(coldkey, parent, netuid, ((U64(U64_MAX), child),))
            except DispatchError:  # this one can't: the others still do
                continue

    def _schedule_children(
        self, coldkey: AccountId, hotkey: AccountId, netuid: NetUid, children: Family
    ) -> None:
        # CHECK
        is_fast = self.subnets.rules.is_fast()
        limit = FAST_COOLDOWN_BLOCKS if is_fast else SET_CHILDREN_LIMIT_BLOCKS
        in_time = self.limits.owner_passes(hotkey, netuid, SET_CHILDREN, limit)
        ensure(in_time, TxRateLimitExceeded)
        ensure(netuid != ROOT_NETUID, RegistrationNotPermittedOnRootSubnet)
        self.subnets.check_exists(netuid)
        ensure(self.families.stakes.owns(coldkey, hotkey), NonAssociatedColdKey)
        ensure(len({child for _, child in children}) == len(children), DuplicateChild)
        ensure(len(children) <= MAX_CHILDREN, TooManyChildren)
        self.families.check(hotkey, netuid, children)
        ensure(self._may_lend(hotkey, netuid, children), NotEnoughStakeToSetChildkeys)
        # CHANGE
        self.limits.mark_owner(hotkey, netuid, SET_CHILDREN)
        if not self.subnets.is_started(netuid):
            self._apply(hotkey, netuid, children)
            return
        block = U64(min(U64_MAX, self.clock.now() + self.pending_child_key_cooldown))
        self.families.stakes.pending_child_keys[netuid, hotkey] = (children, block)
        # TELL
        self.deposit(SetChildrenScheduled(hotkey, netuid, block, children))

    def _may_lend(self, hotkey: AccountId, netuid: NetUid, children: Family) -> bool:
        """Whether the parent's own stake, in TAO at present prices, reaches the threshold, or need not."""
        threshold = self.families.network.stake_threshold
        if not children or not threshold or hotkey == self.subnets.subnet_owner_hotkey[netuid]:
            return True
        stakes = self.families.stakes
        worth_q64 = sum(
            stakes.total_of(hotkey, at) * self.exchange.price_q64(at)
            for at in self.subnets.netuids()
        )
        return worth_q64 >> 64 >= threshold

    def _set_pending(self, netuid: NetUid) -> None:
        pending = self.families.stakes.pending_child_keys
        started = self.subnets.is_started(netuid)
        for hotkey, (children, block) in list(pending.under(netuid)):
            if block < self.clock.now() or not started:
                if self._may_lend(hotkey, netuid, children):
                    self._apply(hotkey, netuid, children)
                del pending[netuid, hotkey]

    def _apply(self, hotkey: AccountId, netuid: NetUid, children: Family) -> None:
        """Let children take effect, unless what was true when they were named is not any more."""
        try:
            self.families.check(hotkey, netuid, children)
        except DispatchError:
            return
        self.families.set_children(hotkey, netuid, children)
        self.deposit(SetChildren(hotkey, netuid, children))
