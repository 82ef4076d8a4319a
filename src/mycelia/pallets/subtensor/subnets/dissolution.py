"""Dissolving a subnet: its pool goes to those who hold its alpha, its number becomes free.

Terms: *pot* - the TAO of the subnet's pool; *claim* - what a holder's alpha is worth beside the others'. The alpha that
no holder has - in the pool, and bought by the chain - has a claim too, and that part of the pot is recycled.

Shares round down; what is left over goes to the largest remainders, so the pot is split to the rao.
Source: subtensor@14bc6f9 `coinbase/root.rs::{do_dissolve_network,get_network_to_prune}`,
`staking/remove_stake.rs::destroy_alpha_in_out_stakes`.
Differs: all that the subnet chose is forgotten, some of which survives there. No owner is refunded: that is for
subnets older than `NetworkRegistrationStartBlock`, which no call can move. A subnet of block 0 counts as old: the
alpha in its pool has no claim.
"""

from __future__ import annotations

from typing import Protocol

from mycelia.frame import Origin, Pallet, State, call, ensure, view
from mycelia.pallets.subtensor.cost import cost
from mycelia.pallets.subtensor.emission.pallet import Coinbase
from mycelia.pallets.subtensor.errors import SubnetNotExists
from mycelia.pallets.subtensor.events import NetworkRemoved, SubnetIdentityRemoved
from mycelia.pallets.subtensor.needs import Clock
from mycelia.pallets.subtensor.subnets.custody import Custody
from mycelia.pallets.subtensor.subnets.kernel import largest_remainders
from mycelia.pallets.subtensor.subnets.pallet import Subnets
from mycelia.primitives import AccountId, NetUid, Tao
from mycelia.primitives.ids import ROOT_NETUID

DISSOLVE = cost(3_369_000_000, 0)


class Remover(Protocol):
    """Keeps something of each subnet."""

    def remove_subnet(self, netuid: NetUid) -> None: ...


class Dissolution(Pallet, name="SubtensorModule"):
    """Dissolving a subnet, on root's word or to make room for a new one."""

    subnets: Subnets
    coinbase: Coinbase
    custody: Custody
    removers: tuple[Remover, ...]
    clock: Clock

    def __init__(
        self,
        state: State,
        *,
        subnets: Subnets,
        coinbase: Coinbase,
        custody: Custody,
        removers: tuple[Remover, ...],
        clock: Clock,
    ) -> None:
        """`removers` are all that keep something of a subnet, besides the subnets and pools themselves."""
        super().__init__(
            state,
            subnets=subnets,
            coinbase=coinbase,
            custody=custody,
            removers=removers,
            clock=clock,
        )

    @call(
        index=61,
        weight=DISSOLVE,
        emits=(NetworkRemoved, SubnetIdentityRemoved),
        fails=(SubnetNotExists,),
    )
    def dissolve_network(self, origin: Origin, coldkey: AccountId, netuid: NetUid) -> None:
        """Dissolve a subnet; the coldkey is not looked at. Root."""
        del coldkey
        origin.root()
        self.dissolve(netuid)

    @call(
        index=120,
        weight=DISSOLVE,
        emits=(NetworkRemoved, SubnetIdentityRemoved),
        fails=(SubnetNotExists,),
    )
    def root_dissolve_network(self, origin: Origin, netuid: NetUid) -> None:
        """Dissolve a subnet. Root."""
        origin.root()
        self.dissolve(netuid)

    @view(api="SubnetInfoRuntimeApi")
    def get_subnet_to_prune(self) -> NetUid | None:
        """The subnet that goes next when there are too many: the cheapest of those not immune, then the oldest."""
        now = self.clock.now()
        least_age = self.subnets.network.network_immunity_period
        candidates = [
            (self.coinbase.prices.moving_price_q64(netuid), registered_at, index)
            for index, netuid in enumerate(self.subnets.netuids())
            if netuid != ROOT_NETUID
            and now >= (registered_at := self.subnets.network_registered_at[netuid]) + least_age
        ]
        return self.subnets.netuids()[min(candidates)[2]] if candidates else None

    def dissolve(self, netuid: NetUid) -> None:
        """Pay the holders out and forget the subnet. `SubnetNotExists` for the root too."""
        # CHECK
        ensure(netuid != ROOT_NETUID and self.subnets.exists(netuid), SubnetNotExists)
        # CHANGE
        self._pay_out(netuid)
        for part in self.removers:
            part.remove_subnet(netuid)
        self.subnets.remove_subnet(netuid)
        # TELL
        self.deposit(NetworkRemoved(netuid))

    def _pay_out(self, netuid: NetUid) -> None:
        pools = self.coinbase.pools
        claims = self.coinbase.payout.stakes.claims_on(netuid)
        unowned_rao = int(pools.subnet_protocol_alpha[netuid])
        if self.subnets.network_registered_at[netuid] > 0:
            unowned_rao += pools.subnet_alpha_in[netuid]
        pot = pools.close(netuid)
        shares = largest_remainders(pot, [*(worth for _, worth in claims), unowned_rao])
        for (coldkey, _), share in zip(claims, shares, strict=False):
            self.custody.pay_out(netuid, coldkey, Tao(share))
        self.custody.recycle_rest(netuid)
