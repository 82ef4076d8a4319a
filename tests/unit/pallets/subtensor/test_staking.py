"""Staking and unstaking through the pool: amounts, limits, fees, refusals."""

import pytest

from mycelia.pallets.subtensor.subnets.kernel import subnet_account
from mycelia.primitives import NetUid

TAO = 10**9
NETUID = NetUid(1)
ROOT = NetUid(0)
HOTKEY = "//Alice_hk1"


def stake_of(world, coldkey="//Bob", hotkey=HOTKEY, netuid=NETUID):
    return world.pallets.stakes.stake_of(world.key(hotkey), world.key(coldkey), netuid)


def balance(world, uri="//Bob"):
    return world.pallets.balances.free_balance(world.key(uri))


def unstake(world, amount, coldkey="//Bob", hotkey=HOTKEY, netuid=1):
    return world.call(
        coldkey,
        "remove_stake",
        hotkey=world.address(hotkey),
        netuid=netuid,
        amount_unstaked=amount,
    )


def stake_limit(world, amount, limit, *, partial):
    return world.call(
        "//Bob",
        "add_stake_limit",
        hotkey=world.address(HOTKEY),
        netuid=1,
        amount_staked=amount,
        limit_price=limit,
        allow_partial=partial,
    )


def unstake_limit(world, amount, limit, *, partial):
    return world.call(
        "//Bob",
        "remove_stake_limit",
        hotkey=world.address(HOTKEY),
        netuid=1,
        amount_unstaked=amount,
        limit_price=limit,
        allow_partial=partial,
    )


def test_staking_buys_on_the_curve(world):
    result = world.stake("//Bob", HOTKEY, 100 * TAO)
    told = result.events("StakeAdded")[0]
    fee = 100 * TAO * 33 // 65_535
    assert abs(told.fee - fee) <= 1
    paid_in = 100 * TAO - told.fee
    assert told.alpha == 1000 * TAO * paid_in // (1000 * TAO + paid_in)
    assert told.tao == 100 * TAO
    assert stake_of(world) == told.alpha
    assert world.pallets.pools.subnet_tao[NETUID] == 1000 * TAO + paid_in
    assert world.pallets.pools.subnet_alpha_out[NETUID] == told.alpha
    world.seal()


def test_the_fee_is_burned_where_no_author_is_named(world):
    issuance = world.pallets.balances.total_issuance
    burned = b"modlburntnsr".ljust(32, b"\0")
    told = world.stake("//Bob", HOTKEY, 100 * TAO).events("StakeAdded")[0]
    assert world.pallets.balances.free_balance(burned) == told.fee
    assert issuance - world.pallets.balances.total_issuance < TAO  # the transaction fee only


class Author:
    """Names the author of every block."""

    def __init__(self, who):
        self._who = who

    def author(self):
        return self._who


@pytest.mark.parametrize("call", ["remove_stake", "unstake_all"])
def test_a_rest_whose_fee_is_worth_nothing_can_be_unstaked(world, call):
    """Where an author is named, who gets the fee in TAO: of this rest it is less than one rao."""
    pools = world.pallets.pools
    world.pallets.custody._author = Author(world.key("//Alice"))
    pools.subnet_alpha_in[NETUID] = pools.subnet_tao[NETUID] * 100
    assert world.stake("//Bob", HOTKEY, 10 * TAO).succeeded
    rest = 100_000
    assert unstake(world, stake_of(world) - rest).succeeded
    assert stake_of(world) == rest
    amount = {"netuid": 1, "amount_unstaked": rest} if call == "remove_stake" else {}
    assert world.call("//Bob", call, hotkey=world.address(HOTKEY), **amount).succeeded
    assert stake_of(world) == 0
    world.seal()


