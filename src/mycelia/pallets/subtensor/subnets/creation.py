"""Creating a subnet: the price becomes the TAO side of its pool, the owner's hotkey its first neuron.

Terms: *price* - twice the last subnet's, falling by one last price per `NetworkLockReductionInterval` blocks.
Source: subtensor@14bc6f9 `subnets/subnet.rs::do_register_network`.
Differs: emission is on and Yuma 2 runs unless somebody decides otherwise. What the subnet is given is not told.
"""

from __future__ import annotations

from typing import Final

from mycelia.frame import Origin, Pallet, State, Value, call, ensure, view
from mycelia.pallets.subtensor.children.pallet import Children, SetChildren
from mycelia.pallets.subtensor.cost import cost
from mycelia.pallets.subtensor.emission.kernel import block_emission_rao
from mycelia.pallets.subtensor.epoch.schedule import Schedule
from mycelia.pallets.subtensor.errors import (
    CannotAffordLockCost,
    CannotUseSystemAccount,
    InsufficientTaoBalance,
    InvalidIdentity,
    NetworkTxRateLimitExceeded,
    NonAssociatedColdKey,
    SubnetLimitReached,
    SubNetRegistrationDisabled,
)
from mycelia.pallets.subtensor.events import (
    NetworkAdded,
    NetworkRemoved,
    SubnetIdentityRemoved,
    SubnetIdentitySet,
    SubnetOwnerHotkeySet,
)
from mycelia.pallets.subtensor.needs import Clock
from mycelia.pallets.subtensor.registration.pallet import Registration
from mycelia.pallets.subtensor.staking.market import Market
from mycelia.pallets.subtensor.staking.stakes import Stakes
from mycelia.pallets.subtensor.subnets.custody import Custody
from mycelia.pallets.subtensor.subnets.dissolution import Dissolution
from mycelia.pallets.subtensor.subnets.issuance import Issuance
from mycelia.pallets.subtensor.subnets.kernel import (
    alpha_at_price,
    lock_cost,
    netuid_of_account,
    scaled_interval,
)
from mycelia.pallets.subtensor.subnets.limits import RateLimits
from mycelia.pallets.subtensor.subnets.pallet import POOL_MECHANISM, Subnets
from mycelia.pallets.subtensor.types import NetworkLastRegistered, SubnetIdentityV3
from mycelia.primitives import AccountId, Alpha, Tao
from mycelia.primitives.fixed import ONE_Q64
from mycelia.primitives.ids import ROOT_NETUID

FIRST_SLOT_PRICE: Final = Tao(10**9)
_CREATED: Final = (
    NetworkAdded,
    NetworkRemoved,
    SubnetIdentityRemoved,
    SubnetOwnerHotkeySet,
    SetChildren,
)
_REFUSED: Final = (
    NonAssociatedColdKey,
    CannotUseSystemAccount,
    SubNetRegistrationDisabled,
    NetworkTxRateLimitExceeded,
    SubnetLimitReached,
    CannotAffordLockCost,
    InsufficientTaoBalance,
)


