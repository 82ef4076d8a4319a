"""What the block emission is shared by: slow averages of prices, and the root's part of each subnet.

Both are brought up to date after the block's emission was shared by their former values, so that
nobody can move a price and be paid for it within the block.

Source: subtensor@14bc6f9 `coinbase/block_step.rs`, `staking/stake_utils.rs::update_moving_price`.
"""

from __future__ import annotations

from mycelia.codec import I96F32, U64, U96F32
from mycelia.frame import Identity, Map, Pallet, State, Value
from mycelia.pallets.subtensor.emission import kernel
from mycelia.pallets.subtensor.hyperparameters.table import NetworkParameters
from mycelia.pallets.subtensor.needs import Clock, Exchange
from mycelia.pallets.subtensor.staking.pools import Pools
from mycelia.pallets.subtensor.subnets.pallet import Subnets
from mycelia.primitives import NetUid
from mycelia.primitives.fixed import ONE_Q64
from mycelia.primitives.ids import ROOT_NETUID

SMOOTHING_Q32 = I96F32(12_885)
"""0.000003: the average is half way to a new price after about a month."""
HALVING_BLOCKS = U64(201_600)


class Prices(Pallet, name="SubtensorModule"):
    """Averages of the subnets' prices."""

    subnet_moving_alpha = Value[I96F32](
        I96F32,
        default=SMOOTHING_Q32,
        doc="Part of the way to the present price that an old subnet's average goes in a block.",
    )
    # Identity: netuids are handed out by the chain.
    subnet_moving_price = Map[NetUid, I96F32](
        NetUid,
        I96F32,
        hasher=Identity,
        default=I96F32(0),
        doc="Average price of the subnet's alpha, in TAO, with 32 fraction bits.",
    )
    ema_price_halving_blocks = Map[NetUid, U64](
        NetUid,
        U64,
        hasher=Identity,
        default=HALVING_BLOCKS,
        doc="Age in blocks at which the average moves at half of its full speed.",
        name="EMAPriceHalvingBlocks",
    )
    root_prop = Map[NetUid, U96F32](
        NetUid,
        U96F32,
        hasher=Identity,
        default=U96F32(0),
        doc="The root's part of the subnet in the last block, with 32 fraction bits.",
    )

    clock: Clock
    network: NetworkParameters
    subnets: Subnets
    pools: Pools
    exchange: Exchange

    def __init__(
        self,
        state: State,
        *,
        clock: Clock,
        network: NetworkParameters,
        subnets: Subnets,
        pools: Pools,
        exchange: Exchange,
    ) -> None:
        super().__init__(
            state, clock=clock, network=network, subnets=subnets, pools=pools, exchange=exchange
        )

    def moving_price_q64(self, netuid: NetUid) -> int:
        """The average price in TAO, with 64 fraction bits; 1 for a subnet without a pool."""
        if not self.subnets.has_pool(netuid):
            return ONE_Q64
        return max(0, self.subnet_moving_price[netuid]) << 32

    def tao_weight_q32(self) -> int:
        """How much a TAO staked on the root counts beside an alpha, with 32 fraction bits."""
        return kernel.tao_weight_q32(self.network.tao_weight)

    def root_proportion_q32(self, netuid: NetUid) -> int:
        """The root's part of the subnet as of now, with 32 fraction bits."""
        return kernel.root_proportion_q32(
            self.pools.subnet_tao[ROOT_NETUID],
            self.tao_weight_q32(),
            self.pools.alpha_issuance(netuid),
        )

    def update(self, netuid: NetUid) -> None:
        """Take the present price and proportion into account."""
        started = max(0, (self.subnets.first_emission_block_number[netuid] or 0) - 1)
        moving = kernel.moving_price_q32(
            moving_q64=self.moving_price_q64(netuid),
            price_q64=self.exchange.price_q64(netuid),
            smoothing_q32=self.subnet_moving_alpha,
            age_blocks=max(0, self.clock.now() - started),
            halving_blocks=self.ema_price_halving_blocks[netuid],
        )
        self.subnet_moving_price[netuid] = I96F32(moving)
        self.root_prop[netuid] = U96F32(self.root_proportion_q32(netuid))

    def remove_subnet(self, netuid: NetUid) -> None:
        """Forget all of a subnet."""
        del self.subnet_moving_price[netuid], self.ema_price_halving_blocks[netuid]
        del self.root_prop[netuid]
