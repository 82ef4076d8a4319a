"""Prices of slots and of subnets; who is pruned."""

from hypothesis import given
from hypothesis import strategies as st

from mycelia.pallets.subtensor.registration import kernel
from mycelia.pallets.subtensor.registration.kernel import Candidate
from mycelia.pallets.subtensor.subnets import kernel as subnets
from mycelia.primitives import NetUid, Uid
from mycelia.primitives.fixed import ONE_Q32

TAO = 10**9


@given(st.integers(1, 36_100))
def test_the_decay_factor_is_the_largest_that_halves(half_life: int) -> None:
    factor = kernel.decay_factor_q32(half_life)
    assert kernel.power_q32(factor, half_life) <= ONE_Q32 // 2
    assert kernel.power_q32(factor + 1, half_life) > ONE_Q32 // 2


def test_no_half_life_means_no_decay() -> None:
    assert kernel.decayed_price(TAO, 0, 0, 100 * TAO) == TAO


def test_the_price_halves_over_a_half_life() -> None:
    price = 64 * TAO
    for _ in range(360):
        price = kernel.decayed_price(price, 360, 0, 100 * TAO)
    assert 31_999_000_000 < price <= 32 * TAO


def test_the_price_stays_in_its_bounds() -> None:
    assert kernel.decayed_price(500_001, 1, 500_000, TAO) == 500_000
    assert kernel.bumped_price(100 * TAO, 2 << 64, 0, 100 * TAO) == 100 * TAO
    assert kernel.bumped_price(TAO, 1, 0, 100 * TAO) == TAO  # a multiplier below 1 counts as 1


def test_least_emission_goes_first_then_age_then_uid() -> None:
    rows = [
        Candidate(5, 10, Uid(0), False),
        Candidate(3, 30, Uid(1), False),
        Candidate(3, 20, Uid(3), False),
        Candidate(3, 20, Uid(2), False),
        Candidate(0, 5, Uid(4), True),
    ]
    assert kernel.uid_to_prune(rows, least_open=3) == 2


def test_an_immune_neuron_goes_only_when_few_others_are_open() -> None:
    rows = [Candidate(0, 1, Uid(0), True), Candidate(9, 2, Uid(1), False)]
    assert kernel.uid_to_prune(rows, least_open=1) == 0
    assert kernel.uid_to_prune(rows, least_open=0) == 1
    assert kernel.uid_to_prune(rows[1:], least_open=1) is None


def test_the_first_subnet_costs_the_last_price_undoubled() -> None:
    assert subnets.lock_cost(1000 * TAO, 0, 0, 100_800, 1000 * TAO) == 1000 * TAO


def test_a_subnet_doubles_the_price_and_the_price_falls_back() -> None:
    def cost(now: int) -> int:
        return subnets.lock_cost(1000 * TAO, 10, now, 100, 500 * TAO)

    assert cost(10) == 2000 * TAO
    assert cost(60) == 1500 * TAO
    assert cost(110) == 1000 * TAO
    assert cost(10_000) == 500 * TAO


def test_the_interval_follows_the_halvings() -> None:
    assert subnets.scaled_interval(100_800, TAO) == 100_800
    assert subnets.scaled_interval(100_800, TAO // 2) == 50_400


def test_a_subnet_account_names_its_subnet() -> None:
    account = subnets.subnet_account(NetUid(258))
    assert account[:14] == b"modlsubtensr\x02\x01"
    assert len(account) == 32
    assert subnets.netuid_of_account(account) == 258
    assert subnets.netuid_of_account(subnets.BURN_ACCOUNT) is None
