"""Each call that stakes, unstakes, registers or sets a take: against each fault it names, in the order it finds them.

As in `test_weight_outcomes`: one caller has every fault there is, and what the call names is mended.

Source of the order: subtensor@14bc6f9 `staking/{add_stake,remove_stake,stake_utils,increase_take,decrease_take}.rs`,
`subnets/{registration,subnet}.rs`, `guards/check_{delegate_take,rate_limits}.rs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mycelia.primitives import Alpha, NetUid
from mycelia.testing.world import Result
from tests.unit.pallets.subtensor.conftest import PEOPLE, TAO, SubnetWorld

NETUID, NOWHERE = NetUid(1), NetUid(9)
STAKER, HOTKEY = "//Bob", "//Alice_hk1"
EXISTENTIAL_DEPOSIT = 500


@pytest.fixture(scope="module")
def kept() -> SubnetWorld:
    """Alice's subnet; Bob has 100 TAO staked behind her hotkey."""
    world = SubnetWorld({"//Alice": 10_000_000 * TAO, **dict.fromkeys(PEOPLE, 100_000 * TAO)})
    assert world.admin("admin_freeze_window", window=0).succeeded
    world.create_subnet()
    assert world.stake(STAKER, HOTKEY, 100 * TAO).succeeded
    return world


@pytest.fixture
def world(kept: SubnetWorld) -> Iterator[SubnetWorld]:
    """A world that no test changes for the next one."""
    with kept.runtime.state.read_only():
        yield kept


class Caller:
    """Who makes a call, with what; each attempt changes some of it."""

    def __init__(self, world: Any, call: str, uri: str = STAKER, **params: Any) -> None:
        self.world, self.call, self.uri = world, call, uri
        self.params = {"hotkey": world.address(HOTKEY), "netuid": NETUID} | params

    def tries(self, uri: str | None = None, **change: Any) -> str | None:
        """The error of the call with the parameters changed for good."""
        self.uri = uri or self.uri
        self.params |= change
        error: str | None = self.world.call(self.uri, self.call, **self.params).error
        return error


def start(world: Any, *, started: bool) -> None:
    world.pallets.parameters.subtoken_enabled[NETUID] = started


def held(world: Any) -> int:
    return int(world.pallets.stakes.stake_of(world.key(HOTKEY), world.key(STAKER), NETUID))


# Staking


@pytest.mark.parametrize("call", ["add_stake", "add_stake_limit"])
def test_faults_of_staking(world: Any, call: str) -> None:
    strict = {"limit_price": TAO * 2, "allow_partial": False}
    nobody = {"hotkey": world.address("//Nobody")}
    caller = Caller(world, call, **nobody, **strict if call == "add_stake_limit" else {})
    start(world, started=False)
    assert caller.tries(amount_staked=2_000_000 * TAO) == "InsufficientLiquidity"
    assert caller.tries(amount_staked=1, netuid=NOWHERE) == "SubnetNotExists"
    assert caller.tries(netuid=NETUID) == "SubtokenDisabled"
    start(world, started=True)
    assert caller.tries() == "AmountTooLow"
    if call == "add_stake_limit":
        assert caller.tries(amount_staked=200_000 * TAO) == "SlippageTooHigh"
        caller.params["limit_price"] = 2**62
    assert caller.tries(amount_staked=200_000 * TAO) == "NotEnoughBalanceToStake"
    assert caller.tries(amount_staked=10 * TAO) == "HotKeyAccountNotExists"
    assert caller.tries(hotkey=world.address(HOTKEY)) is None


def test_a_limit_must_leave_room_for_the_least_stake(world: Any) -> None:
    """The amount that is asked for is enough; what may be staked before the limit is not."""
    price = world.pallets.swap.current_alpha_price(NETUID)
    close = {"limit_price": price + 1, "allow_partial": True}
    assert Caller(world, "add_stake_limit", amount_staked=TAO, **close).tries() == "AmountTooLow"


# Unstaking


