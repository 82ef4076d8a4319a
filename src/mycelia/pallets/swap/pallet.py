"""Swap: what a trade against a subnet's pool would give, and the fee on it.

Terms: *limit* - the worst price a trade may move the pool to, in rao of TAO per 10^9 rao of alpha. A
subnet without a pool (the root) trades one for one, free of charge and without limit.

Not here: the reserves, who trades, and where the fee goes. This pallet quotes; the caller books.
Source: subtensor@14bc6f9 `pallets/swap/src/pallet/{mod,impls}.rs`, `runtime/src/lib.rs`
(`SwapRuntimeApi`).
"""

from __future__ import annotations

from typing import Final, Protocol

from mycelia.codec import U16, U64, U64F64, Record
from mycelia.frame import (
    Constant,
    Error,
    Event,
    Map,
    Origin,
    Pallet,
    State,
    Twox64Concat,
    Weight,
    call,
    ensure,
    view,
)
from mycelia.pallets.swap import kernel
from mycelia.pallets.swap.kernel import Trade
from mycelia.primitives import Alpha, DispatchError, NetUid, Tao
from mycelia.primitives.fixed import ONE_Q64, U64_MAX

API: Final = "SwapRuntimeApi"


class Reserves(Protocol):
    """What lies in the pools."""

    def exists(self, netuid: NetUid) -> bool: ...
    def has_pool(self, netuid: NetUid) -> bool: ...
    def reserves(self, netuid: NetUid) -> tuple[Tao, Alpha]: ...
    def netuids(self) -> list[NetUid]: ...


class FeeRateSet(Event, index=0):
    """The fee on trades of a subnet's alpha changed."""

    netuid: NetUid
    rate: U16


class FeeRateTooHigh(Error, index=0):
    """The fee is above `MaxFeeRate`. Choose a lower one."""


class PriceLimitExceeded(Error, index=3):
    """The price is beyond the limit already. Wait, or accept a worse price."""


class ReservesTooLow(Error, index=7):
    """The pool is too small to trade against, or the amount too small to get anything."""


class MechanismDoesNotExist(Error, index=8):
    """There is no such subnet."""


class SwapInputTooLarge(Error, index=11):
    """The amount is more than a thousand times the pool. Split it."""


class SimSwapResult(Record, path="pallet_subtensor_swap_runtime_api::SimSwapResult"):
    """What a trade would move; slippage is what the same amount would give more at the present price."""

    tao_amount: Tao = Tao(0)
    alpha_amount: Alpha = Alpha(0)
    tao_fee: Tao = Tao(0)
    alpha_fee: Alpha = Alpha(0)
    tao_slippage: Tao = Tao(0)
    alpha_slippage: Alpha = Alpha(0)


class SubnetPrice(Record, path="pallet_subtensor_swap_runtime_api::SubnetPrice"):
    """Price of a subnet's alpha, in rao of TAO per 10^9 rao."""

    netuid: NetUid
    price: U64


