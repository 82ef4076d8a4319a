"""Transfers and the existential deposit, through signed extrinsics and the pallet's own methods."""

from __future__ import annotations

import pytest

from mycelia.frame import Origin, Overflow, TokenError
from mycelia.frame.address import AccountAddress
from mycelia.pallets.balances.pallet import EXISTENTIAL_DEPOSIT_RAO as ED
from mycelia.pallets.balances.pallet import Balances, InsufficientBalance
from mycelia.primitives import AccountId, Tao
from mycelia.runtime import GenesisConfig, Runtime
from mycelia.state import MemoryStore, Overlay
from mycelia.testing.oracle import Person
from mycelia.testing.world import World

ANN, BEN, CAT = (AccountId(bytes([n]) * 32) for n in (1, 2, 3))


@pytest.fixture
def runtime() -> Runtime:
    runtime = Runtime(Overlay(MemoryStore().head()))
    runtime.genesis(GenesisConfig(balances={ANN: Tao(10_000), BEN: Tao(600)}))
    return runtime


@pytest.fixture
def balances(runtime: Runtime) -> Balances:
    return runtime.pallets.balances


def told(runtime: Runtime) -> list[str]:
    return [type(t.event).__name__ for t in runtime.state.told]


def test_a_transfer_creates_the_receiver(runtime: Runtime, balances: Balances) -> None:
    balances.transfer(ANN, CAT, Tao(ED))
    assert (balances.free_balance(ANN), balances.free_balance(CAT)) == (10_000 - ED, ED)
    assert runtime.pallets.system.account[CAT].providers == 1
    assert told(runtime)[-3:] == ["NewAccount", "Endowed", "Transfer"]


@pytest.mark.parametrize(
    ("source", "dest", "value", "keep_alive", "case"),
    [
        (ANN, BEN, 10_001, False, "FundsUnavailable"),
        (ANN, BEN, 10_000 - ED + 1, True, "NotExpendable"),
        (ANN, CAT, ED - 1, True, "BelowMinimum"),
        (CAT, ANN, 1, False, "FundsUnavailable"),
    ],
)
def test_what_a_balance_rule_refuses(balances, source, dest, value, keep_alive, case) -> None:
    with pytest.raises(TokenError) as refused:
        balances.transfer(source, dest, Tao(value), keep_alive=keep_alive)
    assert refused.value.case == case


def test_dust_is_burned_and_its_account_removed(runtime: Runtime, balances: Balances) -> None:
    balances.transfer(BEN, ANN, Tao(300), keep_alive=False)
    assert balances.free_balance(BEN) == 0
    assert balances.free_balance(ANN) == 10_300
    assert balances.total_issuance == 10_300
    assert "DustLost" in told(runtime)
    assert "KilledAccount" in told(runtime)


def test_a_transfer_to_oneself_changes_nothing(balances: Balances) -> None:
    balances.transfer(ANN, ANN, Tao(9_999))
    assert balances.free_balance(ANN) == 10_000


def test_withdrawals_leave_the_existential_deposit(balances: Balances) -> None:
    with pytest.raises(InsufficientBalance):
        balances.withdraw(ANN, Tao(10_000 - ED + 1))
    balances.withdraw(ANN, Tao(10_000 - ED))
    assert balances.free_balance(ANN) == ED
    assert balances.total_issuance == 600 + ED


def test_too_little_cannot_create_an_account(balances: Balances) -> None:
    with pytest.raises(TokenError):
        balances.credit(CAT, Tao(ED - 1))
    balances.credit(CAT, Tao(ED))
    assert balances.total_issuance == 10_600 + ED


def test_root_cannot_make_more_than_a_number_holds(balances: Balances) -> None:
    root = Origin(is_root=True)
    with pytest.raises(Overflow):
        balances.force_set_balance(root, AccountAddress(ANN), Tao((1 << 64) - 1))
    assert balances.total_issuance == 10_600
    balances.force_set_balance(root, AccountAddress(ANN), Tao(1 << 63))
    balances.issuance_is_the_sum_of_balances()


def test_the_invariant_can_fail(balances: Balances) -> None:
    balances.issuance_is_the_sum_of_balances()
    balances.total_issuance = Tao(1)
    with pytest.raises(AssertionError):
        balances.issuance_is_the_sum_of_balances()


@pytest.fixture
def world() -> World:
    return World({"//Bob": 10**9, "//Poor": 700_000})


NEW = Person("//New")


@pytest.mark.parametrize("call", ["transfer_allow_death", "transfer_keep_alive"])
def test_a_call_sends_money_to_a_new_account(world: World, call: str) -> None:
    result = world.submit("//Bob", "Balances", call, dest={"Id": NEW.address}, value=ED)
    assert result.events("Endowed")[0].free_balance == ED
    assert result.events("Transfer")[0].amount == ED


def test_a_call_that_leaves_dust_loses_it(world: World) -> None:
    params = {"dest": {"Id": Person("//Alice").address}, "value": 10**9}
    fee = world.submit("//Bob", "Balances", "transfer_allow_death", **params)
    paid = fee.events("TransactionFeePaid")[0].actual_fee
    assert fee.error == "FundsUnavailable"
    params["value"] = 10**9 - 2 * paid - (ED - 100)
    result = world.submit("//Bob", "Balances", "transfer_allow_death", **params)
    assert 0 < result.events("DustLost")[0].amount < ED
    assert world.pallets.balances.free_balance(Person("//Bob").account) == 0


def test_all_can_be_sent_to_a_new_account(world: World) -> None:
    params = {"dest": {"Id": NEW.address}, "keep_alive": False}
    result = world.submit("//Bob", "Balances", "transfer_all", **params)
    assert result.events("Endowed")
    assert world.pallets.balances.free_balance(Person("//Bob").account) == 0