def test_faults_of_unstaking(world: Any) -> None:
    caller = Caller(world, "remove_stake", amount_unstaked=100 * TAO)
    pools = world.pallets.pools
    there = pools.subnet_alpha_in[NETUID]
    pools.subnet_alpha_in[NETUID] = Alpha(10)
    start(world, started=False)
    assert caller.tries(netuid=NOWHERE) == "SubtokenDisabled"
    assert caller.tries(netuid=NETUID) == "SubtokenDisabled"
    start(world, started=True)
    assert caller.tries() == "InsufficientLiquidity"
    pools.subnet_alpha_in[NETUID] = there
    orphan(world)
    assert caller.tries(amount_unstaked=0) == "AmountTooLow"
    assert caller.tries(amount_unstaked=1_000) == "AmountTooLow"
    assert caller.tries(amount_unstaked=10 * TAO) == "HotKeyAccountNotExists"
    adopt(world)
    assert caller.tries() is None


def test_faults_of_unstaking_with_a_limit(world: Any) -> None:
    """A subnet need not be started, so who is locked into one that was stopped gets out here."""
    strict = {"limit_price": TAO // 2 * 3, "allow_partial": False}
    caller = Caller(world, "remove_stake_limit", amount_unstaked=2**62, **strict)
    start(world, started=False)
    orphan(world)
    assert caller.tries() == "InsufficientLiquidity"
    assert caller.tries(limit_price=TAO // 1_000 * 999, netuid=NOWHERE) == "SubnetNotExists"
    assert caller.tries(netuid=NETUID, amount_unstaked=0) == "AmountTooLow"
    assert caller.tries(amount_unstaked=held(world) + 1) == "NotEnoughStakeToWithdraw"
    assert caller.tries(amount_unstaked=1_000) == "AmountTooLow"
    price = world.pallets.swap.current_alpha_price(NETUID)
    assert caller.tries(amount_unstaked=10 * TAO, limit_price=price - 1) == "SlippageTooHigh"
    assert caller.tries(limit_price=1_000) == "HotKeyAccountNotExists"
    adopt(world)
    assert caller.tries() is None


def test_faults_of_unstaking_all_of_a_position(world: Any) -> None:
    caller = Caller(world, "remove_stake_full_limit", limit_price=None)
    start(world, started=False)
    assert caller.tries() == "SubtokenDisabled"
    pools = world.pallets.pools
    there = pools.subnet_alpha_in[NETUID]
    pools.subnet_alpha_in[NETUID] = Alpha(10)
    price = world.pallets.swap.current_alpha_price(NETUID)
    assert caller.tries(limit_price=1_000) == "InsufficientLiquidity"
    pools.subnet_alpha_in[NETUID] = there
    orphan(world)
    assert caller.tries(netuid=NOWHERE) == "SubnetNotExists"
    assert caller.tries(netuid=NETUID, uri="//Charlie") == "AmountTooLow"
    price = world.pallets.swap.current_alpha_price(NETUID)
    assert caller.tries(uri=STAKER, limit_price=price - 1) == "SlippageTooHigh"
    assert caller.tries(limit_price=1_000) == "HotKeyAccountNotExists"
    adopt(world)
    assert caller.tries() is None
    assert held(world) == 0


def orphan(world: Any) -> None:
    """No call leaves stake behind a hotkey without owner; the rule is there for states that others made."""
    del world.pallets.stakes.owner[world.key(HOTKEY)]


def adopt(world: Any) -> None:
    world.pallets.stakes.owner[world.key(HOTKEY)] = world.key("//Alice")


def test_faults_of_moving_all_to_the_root(world: Any) -> None:
    def moves(hotkey: str = HOTKEY) -> Result:
        return world.call(STAKER, "unstake_all_alpha", hotkey=world.address(hotkey))

    assert moves("//Nobody").error == "HotKeyAccountNotExists"
    with world.runtime.state.read_only():
        assert moves().succeeded
        assert moves().error == "AmountTooLow"
    fee = fee_of(world, moves)
    endow(world, 0)
    price_q64 = world.pallets.swap.price_q64(NETUID)
    small = Alpha((fee + EXISTENTIAL_DEPOSIT // 2 << 64) // price_q64)
    stakes, key = world.pallets.stakes, (world.key(HOTKEY), world.key(STAKER), NETUID)
    stakes.decrease(*key, Alpha(stakes.stake_of(*key) - small))
    # The fee is paid with alpha; what the rest is worth creates no account that could stake it.
    assert moves().error == "InsufficientTaoBalance"


# Paying for slots and subnets


def endow(world: Any, free: int) -> None:
    done = world.sudo("Balances", "force_set_balance", who=world.address(STAKER), new_free=free)
    assert done.succeeded, done.error


def fee_of(world: Any, act: Callable[[], Result]) -> int:
    with world.runtime.state.read_only():
        endow(world, TAO)
        told = act().told
        return next(int(each.event.amount) for each in told if each.pallet == "Balances")


def with_left(world: Any, rest: int, act: Callable[[], Result]) -> Result:
    """Act when the fee leaves the signer, Bob, with a balance."""
    endow(world, fee_of(world, act) + rest)
    return act()


@pytest.mark.parametrize(
    ("call", "params"), [("burned_register", {}), ("register_limit", {"limit_price": TAO})]
)
def test_who_has_the_existential_deposit_only_pays_no_slot(
    world: Any, call: str, params: dict[str, int]
) -> None:
    """The deposit counts when it is asked whether the price can be afforded, but is never spent."""

    def registers() -> Result:
        hotkey = world.address("//Bob_hk")
        return world.call(STAKER, call, netuid=NETUID, hotkey=hotkey, **params)

    burn, slots = world.pallets.registration.burn, world.pallets.parameters.max_allowed_uids
    slots[NETUID] = 1
    burn[NETUID] = EXISTENTIAL_DEPOSIT + 1
    assert with_left(world, EXISTENTIAL_DEPOSIT, registers).error == "NotEnoughBalanceToStake"
    burn[NETUID] = EXISTENTIAL_DEPOSIT - 1
    assert with_left(world, EXISTENTIAL_DEPOSIT, registers).error == "NoNeuronIdAvailable"
    slots[NETUID] = 2
    assert with_left(world, EXISTENTIAL_DEPOSIT, registers).error == "InsufficientTaoBalance"
    assert with_left(world, EXISTENTIAL_DEPOSIT + 100, registers).succeeded


@pytest.mark.parametrize(
    ("call", "params"),
    [("register_network", {}), ("register_network_with_identity", {"identity": None})],
)
def test_who_has_the_existential_deposit_only_pays_no_subnet(
    world: Any, call: str, params: dict[str, None]
) -> None:
    def creates() -> Result:
        return world.call(STAKER, call, hotkey=world.address("//Bob_hk"), **params)

    network = world.pallets.subnets.network
    network.network_rate_limit = world.pallets.creation.network_last_lock_cost = 0
    network.network_min_lock_cost = EXISTENTIAL_DEPOSIT + 1
    assert with_left(world, EXISTENTIAL_DEPOSIT, creates).error == "CannotAffordLockCost"
    network.network_min_lock_cost = EXISTENTIAL_DEPOSIT - 1
    assert with_left(world, EXISTENTIAL_DEPOSIT, creates).error == "InsufficientTaoBalance"


def test_the_rate_of_new_subnets_comes_first_without_an_identity(world: Any) -> None:
    params = {"hotkey": world.address(HOTKEY)}
    assert world.admin("network_rate_limit", rate_limit=1_000).succeeded
    plain = world.call(STAKER, "register_network", **params)
    assert plain.error == "NetworkTxRateLimitExceeded"
    named = world.call(STAKER, "register_network_with_identity", **params, identity=None)
    assert named.error == "NonAssociatedColdKey"


# Takes


@pytest.mark.parametrize("call", ["increase_take", "decrease_take"])
def test_faults_of_changing_a_take(world: Any, call: str) -> None:
    network, stakes = world.pallets.subnets.network, world.pallets.stakes
    network.min_delegate_take = least = 1_000
    most = network.max_delegate_take

    def tries(take: int, uri: str = "//Alice", hotkey: str = HOTKEY) -> str | None:
        error: str | None = world.call(uri, call, hotkey=world.address(hotkey), take=take).error
        return error

    assert tries(least - 1, STAKER, "//Nobody") == "DelegateTakeTooLow"
    assert tries(most + 1, STAKER, "//Nobody") == "DelegateTakeTooHigh"
    assert tries(most, STAKER, "//Nobody") == "HotKeyAccountNotExists"
    assert tries(most, STAKER) == "NonAssociatedColdKey"
    stakes.delegates[world.key(HOTKEY)] = 5_000
    assert tries(5_000) == "DelegateTakeTooLow"
    assert tries(6_000 if call == "increase_take" else 4_000) is None
    if call == "increase_take":
        assert tries(7_000) == "DelegateTxRateLimitExceeded"
