"""The arithmetic of a subnet's pool: two reserves whose product never falls.

Terms: *pool* - x alpha beside y TAO; *price* - y/x, TAO per alpha; *limit* - the worst price a trade
may move the pool to. A trade pays `paid_in` into one reserve and takes `paid_out` from the other so
that (x + dx)(y - dy) >= xy. Every quotient rounds down, so what rounding leaves over stays in the pool
and belongs to its remaining holders.

Not here: who pays, where the fee goes, and what the reserves do between trades.

Source: subtensor@14bc6f9 `pallets/swap/src/pallet/{swap_step,balancer,impls}.rs`.
Differs: exact integers. The chain goes through 18 decimals, so a trade there may take up to one rao
more; and both reserves weigh one half, where the chain lets the weights drift when it injects liquidity
off the price.
"""

from __future__ import annotations

from math import isqrt
from typing import Final, NamedTuple

from mycelia.primitives.fixed import U16_MAX, div_u64f64

PRICE_SCALE: Final = 10**9
"""Limits and published prices are rao of TAO per 10^9 rao of alpha."""

MIN_LIMIT_PRICE: Final = 1_000
MAX_LIMIT_PRICE: Final = 10**15
MIN_RESERVE_RAO: Final = 1_000_000
"""A reserve smaller than this is not traded against: rounding would matter."""

MAX_INPUT_RESERVES: Final = 1_000
"""A trade pays in at most this many times the reserve it pays into."""


class Trade(NamedTuple):
    """What a trade moves, all in rao: `paid_in` reaches the pool, `fee` comes on top from the payer."""

    paid_in: int
    paid_out: int
    fee: int


def price_q64(tao_rao: int, alpha_rao: int) -> int:
    """TAO per alpha with 64 fraction bits, rounded down; 0 for a pool without alpha."""
    return div_u64f64(tao_rao << 64, alpha_rao << 64)


def sqrt_price_q64(tao_rao: int, alpha_rao: int) -> int:
    """Square root of the price with 64 fraction bits, rounded down; 0 for a pool without alpha."""
    return isqrt((tao_rao << 128) // alpha_rao) if alpha_rao else 0


def fee_of(amount_rao: int, rate_u16: int) -> int:
    """The part of an amount that is fee, rounded down: the payer gains the fraction.

    Source: `impls.rs::calculate_fee_amount`.
    """
    return (amount_rao * ((rate_u16 << 64) // U16_MAX)) >> 64


def fee_on_top(net_rao: int, rate_u16: int) -> int:
    """The fee due when exactly `net_rao` reaches the pool, rounded down. `rate_u16` is below 65535.

    Source: `swap_step.rs::determine_action`, the branch that stops at the limit.
    """
    return (net_rao * ((rate_u16 << 64) // (U16_MAX - rate_u16))) >> 64


def amount_out(reserve_in_rao: int, reserve_out_rao: int, amount_in_rao: int) -> int:
    """What the pool pays for `amount_in_rao`: out * dx / (in + dx), rounded down, so the pool gains.

    Source: `balancer.rs`, both weights one half.
    """
    if amount_in_rao == 0:
        return 0
    return reserve_out_rao * amount_in_rao // (reserve_in_rao + amount_in_rao)


def tao_to_price(tao_rao: int, alpha_rao: int, limit_price: int) -> int:
    """The TAO that lifts the price to the limit and not above: sqrt(x y p') - y, rounded down.

    0 if it is there already.

    Units: `limit_price` in rao per 10^9 rao of alpha. Source: `balancer.rs::calculate_quote_delta_in`.
    """
    return max(0, isqrt(tao_rao * alpha_rao * limit_price // PRICE_SCALE) - tao_rao)


def alpha_to_price(tao_rao: int, alpha_rao: int, limit_price: int) -> int:
    """The alpha that lowers the price to the limit and not below: sqrt(x y / p') - x, rounded down.

    Units: `limit_price` in rao per 10^9 rao of alpha, positive. Source: `balancer.rs::calculate_base_delta_in`.
    """
    return max(0, isqrt(tao_rao * alpha_rao * PRICE_SCALE // limit_price) - alpha_rao)


def trade_until(
    amount_rao: int, reserve_in_rao: int, reserve_out_rao: int, room_rao: int, rate_u16: int
) -> Trade:
    """The trade of `amount_rao`, fee included, that stops when `room_rao` has reached the pool.

    Units: `room_rao` what the pool may take before its price passes the limit.
    Source: `swap_step.rs::BasicSwapStep`.
    """
    fee = fee_of(amount_rao, rate_u16)
    paid_in = amount_rao - fee
    if paid_in > room_rao:
        paid_in, fee = room_rao, fee_on_top(room_rao, rate_u16)
    return Trade(paid_in, amount_out(reserve_in_rao, reserve_out_rao, paid_in), fee)
