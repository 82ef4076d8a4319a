"""Quotes of the Swap pallet over pools that a test can set."""

import pytest

from mycelia.frame import Origin, State
from mycelia.pallets.swap import Swap, kernel
from mycelia.pallets.swap.pallet import (
    FeeRateTooHigh,
    MechanismDoesNotExist,
    PriceLimitExceeded,
    ReservesTooLow,
    SimSwapResult,
    SwapInputTooLarge,
)
from mycelia.primitives import NetUid
from mycelia.state import MemoryStore, Overlay

TAO = 10**9
POOL, ROOT = NetUid(1), NetUid(0)


class Pools:
    """Two subnets: the root, and one with a pool."""

    def __init__(self, tao=1000 * TAO, alpha=2000 * TAO):
        self.both = (tao, alpha)

    def exists(self, netuid):
        return netuid in (ROOT, POOL)

    def has_pool(self, netuid):
        return netuid == POOL

    def reserves(self, netuid):
        return self.both

    def netuids(self):
        return [ROOT, POOL]


def swap_over(*reserves):
    return Swap(State(Overlay(MemoryStore().head())), pools=Pools(*reserves))


@pytest.fixture
def swap():
    return swap_over()


def test_prices(swap):
    assert swap.current_alpha_price(POOL) == TAO // 2
    assert swap.current_alpha_price(ROOT) == TAO
    assert [(p.netuid, p.price) for p in swap.current_alpha_price_all()] == [
        (0, TAO),
        (1, TAO // 2),
    ]
    assert swap_over(5, 0).current_alpha_price(POOL) == 0


def test_the_root_trades_one_for_one(swap):
    assert swap.quote_buy(ROOT, 7) == swap.quote_sell(ROOT, 7, 0) == (7, 7, 0)
    assert swap.fee_of(ROOT, TAO) == 0


def test_a_simulated_purchase_shows_its_slippage(swap):
    shown = swap.sim_swap_tao_for_alpha(POOL, TAO)
    assert shown.tao_fee == 503_547
    assert shown.tao_amount == TAO - 503_547
    assert shown.alpha_amount == 2000 * TAO * shown.tao_amount // (1000 * TAO + shown.tao_amount)
    assert shown.alpha_slippage == 2 * TAO - shown.alpha_amount
    assert (shown.alpha_fee, shown.tao_slippage) == (0, 0)


def test_a_simulated_sale_shows_its_slippage(swap):
    shown = swap.sim_swap_alpha_for_tao(POOL, TAO)
    assert shown.alpha_fee == 503_547
    assert shown.tao_slippage == TAO // 2 - shown.tao_amount
    assert (shown.tao_fee, shown.alpha_slippage) == (0, 0)


def test_impossible_trades_are_shown_as_nothing():
    dry = swap_over(0, 0)
    assert dry.sim_swap_tao_for_alpha(POOL, TAO) == SimSwapResult()
    assert dry.sim_swap_alpha_for_tao(POOL, TAO) == SimSwapResult()


def test_a_limit_at_the_price_refuses(swap):
    with pytest.raises(PriceLimitExceeded):
        swap.quote_buy(POOL, TAO, TAO // 2)
    with pytest.raises(PriceLimitExceeded):
        swap.quote_sell(POOL, TAO, TAO // 2)
    assert swap.quote_sell(POOL, TAO, 0).paid_out > 0


def test_small_pools_and_large_amounts_are_refused(swap):
    with pytest.raises(SwapInputTooLarge):
        swap.quote_buy(POOL, 1_001 * 1000 * TAO)
    with pytest.raises(ReservesTooLow):
        swap_over(TAO, kernel.MIN_RESERVE_RAO - 1).quote_buy(POOL, TAO)
    with pytest.raises(ReservesTooLow):
        swap.quote_sell(POOL, 1)


def test_free_trades_pay_no_fee(swap):
    assert swap.quote_buy(POOL, TAO, free=True).fee == 0


def test_set_fee_rate(swap):
    root = Origin(is_root=True)
    swap.set_fee_rate(root, POOL, 196)
    assert swap.fee_of(POOL, 65_535) == 195  # rounded down on the way
    with pytest.raises(FeeRateTooHigh):
        swap.set_fee_rate(root, POOL, 10_001)
    with pytest.raises(MechanismDoesNotExist):
        swap.set_fee_rate(root, NetUid(9), 1)


def test_a_block_ends_with_the_roots_of_its_prices():
    pools = Pools(tao=400 * TAO, alpha=100 * TAO)
    swap = Swap(State(Overlay(MemoryStore().head())), pools=pools)
    swap.on_finalize()
    assert dict(swap.alpha_sqrt_price.items()) == {POOL: 2 << 64}
    pools.both = (100 * TAO, 400 * TAO)
    swap.on_finalize()
    assert swap.alpha_sqrt_price[POOL] == 1 << 63
    swap.remove_subnet(POOL)
    assert POOL not in swap.alpha_sqrt_price
