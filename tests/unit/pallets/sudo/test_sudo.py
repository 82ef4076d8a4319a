"""The operator's key: what it may do, who else may not, handing it on and giving it up."""

from __future__ import annotations

import pytest

from mycelia.testing.oracle import Person, compose
from mycelia.testing.world import World

TAO = 10**9
ALICE, BOB, DAVE = Person("//Alice"), Person("//Bob"), Person("//Dave")
INNER = compose("Balances", "force_set_balance", who={"Id": DAVE.address}, new_free=5 * TAO)


@pytest.fixture
def world() -> World:
    return World({"//Bob": 1_000 * TAO})


def dave_has(world: World) -> int:
    return int(world.pallets.balances.free_balance(DAVE.account))


@pytest.mark.parametrize(
    ("call", "more"),
    [("sudo", {}), ("sudo_unchecked_weight", {"weight": {"ref_time": 0, "proof_size": 0}})],
)
def test_the_operator_calls_as_root(world, call, more):
    result = world.submit("//Alice", "Sudo", call, call=INNER, **more)
    assert type(result.events("Sudid")[0].sudo_result).wire_name == "Ok"
    assert dave_has(world) == 5 * TAO


def test_the_operator_calls_for_another(world):
    alice = {"Id": ALICE.address}
    inner = compose("Balances", "transfer_keep_alive", dest=alice, value=TAO)
    result = world.submit("//Alice", "Sudo", "sudo_as", who={"Id": BOB.address}, call=inner)
    assert type(result.events("SudoAsDone")[0].sudo_result).wire_name == "Ok"
    assert world.pallets.balances.free_balance(BOB.account) == 999 * TAO


@pytest.mark.parametrize(
    ("call", "params"),
    [
        ("sudo", {"call": INNER}),
        ("sudo_unchecked_weight", {"call": INNER, "weight": {"ref_time": 0, "proof_size": 0}}),
        ("sudo_as", {"who": {"Id": DAVE.address}, "call": INNER}),
        ("set_key", {"new": {"Id": BOB.address}}),
        ("remove_key", {}),
    ],
)
def test_others_require_sudo(world, call, params):
    assert world.submit("//Bob", "Sudo", call, **params).error == "RequireSudo"
    assert world.pallets.sudo.key == ALICE.account
    assert dave_has(world) == 0


def test_the_key_is_handed_on(world):
    told = world.submit("//Alice", "Sudo", "set_key", new={"Id": BOB.address})
    event = told.events("KeyChanged")[0]
    assert (event.old, event.new) == (ALICE.account, BOB.account)
    assert world.submit("//Alice", "Sudo", "sudo", call=INNER).error == "RequireSudo"
    assert world.submit("//Bob", "Sudo", "sudo", call=INNER).events("Sudid")


def test_the_key_is_given_up_for_good(world):
    assert world.submit("//Alice", "Sudo", "remove_key").events("KeyRemoved")
    assert world.submit("//Alice", "Sudo", "sudo", call=INNER).error == "RequireSudo"