class Swap(Pallet, name="Swap"):
    """What a trade against a subnet's pool would give, and the fee on it."""

    events = (FeeRateSet,)
    errors = (
        FeeRateTooHigh,
        PriceLimitExceeded,
        ReservesTooLow,
        MechanismDoesNotExist,
        SwapInputTooLarge,
    )

    max_fee_rate = Constant(U16, U16(10_000), doc="Highest fee, as a share of 65535.")
    minimum_reserve = Constant(
        U64, U64(kernel.MIN_RESERVE_RAO), doc="Least reserve that is traded against, in rao."
    )

    fee_rate = Map[NetUid, U16](
        NetUid,
        U16,
        hasher=Twox64Concat,
        default=U16(33),
        doc="Fee on trades of the subnet's alpha, as a share of 65535.",
    )

    alpha_sqrt_price = Map[NetUid, U64F64](
        NetUid,
        U64F64,
        hasher=Twox64Concat,
        default=U64F64(0),
        doc="Square root of the price of the subnet's alpha at the end of the last block.",
    )

    pools: Reserves

    def __init__(self, state: State, *, pools: Reserves) -> None:
        super().__init__(state, pools=pools)

    def on_finalize(self) -> None:
        """Write down prices, which clients of the 10.x line read in this form."""
        for netuid in self.pools.netuids():
            if self.pools.has_pool(netuid):
                sqrt = U64F64(kernel.sqrt_price_q64(*self.pools.reserves(netuid)))
                if sqrt != self.alpha_sqrt_price[netuid]:
                    self.alpha_sqrt_price[netuid] = sqrt

    @call(
        index=0,
        weight=Weight(U64(140_000_000), U64(3_994)),
        emits=(FeeRateSet,),
        fails=(MechanismDoesNotExist, FeeRateTooHigh),
    )
    def set_fee_rate(self, origin: Origin, netuid: NetUid, rate: U16) -> None:
        """Change the fee on trades of a subnet's alpha. Root."""
        # CHECK
        origin.root()
        ensure(self.pools.exists(netuid), MechanismDoesNotExist)
        ensure(rate <= self.max_fee_rate, FeeRateTooHigh)
        # CHANGE
        self.fee_rate[netuid] = rate
        # TELL
        self.deposit(FeeRateSet(netuid, rate))

    @view(api=API)
    def current_alpha_price(self, netuid: NetUid) -> U64:
        """Price of the subnet's alpha, in rao of TAO per 10^9 rao, rounded down."""
        return U64(min((self.price_q64(netuid) * kernel.PRICE_SCALE) >> 64, U64_MAX))

    @view(api=API)
    def current_alpha_price_all(self) -> tuple[SubnetPrice, ...]:
        """Prices of all subnets' alpha."""
        return tuple(SubnetPrice(n, self.current_alpha_price(n)) for n in self.pools.netuids())

    @view(api=API)
    def sim_swap_tao_for_alpha(self, netuid: NetUid, tao: Tao) -> SimSwapResult:
        """What staking the TAO would give; all zero where it would fail."""
        try:
            trade = self.quote_buy(netuid, tao)
        except DispatchError:
            return SimSwapResult()
        price = self.price_q64(netuid)
        straight = (tao << 64) // price if price else 0
        return SimSwapResult(
            tao_amount=Tao(trade.paid_in),
            alpha_amount=Alpha(trade.paid_out),
            tao_fee=Tao(trade.fee),
            alpha_slippage=Alpha(max(0, straight - trade.paid_out)),
        )

    @view(api=API)
    def sim_swap_alpha_for_tao(self, netuid: NetUid, alpha: Alpha) -> SimSwapResult:
        """What unstaking the alpha would give; all zero where it would fail."""
        try:
            trade = self.quote_sell(netuid, alpha)
        except DispatchError:
            return SimSwapResult()
        straight = (alpha * self.price_q64(netuid)) >> 64
        return SimSwapResult(
            tao_amount=Tao(trade.paid_out),
            alpha_amount=Alpha(trade.paid_in),
            alpha_fee=Alpha(trade.fee),
            tao_slippage=Tao(max(0, straight - trade.paid_out)),
        )

    def price_q64(self, netuid: NetUid) -> int:
        """TAO per alpha with 64 fraction bits, rounded down; 1 for a subnet without a pool."""
        if not self.pools.has_pool(netuid):
            return ONE_Q64
        return kernel.price_q64(*self.pools.reserves(netuid))

    def fee_of(self, netuid: NetUid, amount_rao: int) -> int:
        """The fee on an amount that is traded in full."""
        if not self.pools.has_pool(netuid):
            return 0
        return kernel.fee_of(amount_rao, self.fee_rate[netuid])

    def remove_subnet(self, netuid: NetUid) -> None:
        """Forget a subnet's fee and price."""
        del self.fee_rate[netuid], self.alpha_sqrt_price[netuid]

    def quote_buy(
        self, netuid: NetUid, tao_rao: int, limit_price: int | None = None, *, free: bool = False
    ) -> Trade:
        """What TAO buys until the price reaches the limit, the highest there is by default.

        `PriceLimitExceeded` when it is there already, `ReservesTooLow`, `SwapInputTooLarge`.
        """
        if not self.pools.has_pool(netuid):
            return Trade(tao_rao, tao_rao, 0)
        limit = kernel.MAX_LIMIT_PRICE if limit_price is None else limit_price
        tao, alpha = self.pools.reserves(netuid)
        rate = 0 if free else self.fee_rate[netuid]
        self._check(tao_rao, tao, alpha, rate)
        ensure(tao * kernel.PRICE_SCALE < limit * alpha, PriceLimitExceeded)
        room = kernel.tao_to_price(tao, alpha, limit)
        return self._filled(kernel.trade_until(tao_rao, tao, alpha, room, rate))

    def quote_sell(
        self, netuid: NetUid, alpha_rao: int, limit_price: int | None = None, *, free: bool = False
    ) -> Trade:
        """What alpha sells for until the price falls to the limit, the lowest there is by default.

        `PriceLimitExceeded` when it is there already, `ReservesTooLow`, `SwapInputTooLarge`.
        """
        if not self.pools.has_pool(netuid):
            return Trade(alpha_rao, alpha_rao, 0)
        limit = kernel.MIN_LIMIT_PRICE if limit_price is None else limit_price
        tao, alpha = self.pools.reserves(netuid)
        rate = 0 if free else self.fee_rate[netuid]
        self._check(alpha_rao, alpha, tao, rate)
        ensure(tao * kernel.PRICE_SCALE > limit * alpha, PriceLimitExceeded)
        # A limit of nothing never stops a sale.
        room = kernel.alpha_to_price(tao, alpha, limit) if limit else alpha_rao
        return self._filled(kernel.trade_until(alpha_rao, alpha, tao, room, rate))

    def _check(
        self, amount_rao: int, reserve_in_rao: int, reserve_out_rao: int, rate_u16: int
    ) -> None:
        paid_in = amount_rao - kernel.fee_of(amount_rao, rate_u16)
        ensure(paid_in <= reserve_in_rao * kernel.MAX_INPUT_RESERVES, SwapInputTooLarge)
        ensure(reserve_out_rao >= self.minimum_reserve, ReservesTooLow)

    def _filled(self, trade: Trade) -> Trade:
        ensure(trade.paid_out > 0 or trade.paid_in == 0, ReservesTooLow)
        return trade
