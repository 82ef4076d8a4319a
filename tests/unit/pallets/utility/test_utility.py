"""Batches: what stands after a failure, what is told, who pays."""

from __future__ import annotations

import pytest

from mycelia.pallets.utility.pallet import MAX_CALLS
from mycelia.testing.oracle import Person, compose
from mycelia.testing.world import World

TAO = 10**9
BOB, DAVE = Person("//Bob"), Person("//Dave")


@pytest.fixture
def world() -> World:
    return World({"//Bob": 1_000 * TAO})


def send(tao: int) -> bytes:
    return compose("Balances", "transfer_keep_alive", dest={"Id": DAVE.address}, value=tao * TAO)


def holds(world: World, who: Person) -> int:
    return world.pallets.balances.free_balance(who.account) // TAO


GOOD, GREEDY = 10, 10_000


def names(result) -> list[str]:
    return [type(t.event).wire_name for t in result.told if t.pallet == "Utility"]


def test_a_batch_stops_at_the_first_failure_and_succeeds(world):
    result = world.submit("//Bob", "Utility", "batch", calls=[send(GOOD), send(GREEDY), send(GOOD)])
    assert result.succeeded
    assert names(result) == ["ItemCompleted", "BatchInterrupted"]
    interrupted = result.events("BatchInterrupted")[0]
    assert interrupted.index_ == 1
    assert type(interrupted.error).wire_name == "Token"
    assert holds(world, DAVE) == GOOD


def test_a_batch_that_is_whole_says_so(world):
    result = world.submit("//Bob", "Utility", "batch", calls=[send(GOOD), send(GOOD)])
    assert names(result) == ["ItemCompleted", "ItemCompleted", "BatchCompleted"]
    assert holds(world, DAVE) == 2 * GOOD


def test_batch_all_is_all_or_nothing_and_fails_with_the_inner_error(world):
    result = world.submit("//Bob", "Utility", "batch_all", calls=[send(GOOD), send(GREEDY)])
    assert result.error == "FundsUnavailable"
    assert names(result) == []
    assert holds(world, DAVE) == 0
    assert world.submit("//Bob", "Utility", "batch_all", calls=[send(GOOD)]).succeeded
    assert holds(world, DAVE) == GOOD


def test_force_batch_goes_on(world):
    result = world.submit("//Bob", "Utility", "force_batch", calls=[send(GREEDY), send(GOOD)])
    assert names(result) == ["ItemFailed", "ItemCompleted", "BatchCompletedWithErrors"]
    assert holds(world, DAVE) == GOOD


def test_force_batch_that_is_whole_says_so(world):
    result = world.submit("//Bob", "Utility", "force_batch", calls=[send(GOOD)])
    assert names(result) == ["ItemCompleted", "BatchCompleted"]


@pytest.mark.parametrize("call", ["batch", "batch_all", "force_batch"])
def test_batches_too_many_calls(world, call):
    calls = [compose("System", "remark", remark=b"")] * (MAX_CALLS + 1)
    assert world.submit("//Bob", "Utility", call, calls=calls).error == "TooManyCalls"


@pytest.mark.parametrize(
    ("main", "told"), [(GOOD, "IfElseMainSuccess"), (GREEDY, "IfElseFallbackCalled")]
)
def test_if_else_makes_one_of_two(world, main, told):
    result = world.submit("//Bob", "Utility", "if_else", main=send(main), fallback=send(GOOD))
    assert names(result) == [told]
    assert holds(world, DAVE) == GOOD


def test_if_else_fails_with_the_second_error(world):
    result = world.submit("//Bob", "Utility", "if_else", main=send(GREEDY), fallback=send(GREEDY))
    assert result.error == "FundsUnavailable"


def test_calls_keep_their_own_caller(world):
    limit = compose("AdminUtils", "sudo_set_tx_rate_limit", tx_rate_limit=7)
    result = world.submit("//Bob", "Utility", "batch", calls=[limit])
    assert type(result.events("BatchInterrupted")[0].error).wire_name == "BadOrigin"
    batch = compose("Utility", "batch_all", calls=[limit])
    assert world.apply("//Alice", compose("Sudo", "sudo", call=batch)).succeeded
    assert world.pallets.network.tx_rate_limit == 7


def test_with_weight_is_for_root(world):
    weight = {"ref_time": 1, "proof_size": 0}
    limit = compose("AdminUtils", "sudo_set_tx_rate_limit", tx_rate_limit=8)
    assert (
        world.submit("//Bob", "Utility", "with_weight", call=limit, weight=weight).error
        == "BadOrigin"
    )
    assert world.sudo("Utility", "with_weight", call=limit, weight=weight).error is None
    assert world.pallets.network.tx_rate_limit == 8


def test_batch_too_many_calls(world):
    nothing = compose("System", "remark", remark="0x")
    calls = [nothing] * 10_923
    assert world.submit("//Bob", "Utility", "batch", calls=calls).error == "TooManyCalls"


def test_a_batch_costs_what_is_in_it(world):
    def fee(count: int) -> int:
        calls = [send(1)] * count
        result = world.submit("//Bob", "Utility", "batch", calls=calls)
        return int(result.events("TransactionFeePaid")[0].actual_fee)

    length_bytes = len(send(1))
    transfer_fee = 200_000_000 * 500_000 // 10**9
    assert fee(3) - fee(2) == transfer_fee + length_bytes


def test_a_batch_of_free_calls_is_free(world):
    serve = {"netuid": 1, "version": 1, "ip": 1, "port": 1, "ip_type": 4, "protocol": 0}
    free = compose("SubtensorModule", "serve_axon", **serve, placeholder1=0, placeholder2=0)
    result = world.submit("//Bob", "Utility", "force_batch", calls=[free])
    assert result.succeeded
    assert [told.actual_fee for told in result.events("TransactionFeePaid")] in ([], [0])
    paid = world.submit("//Bob", "Utility", "force_batch", calls=[free, send(1)])
    assert paid.events("TransactionFeePaid")[0].actual_fee > 0
