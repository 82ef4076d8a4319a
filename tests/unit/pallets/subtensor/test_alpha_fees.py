"""Who unstakes without TAO pays the fee with the alpha that it unstakes."""

import pytest

from mycelia.primitives import NetUid
from mycelia.primitives.errors import CannotPay
from mycelia.runtime.compose import COMPOSITION
from mycelia.testing.oracle import compose

TAO = 10**9
NETUID = NetUid(1)
HOTKEY = "//Alice_hk1"


@pytest.fixture
def poor(world):
    """Bob has 100 TAO at stake and almost nothing else."""
    assert world.stake("//Bob", HOTKEY, 100 * TAO).succeeded
    alice = world.address("//Alice")
    assert world.submit("//Bob", "Balances", "transfer_all", dest=alice, keep_alive=True).succeeded
    assert world.pallets.balances.spendable(world.key("//Bob")) == 0
    return world


def unstake(world, amount, netuid=1):
    return world.call(
        "//Bob",
        "remove_stake",
        hotkey=world.address(HOTKEY),
        netuid=netuid,
        amount_unstaked=amount,
    )


def held(world, netuid=NETUID):
    return world.pallets.stakes.stake_of(world.key(HOTKEY), world.key("//Bob"), netuid)


def test_the_fee_is_sold_from_the_position(poor):
    before, issued = held(poor), poor.pallets.balances.total_issuance
    price = poor.pallets.swap.current_alpha_price(NETUID) / TAO
    result = unstake(poor, 10 * TAO)
    assert result.succeeded
    paid = result.events("TransactionFeePaidWithAlpha")[0]
    fee = result.events("TransactionFeePaid")[0].actual_fee
    assert (paid.who, paid.netuid) == (poor.key("//Bob"), NETUID)
    assert paid.alpha_fee * price == pytest.approx(fee, rel=0.01)
    assert fee * 0.999 < paid.tao_amount <= fee
    assert before - held(poor) == pytest.approx(10 * TAO + paid.alpha_fee, abs=2)
    assert poor.pallets.balances.total_issuance == issued - paid.tao_amount
    poor.seal()


def test_a_failed_call_is_paid_for_all_the_same(poor):
    before = held(poor)
    result = unstake(poor, 1)
    assert result.error == "AmountTooLow"
    paid = result.events("TransactionFeePaidWithAlpha")[0]
    assert before - held(poor) == pytest.approx(paid.alpha_fee, abs=2)
    poor.seal()


class Author:
    """Somebody without an account makes the blocks."""

    def __init__(self, who):
        self.who = who

    def author(self):
        return self.who


@pytest.mark.parametrize(("fee", "is_paid"), [(400, False), (60_000, True)])
def test_what_creates_no_account_for_the_author_leaves_circulation(poor, fee, is_paid):
    nobody, pallets = poor.key("//Nobody"), poor.pallets
    pallets.custody._author = Author(nobody)
    raw = compose(
        "SubtensorModule",
        "remove_stake",
        hotkey=poor.address(HOTKEY),
        netuid=1,
        amount_unstaked=10 * TAO,
    )
    issued, in_custody = pallets.balances.total_issuance, pallets.custody.held(NETUID)
    sold_before = pallets.pools.subnet_tao[NETUID]
    pallets.alpha_fees.pay(poor.key("//Bob"), COMPOSITION.call_scale.decode(raw), fee)
    sold_for = sold_before - pallets.pools.subnet_tao[NETUID]
    assert 0 < sold_for <= fee
    assert pallets.custody.held(NETUID) == in_custody - sold_for
    assert pallets.balances.free_balance(nobody) == (sold_for if is_paid else 0)
    assert pallets.balances.total_issuance == issued - (0 if is_paid else sold_for)
    poor.check_laws()


def test_unstaking_all_is_paid_from_the_only_position(poor):
    result = poor.call("//Bob", "unstake_all", hotkey=poor.address(HOTKEY))
    assert result.events("TransactionFeePaidWithAlpha")
    assert held(poor) == 0
    assert poor.pallets.balances.free_balance(poor.key("//Bob")) > 90 * TAO


def test_of_several_positions_none_is_chosen(poor):
    send(poor, 3 * TAO)
    assert poor.stake("//Bob", HOTKEY, 2 * TAO, netuid=0).succeeded
    assert poor.submit(
        "//Bob", "Balances", "transfer_all", dest=poor.address("//Alice"), keep_alive=True
    ).succeeded
    with pytest.raises(CannotPay):
        poor.call("//Bob", "unstake_all", hotkey=poor.address(HOTKEY))


def test_other_calls_are_refused(poor):
    with pytest.raises(CannotPay):
        poor.submit("//Bob", "System", "remark", remark=b"x")
    with pytest.raises(CannotPay):
        poor.stake("//Bob", HOTKEY, TAO)


def test_a_position_that_is_worth_less_is_refused(poor):
    amount = held(poor) - 1_000
    assert unstake(poor, amount).succeeded  # which leaves Bob with TAO again
    assert poor.submit(
        "//Bob", "Balances", "transfer_all", dest=poor.address("//Alice"), keep_alive=True
    ).succeeded
    assert held(poor) < 1_000
    with pytest.raises(CannotPay):
        unstake(poor, 1)


def test_who_has_tao_pays_in_tao(poor):
    send(poor, TAO)
    result = unstake(poor, 10 * TAO)
    assert not result.events("TransactionFeePaidWithAlpha")


def send(world, amount):
    """Give Bob TAO."""
    dest = world.address("//Bob")
    sent = world.submit("//Alice", "Balances", "transfer_keep_alive", dest=dest, value=amount)
    assert sent.succeeded


@pytest.mark.parametrize(
    ("call", "params"),
    [
        ("remove_stake_limit", {"netuid": 1, "limit_price": 0, "allow_partial": True}),
        ("remove_stake_full_limit", {"netuid": 1, "limit_price": None}),
        ("unstake_all_alpha", {}),
    ],
)
def test_every_way_to_unstake_can_be_paid_in_alpha(poor, call, params):
    if call == "remove_stake_limit":
        params = {**params, "amount_unstaked": 10 * TAO}
    result = poor.call("//Bob", call, hotkey=poor.address(HOTKEY), **params)
    assert result.events("TransactionFeePaidWithAlpha")
    poor.seal()