class Creation(Pallet, name="SubtensorModule"):
    """Creating a subnet."""

    network_last_lock_cost = Value(
        Tao, default=Tao(1000 * 10**9), doc="Price that was paid for the last subnet, in rao."
    )

    subnets: Subnets
    dissolution: Dissolution
    registration: Registration
    stakes: Stakes
    children: Children
    market: Market
    custody: Custody
    limits: RateLimits
    issuance: Issuance
    schedule: Schedule
    clock: Clock

    def __init__(
        self,
        state: State,
        *,
        subnets: Subnets,
        dissolution: Dissolution,
        registration: Registration,
        stakes: Stakes,
        children: Children,
        market: Market,
        custody: Custody,
        limits: RateLimits,
        issuance: Issuance,
        schedule: Schedule,
        clock: Clock,
    ) -> None:
        super().__init__(
            state,
            subnets=subnets,
            dissolution=dissolution,
            registration=registration,
            stakes=stakes,
            children=children,
            market=market,
            custody=custody,
            limits=limits,
            issuance=issuance,
            schedule=schedule,
            clock=clock,
        )

    @call(index=59, weight=cost(6_077_000_000, 9_947), emits=_CREATED, fails=_REFUSED)
    def register_network(self, origin: Origin, hotkey: AccountId) -> None:
        """Create a subnet for its price; the hotkey is its first neuron. Signed by the owner to be."""
        self.check_rate()
        self._create(origin.signed(), hotkey, None)

    @call(
        index=79,
        weight=cost(5_950_000_000, 9_883),
        emits=(*_CREATED, SubnetIdentitySet),
        fails=(*_REFUSED, InvalidIdentity),
    )
    def register_network_with_identity(
        self, origin: Origin, hotkey: AccountId, identity: SubnetIdentityV3 | None
    ) -> None:
        """Create a subnet and say what it is. Signed by the owner to be."""
        self._create(origin.signed(), hotkey, identity)

    def _create(
        self, coldkey: AccountId, hotkey: AccountId, identity: SubnetIdentityV3 | None
    ) -> None:
        network = self.subnets.network
        # CHECK
        ensure(
            not self.stakes.is_claimed(hotkey) or self.stakes.owns(coldkey, hotkey),
            NonAssociatedColdKey,
        )
        ensure(netuid_of_account(hotkey) is None, CannotUseSystemAccount)
        ensure(
            self.clock.now() >= network.network_registration_start_block,
            SubNetRegistrationDisabled,
        )
        self.check_rate()
        is_full = self.subnets.total_networks > network.subnet_limit
        pruned = self.dissolution.get_subnet_to_prune() if is_full else None
        ensure(not is_full or pruned is not None, SubnetLimitReached)
        price = self.get_network_registration_cost()
        ensure(self.custody.affords(coldkey, price), CannotAffordLockCost)
        # CHANGE
        if pruned is not None:
            self.dissolution.dissolve(pruned)
        netuid = self.subnets.next_netuid() if pruned is None else pruned
        paid = self.custody.pay_in(netuid, coldkey, price)
        alpha = Alpha(alpha_at_price(paid, self._median_price_q64()))
        self.network_last_lock_cost = paid
        self.limits.mark(NetworkLastRegistered())
        self.stakes.claim(coldkey, hotkey)
        self.subnets.add(netuid, coldkey, hotkey, paid)
        self.market.pools.open(netuid, paid, alpha)
        self.schedule.begin(netuid)
        self.registration.open(netuid, hotkey, FIRST_SLOT_PRICE)
        if identity is not None:
            self.subnets.identify(netuid, identity)
        self.children.lend_from_root(netuid)
        # TELL
        self.deposit(NetworkAdded(netuid, POOL_MECHANISM))

    def check_rate(self) -> None:
        """`NetworkTxRateLimitExceeded` where a subnet was created too recently for another."""
        limit = self.subnets.network.network_rate_limit
        ensure(self.limits.passes(NetworkLastRegistered(), limit), NetworkTxRateLimitExceeded)

    @view(api="SubnetRegistrationRuntimeApi")
    def get_network_registration_cost(self) -> Tao:
        """What a subnet costs now."""
        network = self.subnets.network
        interval = scaled_interval(
            network.network_lock_reduction_interval,
            block_emission_rao(self.issuance.total_issuance),
        )
        last_block = self.limits.last_rate_limited_block[NetworkLastRegistered()]
        return Tao(
            lock_cost(
                self.network_last_lock_cost,
                last_block,
                self.clock.now(),
                interval,
                network.network_min_lock_cost,
            )
        )

    def _median_price_q64(self) -> int:
        """The middle price of all subnets with a pool, of two their mean rounded down; 1 without any.

        Source: `staking/stake_utils.rs::get_median_subnet_alpha_price`.
        """
        exchange = self.market.exchange
        prices = sorted(exchange.price_q64(n) for n in self.subnets.netuids() if n != ROOT_NETUID)
        prices = [price for price in prices if price]
        if not prices:
            return ONE_Q64
        low, high = prices[(len(prices) - 1) // 2], prices[len(prices) // 2]
        return (low + high) // 2