def test_staking_and_unstaking_costs_two_fees_and_rounding(world):
    alpha = world.stake("//Bob", HOTKEY, 10 * TAO).events("StakeAdded")[0].alpha
    told = unstake(world, alpha).events("StakeRemoved")[0]
    assert stake_of(world) == 0
    loss = 10 * TAO - told.tao
    assert abs(loss - 2 * 10 * TAO * 33 // 65_535) < 10**5
    world.seal()


def test_unstaking_more_than_there_is_takes_all(world):
    world.stake("//Bob", HOTKEY, 10 * TAO)
    assert unstake(world, 10**15).succeeded
    assert stake_of(world) == 0
    assert (world.key(HOTKEY), world.key("//Bob"), NETUID) not in world.pallets.stakes.alpha
    world.seal()


def test_the_root_is_one_for_one_and_free(world):
    world.stake("//Bob", HOTKEY, 10 * TAO, netuid=0)
    assert stake_of(world, netuid=ROOT) == 10 * TAO
    assert world.pallets.balances.free_balance(subnet_account(ROOT)) == 10 * TAO
    before = balance(world)
    told = unstake(world, 4 * TAO, netuid=0).events("StakeRemoved")[0]
    assert (told.tao, told.fee) == (4 * TAO, 0)
    assert before < balance(world) < before + 4 * TAO
    assert stake_of(world, netuid=ROOT) == 6 * TAO
    world.seal()


def test_nominators_share_a_dividend_by_stake(world):
    for who, tao in (("//Bob", 10), ("//Charlie", 30)):
        world.stake(who, HOTKEY, tao * TAO, netuid=0)
    stakes = world.pallets.stakes
    stakes.pay(world.key(HOTKEY), ROOT, 4 * TAO)
    assert stake_of(world, "//Bob", netuid=ROOT) == 11 * TAO
    assert stake_of(world, "//Charlie", netuid=ROOT) == 33 * TAO
    assert stakes.total_of(world.key(HOTKEY), ROOT) == 44 * TAO


def test_staking_all_leaves_the_existential_deposit(world):
    result = world.stake("//Bob", HOTKEY, balance(world) - 10**7)
    assert result.succeeded
    assert balance(world) >= 500
    told = result.events("StakeAdded")[0]
    assert told.tao <= 100_000 * TAO


@pytest.mark.parametrize(
    ("netuid", "hotkey", "amount", "error"),
    [
        (9, HOTKEY, TAO, "SubnetNotExists"),
        (1, "//Nobody", TAO, "HotKeyAccountNotExists"),
        (1, HOTKEY, 2_000_000, "AmountTooLow"),
        (1, HOTKEY, 200_000 * TAO, "NotEnoughBalanceToStake"),
        (1, HOTKEY, 2_000_000 * TAO, "InsufficientLiquidity"),
    ],
)
def test_add_stake_errors(world, netuid, hotkey, amount, error):
    before = balance(world)
    assert world.stake("//Bob", hotkey, amount, netuid=netuid).error == error
    assert before - balance(world) < TAO // 100


def test_add_stake_subtoken_disabled(bare):
    bare.call("//Alice", "register_network", hotkey=bare.address("//Alice_hk1"))
    assert bare.stake("//Bob", HOTKEY, TAO).error == "SubtokenDisabled"


def test_a_limit_fills_in_part_and_refunds_the_rest(world):
    before = balance(world)
    result = stake_limit(world, 1000 * TAO, 1_100_000_000, partial=True)
    told = result.events("StakeAdded")[0]
    price = world.pallets.swap.current_alpha_price(NETUID)
    assert 1_099_999_000 < price <= 1_100_000_000
    spent = before - balance(world)
    assert 0 <= spent - told.tao < TAO // 100
    assert told.tao < 50 * TAO
    world.seal()


def test_add_stake_limit_slippage_too_high(world):
    result = stake_limit(world, 1000 * TAO, 1_100_000_000, partial=False)
    assert result.error == "SlippageTooHigh"
    assert stake_limit(world, TAO, 1_100_000_000, partial=False).succeeded


def test_a_limit_beyond_the_price_is_refused_by_the_exchange(world):
    assert stake_limit(world, TAO, 900_000_000, partial=True).error == "PriceLimitExceeded"


def test_staking_with_a_limit_behind_anothers_hotkey_makes_it_a_delegate(world):
    assert not world.pallets.stakes.is_delegate(world.key(HOTKEY))
    stake_limit(world, TAO, 2_000_000_000, partial=False)
    assert world.pallets.stakes.is_delegate(world.key(HOTKEY))


def test_unstaking_with_a_limit_leaves_the_rest_staked(world):
    world.stake("//Bob", HOTKEY, 500 * TAO)
    price = world.pallets.swap.current_alpha_price(NETUID)
    limit = price * 9 // 10
    all_of_it = stake_of(world)
    refused = unstake_limit(world, all_of_it, limit, partial=False)
    assert refused.error == "SlippageTooHigh"
    assert unstake_limit(world, all_of_it, limit, partial=True).succeeded
    assert 0 < stake_of(world) < all_of_it
    assert limit <= world.pallets.swap.current_alpha_price(NETUID) < limit + 1000
    world.seal()


@pytest.mark.parametrize(
    ("netuid", "hotkey", "amount", "error"),
    [
        (9, HOTKEY, TAO, "SubtokenDisabled"),
        (1, HOTKEY, 0, "AmountTooLow"),
        (1, HOTKEY, 1000, "AmountTooLow"),
        (1, "//Nobody", TAO, "AmountTooLow"),
    ],
)
def test_remove_stake_errors(world, netuid, hotkey, amount, error):
    world.stake("//Bob", HOTKEY, TAO)
    assert unstake(world, amount, hotkey=hotkey, netuid=netuid).error == error


def test_remove_stake_limit_not_enough_stake_to_withdraw(world):
    world.stake("//Bob", HOTKEY, TAO)
    result = unstake_limit(world, stake_of(world) + 1, 1_000, partial=False)
    assert result.error == "NotEnoughStakeToWithdraw"


def test_remove_stake_full_limit(world):
    world.stake("//Bob", HOTKEY, TAO)
    params = {"hotkey": world.address(HOTKEY), "netuid": 1}
    strict = world.call("//Bob", "remove_stake_full_limit", **params, limit_price=1_001_000_000)
    assert strict.error == "SlippageTooHigh"
    assert world.call("//Bob", "remove_stake_full_limit", **params, limit_price=None).succeeded
    assert stake_of(world) == 0


def test_unstake_all_empties_every_subnet(world):
    world.stake("//Bob", HOTKEY, TAO)
    world.stake("//Bob", HOTKEY, TAO, netuid=0)
    result = world.call("//Bob", "unstake_all", hotkey=world.address(HOTKEY))
    assert [told.netuid for told in result.events("StakeRemoved")] == [0, 1]
    assert stake_of(world) == stake_of(world, netuid=ROOT) == 0
    missing = world.call("//Bob", "unstake_all", hotkey=world.address("//Nobody"))
    assert missing.error == "HotKeyAccountNotExists"
    world.seal()


def test_unstake_all_alpha_moves_it_to_the_root(world):
    world.stake("//Bob", HOTKEY, 10 * TAO)
    result = world.call("//Bob", "unstake_all_alpha", hotkey=world.address(HOTKEY))
    assert stake_of(world) == 0
    assert stake_of(world, netuid=ROOT) == result.events("StakeRemoved")[0].tao
    nothing = world.call("//Bob", "unstake_all_alpha", hotkey=world.address(HOTKEY))
    assert nothing.error == "AmountTooLow"
    world.seal()


def test_a_small_rest_of_a_nominator_is_returned(world):
    world.stake("//Bob", HOTKEY, 10 * TAO)
    least = 1_000_000 * TAO // world.pallets.staking.initial_min_stake  # a TAO, in millionths
    world.admin("nominator_min_required_stake", min_stake=least)
    assert unstake(world, stake_of(world) - 2 * TAO).succeeded
    assert stake_of(world) == 2 * TAO
    assert unstake(world, TAO + TAO // 2).succeeded
    assert stake_of(world) == 0
    world.seal()


@pytest.mark.parametrize("limited", [False, True])
def test_who_unstakes_below_the_threshold_lends_to_nobody(world, limited):
    """Children that wait are forgotten with the stake that their parent needs for them."""
    for person in ("//Bob", "//Charlie"):
        assert world.register(person).succeeded
    assert world.stake("//Bob", "//Bob_hk", 100 * TAO).succeeded
    assert world.admin("stake_threshold", min_stake=50 * TAO).succeeded
    children = [(2**63, world.address("//Charlie_hk"))]
    parent = {"hotkey": world.address("//Bob_hk"), "netuid": 1}
    assert world.call("//Bob", "set_children", **parent, children=children).succeeded
    waiting = world.pallets.stakes.pending_child_keys

    def leave(tao):
        amount = stake_of(world, hotkey="//Bob_hk") * (100 - tao) // 100
        if not limited:
            return unstake(world, amount, hotkey="//Bob_hk")
        limit = {"amount_unstaked": amount, "limit_price": 1_000, "allow_partial": False}
        return world.call("//Bob", "remove_stake_limit", **parent, **limit)

    assert leave(80).succeeded
    assert len(list(waiting.under(NETUID))) == 1
    assert leave(20).succeeded
    assert list(waiting.under(NETUID)) == []


def test_the_owner_changes_its_take(world):
    hotkey = world.address(HOTKEY)
    lower = world.call("//Alice", "decrease_take", hotkey=hotkey, take=1_000)
    assert lower.events("TakeDecreased")[0].take == 1_000
    again = world.call("//Alice", "decrease_take", hotkey=hotkey, take=1_000)
    assert again.error == "DelegateTakeTooLow"
    soon = world.call("//Alice", "increase_take", hotkey=hotkey, take=2_000)
    assert soon.error == "DelegateTxRateLimitExceeded"
    world.admin("tx_delegate_take_rate_limit", tx_rate_limit=0)
    assert world.call("//Alice", "increase_take", hotkey=hotkey, take=2_000).succeeded
    high = world.call("//Alice", "increase_take", hotkey=hotkey, take=11_797)
    assert high.error == "DelegateTakeTooHigh"
    stranger = world.call("//Bob", "increase_take", hotkey=hotkey, take=3_000)
    assert stranger.error == "NonAssociatedColdKey"
    unknown = world.call("//Bob", "decrease_take", hotkey=world.address("//Nobody"), take=0)
    assert unknown.error == "HotKeyAccountNotExists"


def test_a_hotkey_is_claimed_once(world):
    hotkey = world.address("//Free_hk")
    assert world.call("//Bob", "try_associate_hotkey", hotkey=hotkey).succeeded
    assert world.call("//Charlie", "try_associate_hotkey", hotkey=hotkey).succeeded
    assert world.pallets.stakes.owner[world.key("//Free_hk")] == world.key("//Bob")


def test_stake_weight_counts_root_tao_at_its_weight(world):
    world.stake("//Bob", HOTKEY, 100 * TAO, netuid=0)
    stakes = world.pallets.stakes
    alpha = stakes.total_of(world.key(HOTKEY), NETUID)
    weight = stakes.stake_weight_q64(world.key(HOTKEY), NETUID) / 2**64
    assert abs(weight - alpha - 0.0526769743 * 100 * TAO) < 100


def test_only_root_sets_fees(world):
    def told(**change):
        return world.sudo("Swap", "set_fee_rate", **{"netuid": 1, "rate": 10, **change})

    event = told().events("FeeRateSet")[0]
    assert (event.netuid, event.rate) == (1, 10)
    assert told(rate=10_001).error == "FeeRateTooHigh"
    assert told(netuid=9).error == "MechanismDoesNotExist"


@pytest.mark.parametrize(
    ("call", "params"),
    [
        ("add_stake", {"netuid": 1, "amount_staked": 10 * TAO}),
        ("remove_stake", {"netuid": 1, "amount_unstaked": 10 * TAO}),
        ("remove_stake_full_limit", {"netuid": 1, "limit_price": None}),
    ],
)
def test_a_drained_pool_trades_nothing(world, call, params):
    assert world.stake("//Bob", HOTKEY, 100 * TAO).succeeded
    world.pallets.pools.subnet_alpha_in[NETUID] = 10
    world.pallets.pools.subnet_tao[NETUID] = 10
    result = world.call("//Bob", call, hotkey=world.address(HOTKEY), **params)
    assert result.error == "InsufficientLiquidity"
