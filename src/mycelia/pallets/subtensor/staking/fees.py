"""Fees in alpha: who unstakes and has no TAO to pay with pays with the alpha that it unstakes.

Only calls that turn one position into TAO: `unstake_all` counts where the hotkey has stake on one subnet alone. As
much alpha as is worth the fee at the present price is sold, without a fee on the trade, so slippage makes the fee a
little lower.

Source: subtensor@14bc6f9 `pallets/transaction-fee/src/lib.rs`.
Differs: with nobody named as the author the TAO leaves circulation, as other fees do here; there the call is free. So
does what is too little to create the author's account; there the extrinsic is refused. A position that can't be sold
pays nothing, so its owner is refused.
"""

from __future__ import annotations

from typing import Final

from mycelia.codec import U64
from mycelia.frame import Call, Event, Pallet, State
from mycelia.pallets.subtensor.events import StakeRemoved
from mycelia.pallets.subtensor.staking.market import Market
from mycelia.pallets.subtensor.staking.stakes import Stakes
from mycelia.pallets.subtensor.subnets.custody import Custody
from mycelia.pallets.subtensor.subnets.pallet import Subnets
from mycelia.primitives import AccountId, Alpha, DispatchError, NetUid, Tao

OF_ONE: Final = ("remove_stake", "remove_stake_limit", "remove_stake_full_limit")
OF_ALL: Final = ("unstake_all", "unstake_all_alpha")


class TransactionFeePaidWithAlpha(Event, index=123):
    """A fee was paid with alpha, which was sold for the TAO told."""

    who: AccountId
    netuid: NetUid
    alpha_fee: Alpha
    tao_amount: Tao


class AlphaFees(Pallet, name="SubtensorModule"):
    """Who unstakes without TAO pays with the alpha that it unstakes."""

    events = (TransactionFeePaidWithAlpha,)

    subnets: Subnets
    stakes: Stakes
    market: Market
    custody: Custody

    def __init__(
        self,
        state: State,
        *,
        subnets: Subnets,
        stakes: Stakes,
        market: Market,
        custody: Custody,
    ) -> None:
        super().__init__(state, subnets=subnets, stakes=stakes, market=market, custody=custody)

    def covers(self, who: AccountId, call: Call, fee: Tao) -> bool:
        """Whether the position that the call unstakes is worth the fee and can be sold for it."""
        position = self._position(who, call)
        if position is None:
            return False
        hotkey, netuid = position
        alpha = self._worth(netuid, fee)
        if not 0 < alpha <= self.stakes.stake_of(hotkey, who, netuid):
            return False
        try:
            self.market.exchange.quote_sell(netuid, alpha, free=True)
        except DispatchError:
            return False
        return True

    def pay(self, who: AccountId, call: Call, fee: Tao) -> None:
        """Sell what a fee that is covered is worth, and give it to the block's author. Tells it."""
        position = self._position(who, call)
        if position is None:
            return
        hotkey, netuid = position
        alpha = self._worth(netuid, fee)
        tao = Tao(self.market.sell(netuid, alpha, free=True).paid_out)
        self.stakes.decrease(hotkey, who, netuid, alpha)
        author = self.custody.author()
        if author is not None and self.custody.reaches(author, tao):
            self.custody.pay_out(netuid, author, tao)
        else:
            self.custody.recycle(netuid, tao)
        self.market.pools.record_flow(netuid, -tao)
        self.stakes.touch(who, hotkey)
        self.deposit(StakeRemoved(who, hotkey, tao, alpha, netuid, U64(0)))
        self.deposit(TransactionFeePaidWithAlpha(who, netuid, alpha, tao))

    def _worth(self, netuid: NetUid, fee: Tao) -> Alpha:
        """Alpha worth a fee at the present price, rounded down: the payer gains the fraction."""
        price_q64 = self.market.exchange.price_q64(netuid)
        return Alpha((fee << 64) // price_q64 if price_q64 else 0)

    def _position(self, who: AccountId, call: Call) -> tuple[AccountId, NetUid] | None:
        """The one position that a call unstakes, on a subnet that was started."""
        if call.pallet != self.spec.name or call.spec.name not in OF_ONE + OF_ALL:
            return None
        hotkey: AccountId = call.args["hotkey"]
        netuids = self.subnets.netuids() if call.spec.name in OF_ALL else [call.args["netuid"]]
        held = [
            netuid
            for netuid in netuids
            if self.subnets.is_started(netuid) and self.stakes.stake_of(hotkey, who, netuid)
        ]
        return (hotkey, held[0]) if len(held) == 1 else None
