"""Buying and selling a subnet's alpha: a quote of the exchange, booked in the pools.

Not here: whose TAO and whose stake; see `staking.pallet`.
Source: subtensor@14bc6f9 `staking/stake_utils.rs::swap_tao_for_alpha`, `swap_alpha_for_tao`.
Differs: `SubnetVolume` and `TotalStake` count what reaches the pool; there the fee is counted too.
"""

from __future__ import annotations

from mycelia.pallets.subtensor.needs import Exchange, Trade
from mycelia.pallets.subtensor.staking.pools import Pools
from mycelia.primitives import NetUid


class Market:
    """Trades against the pools. Has no state of its own."""

    def __init__(self, *, pools: Pools, exchange: Exchange) -> None:
        self.pools, self.exchange = pools, exchange

    def buy(
        self, netuid: NetUid, tao_rao: int, limit_price: int | None = None, *, free: bool = False
    ) -> Trade:
        """Buy alpha for TAO that is on the subnet's account; without a fee when `free`."""
        trade = self.exchange.quote_buy(netuid, tao_rao, limit_price, free=free)
        self.pools.bought(netuid, trade)
        return trade

    def sell(
        self, netuid: NetUid, alpha_rao: int, limit_price: int | None = None, *, free: bool = False
    ) -> Trade:
        """Sell alpha for TAO that stays on the subnet's account; without a fee when `free`."""
        trade = self.exchange.quote_sell(netuid, alpha_rao, limit_price, free=free)
        self.pools.sold(netuid, trade)
        return trade

    def value_rao(self, netuid: NetUid, alpha_rao: int) -> int:
        """What alpha is worth at the present price, without slippage or fee, rounded down."""
        return (alpha_rao * self.exchange.price_q64(netuid)) >> 64
