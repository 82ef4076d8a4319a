"""`mycelia_explain` over a chain with epochs: who may be asked for, and that amounts are text."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from mycelia.rpc.budget import TimeBudget
from mycelia.rpc.dispatch import Dispatcher
from mycelia.testing.devchain import DevChain
from mycelia.testing.oracle import Person
from mycelia.testing.rpc import rpc_node

OWNER = Person("//Alice_hk")


@pytest.fixture(scope="module")
def epoch() -> tuple[Dispatcher, int, str]:
    """A subnet of one neuron, the owner's, after its second epoch; the epoch's height and hash."""
    dev = DevChain()
    assert dev.sudo("AdminUtils", "sudo_set_admin_freeze_window", window=0).succeeded
    for name, terms in (
        ("register_network", {"hotkey": OWNER.address}),
        ("start_call", {"netuid": 1}),
    ):
        assert dev.submit("//Alice", "SubtensorModule", name, **terms).succeeded
    assert dev.sudo("AdminUtils", "sudo_set_tempo", netuid=1, tempo=5).succeeded
    dev.seal_epoch(1)
    height = dev.seal_epoch(1)
    dev.seal(2)
    node, _ = rpc_node(dev.chain)
    node.explaining = TimeBudget(600)  # as much as a slow machine needs
    return Dispatcher(node), height, "0x" + node.hash_at(height).hex()


def reply(dispatcher: Dispatcher, *params: Any) -> dict[str, Any]:
    request = orjson.dumps({"id": 1, "method": "mycelia_explain", "params": params})
    raw = dispatcher.handle(request, None)
    assert isinstance(raw, bytes)
    answer: dict[str, Any] = orjson.loads(raw)
    return answer


def test_a_neuron_is_named_by_uid_address_or_key_and_its_epoch_by_height_or_hash(
    epoch: tuple[Dispatcher, int, str],
) -> None:
    dispatcher, height, hash_ = epoch
    ways = [
        (1, 0),
        (1, OWNER.address),
        (1, "0x" + OWNER.account.hex()),
        (1, 0, height),
        (1, 0, hash_),
    ]
    answers = [reply(dispatcher, *way)["result"] for way in ways]
    assert all(answer == answers[0] for answer in answers)
    assert (answers[0]["block"], answers[0]["block_hash"]) == (height, hash_)
    assert answers[0]["rules"] == "yuma2"


def test_amounts_are_text_and_keys_hex(epoch: tuple[Dispatcher, int, str]) -> None:
    said = reply(epoch[0], 1, 0)["result"]
    (why,), pay = said["mechanisms"], said["pay"]
    # The owner's cut of the first epoch is its stake in the second.
    assert why["counted_rao_q64"] == why["counted_total_rao_q64"]
    assert int(why["counted_rao_q64"]) > 2**64
    assert pay["hotkey"] == "0x" + OWNER.account.hex()
    cut = pay["waiting"]["owner_cut_rao"]
    assert isinstance(cut, str)
    assert pay["owner"]["amount"] == cut
    (pot,) = pay["pots"]
    (position,) = pot["positions"]
    assert int(position["after_rao"]) - int(position["before_rao"]) == int(pot["staked_rao"])


@pytest.mark.parametrize(
    ("params", "code", "says"),
    [
        ((1, 9), 4003, "its 1 neurons have uids from 0"),
        ((7, 0), 4003, "no subnet 7"),
        ((1, 0, 1), 4003, "There is no subnet 1 after block 1"),
        ((1, 0, 10**6), 4003, "not committed"),
        ((1, 0, "0x" + "77" * 32), 4003, "UnknownBlock"),
        ((65_536, 0), -32602, "netuid must be"),
        (("0x" + "f" * 5_000, 0), -32602, "at most 64 bits"),
        ((1, 0, -1), -32602, "from 0"),
        ((1, "somebody"), -32602, "neither a uid nor an account"),
        ((1, "0x1234"), -32602, "32 bytes"),
        ((1, "0xzz"), -32602, "neither a uid nor an account"),
        ((1, None), -32602, "neuron"),
        ((1, 1.5), -32602, "neuron"),
        ((1,), -32602, "neuron is missing"),
    ],
)
def test_what_is_wrong_is_named(
    epoch: tuple[Dispatcher, int, str], params: tuple[Any, ...], code: int, says: str
) -> None:
    error = reply(epoch[0], *params)["error"]
    assert error["code"] == code
    assert says in f"{error['message']} {error.get('data')}"


def test_a_block_without_an_epoch_says_where_one_was(epoch: tuple[Dispatcher, int, str]) -> None:
    dispatcher, height, _ = epoch
    error = reply(dispatcher, 1, 0, height + 1)["error"]
    assert f"the last before it ran in block {height}" in error["message"]


def test_explanations_leave_time_for_others(
    epoch: tuple[Dispatcher, int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes a second here, and comes a second after the one before."""
    dispatcher, now_s = epoch[0], 0.0

    def a_second_later() -> float:
        nonlocal now_s
        now_s += 1
        return now_s

    monkeypatch.setattr(dispatcher._node, "explaining", TimeBudget(2, 0.1, a_second_later))
    answers = [reply(dispatcher, 1, 0) for _ in range(4)]
    assert ["result" in answer for answer in answers] == [True, True, True, False]
    refused = answers[-1]["error"]
    assert (refused["code"], refused["data"][:16]) == (-32000, "Try again in 5 s")
    now_s += 5
    assert "result" in reply(dispatcher, 1, 0)


def test_what_cannot_be_explained_takes_time_too(
    epoch: tuple[Dispatcher, int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter(range(0, 1_000, 10))
    budget = TimeBudget(5, 0.01, lambda: float(next(ticks)))
    monkeypatch.setattr(epoch[0]._node, "explaining", budget)
    codes = [reply(epoch[0], 1, 9)["error"]["code"] for _ in range(2)]
    assert codes == [4003, -32000]
