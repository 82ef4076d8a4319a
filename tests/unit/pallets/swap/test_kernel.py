"""The pool's arithmetic: against exact rationals, and the law that the product never falls."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mycelia.pallets.swap import kernel

reserves = st.integers(kernel.MIN_RESERVE_RAO, 10**17)
amounts = st.integers(1, 10**17)
rates = st.integers(0, 10_000)
prices = st.integers(kernel.MIN_LIMIT_PRICE, kernel.MAX_LIMIT_PRICE)


def test_fee_on_one_tao_is_what_clients_expect() -> None:
    assert kernel.fee_of(10**9, 33) == 503_547


def test_price_is_tao_per_alpha() -> None:
    assert kernel.price_q64(3, 2) == 3 << 63
    assert kernel.price_q64(3, 0) == 0


def test_output_is_the_curve_rounded_down() -> None:
    assert kernel.amount_out(1_000, 1_000, 1_000) == 500
    assert kernel.amount_out(1_000, 1_000, 1) == 0


@given(reserves, reserves, amounts)
def test_product_of_reserves_never_falls(x: int, y: int, paid_in: int) -> None:
    out = kernel.amount_out(x, y, paid_in)
    assert out < y
    assert (x + paid_in) * (y - out) >= x * y
    assert (x + paid_in) * (y - out - 1) < x * y


@given(reserves, reserves, amounts, rates, prices)
def test_a_buy_stops_at_its_limit(tao: int, alpha: int, amount: int, rate: int, limit: int) -> None:
    room = kernel.tao_to_price(tao, alpha, limit)
    trade = kernel.trade_until(amount, tao, alpha, room, rate)
    assert trade.paid_in + trade.fee <= amount
    if trade.paid_in:
        # The exact curve is below the limit; rounding the output down only lowers the price further.
        price = Fraction(tao + trade.paid_in, alpha - trade.paid_out)
        exact = Fraction((tao + trade.paid_in) ** 2, tao * alpha)
        assert price <= exact <= Fraction(limit, kernel.PRICE_SCALE)


@given(reserves, reserves, amounts, rates, prices)
def test_a_sale_stops_at_its_limit(
    tao: int, alpha: int, amount: int, rate: int, limit: int
) -> None:
    room = kernel.alpha_to_price(tao, alpha, limit)
    trade = kernel.trade_until(amount, alpha, tao, room, rate)
    if trade.paid_in:
        exact = Fraction(tao * alpha, (alpha + trade.paid_in) ** 2)
        assert exact >= Fraction(limit, kernel.PRICE_SCALE)


def test_an_amount_within_the_room_trades_in_full() -> None:
    trade = kernel.trade_until(10**9, 10**12, 10**12, 10**12, 33)
    assert trade.paid_in + trade.fee == 10**9
    assert trade.paid_out == 10**12 * trade.paid_in // (10**12 + trade.paid_in)


@pytest.mark.parametrize("room", [0, 5])
def test_the_fee_follows_what_was_traded(room: int) -> None:
    trade = kernel.trade_until(10**9, 10**12, 10**12, room, 33)
    assert trade == (room, kernel.amount_out(10**12, 10**12, room), kernel.fee_on_top(room, 33))


@given(reserves, reserves)
def test_the_root_of_a_price_is_rounded_down(tao, alpha):
    root = kernel.sqrt_price_q64(tao, alpha)
    assert root**2 * alpha <= tao << 128 < (root + 1) ** 2 * alpha


def test_a_pool_without_alpha_has_no_price():
    assert kernel.sqrt_price_q64(1, 0) == 0
