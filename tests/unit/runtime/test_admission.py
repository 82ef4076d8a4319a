"""What the pool refuses although its signer can pay: calls that would fail, by the numbers clients know."""

from __future__ import annotations

from typing import Any

import pytest
from bittensor.error_map import CUSTOM_TRANSACTION_ERRORS

from mycelia.pallets.subtensor.subnets.creation import Creation
from mycelia.primitives import InvalidTransaction
from mycelia.runtime.admission import _TRIED, WouldFail
from mycelia.testing.oracle import Person, compose
from mycelia.testing.world import GENESIS_HASH
from tests.unit.pallets.subtensor.conftest import TAO, SubnetWorld

AXON = {
    "version": 1,
    "ip": 0x08080808,
    "port": 8091,
    "ip_type": 4,
    "protocol": 4,
    "placeholder1": 0,
    "placeholder2": 0,
}
WEIGHTS = {"netuid": 1, "dests": [0], "weights": [1], "version_key": 0}
REVEAL = {"netuid": 1, "uids": [0], "values": [1], "salt": [1], "version_key": 0}
ANNOUNCE = compose("MevShield", "announce_next_key", enc_key=None)


@pytest.fixture
def world() -> SubnetWorld:
    """Alice's subnet 1 is started, takes plain weights and is free of rate limits."""
    found = SubnetWorld({"//Alice": 10_000_000 * TAO, "//Bob": TAO, "//Alice_hk1": TAO})
    assert found.admin("admin_freeze_window", window=0).succeeded
    found.create_subnet()
    return found


def judged(world: SubnetWorld, uri: str, pallet: str, call: str, /, **params: Any) -> str | None:
    """What the pool refuses a call with, in the client's words for its number, or the node's."""
    who = Person(uri)
    nonce = world.runtime.next_nonce(who.account)
    raw = who.sign(compose(pallet, call, **params), nonce=nonce, genesis_hash=GENESIS_HASH)
    before, told = world.overlay.drain(), len(world.runtime.state.told)
    found = None
    try:
        world.runtime.check(world.runtime.decode(raw), world.height + 1)
    except InvalidTransaction as refusal:
        known = CUSTOM_TRANSACTION_ERRORS
        found = refusal.detail if refusal.custom is None else known[refusal.custom]
    assert world.overlay.drain() == before
    assert len(world.runtime.state.told) == told
    return found


def subtensor(world: SubnetWorld, uri: str, call: str, **params: Any) -> str | None:
    return judged(world, uri, "SubtensorModule", call, **params)


def test_numbers_are_those_the_sdk_knows() -> None:
    numbers = {number for errors in _TRIED.values() for number in errors.values()}
    assert numbers <= CUSTOM_TRANSACTION_ERRORS.keys()


def test_weights(world: SubnetWorld) -> None:
    assert subtensor(world, "//Alice_hk1", "set_weights", **WEIGHTS) is None
    assert subtensor(world, "//Bob", "set_weights", **WEIGHTS) == "HotKeyNotRegisteredInSubNet"
    assert world.register("//Alice", "//Bob").succeeded
    world.admin("stake_threshold", min_stake=2**60)
    assert subtensor(world, "//Bob", "set_weights", **WEIGHTS) == "StakeAmountTooLow"


def test_weights_too_soon(world: SubnetWorld) -> None:
    world.admin("weights_set_rate_limit", netuid=1, weights_set_rate_limit=5)
    world.seal(5)
    assert world.call("//Alice_hk1", "set_weights", **WEIGHTS).succeeded
    world.seal(3)
    assert subtensor(world, "//Alice_hk1", "set_weights", **WEIGHTS) == "RateLimitExceeded"
    world.seal()  # in time for the next block
    assert subtensor(world, "//Alice_hk1", "set_weights", **WEIGHTS) is None


def test_reveals(world: SubnetWorld) -> None:
    world.admin("commit_reveal_weights_enabled", netuid=1, enabled=True)
    assert subtensor(world, "//Alice_hk1", "reveal_weights", **REVEAL) == "NoWeightsCommitFound"


def test_endpoints(world: SubnetWorld) -> None:
    def served(uri: str = "//Alice_hk1", **changed: Any) -> str | None:
        return subtensor(world, uri, "serve_axon", netuid=1, **{**AXON, **changed})

    assert served() is None
    assert served("//Alice") == "HotKeyNotRegisteredInNetwork"
    assert served(port=0) == "InvalidPort"
    assert served(ip=2**32 - 1) == "InvalidIpAddress"
    world.admin("serving_rate_limit", netuid=1, serving_rate_limit=50)
    assert world.call("//Alice_hk1", "serve_axon", netuid=1, **AXON).succeeded
    world.seal()
    assert served() == "ServingRateLimitExceeded"


def test_subnets_too_soon(world: SubnetWorld) -> None:
    hotkey = world.address("//Alice_hk9")
    assert subtensor(world, "//Alice", "register_network", hotkey=hotkey) == "RateLimitExceeded"
    another = world.address("//Alice_hk1")
    assert subtensor(world, "//Bob", "register_network", hotkey=another) == "RateLimitExceeded"


def test_no_subnet_is_made_to_see_whether_one_may_be(
    world: SubnetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may take dissolving another, which is too much work for what has not been paid."""
    made = []
    monkeypatch.setattr(Creation, "_create", lambda *terms: made.append(terms))
    hotkey = world.address("//Alice_hk9")
    subtensor(world, "//Alice", "register_network", hotkey=hotkey)
    subtensor(world, "//Alice", "register_network_with_identity", hotkey=hotkey, identity=None)
    assert not made


def test_sudo_is_for_the_operator(world: SubnetWorld) -> None:
    inner = {"call": compose("System", "remark", remark=b"")}
    assert judged(world, "//Alice", "Sudo", "sudo", **inner) is None
    assert judged(world, "//Bob", "Sudo", "sudo", **inner) == "Invalid signing address"


def test_sudo_inside_a_free_batch_is_for_the_operator_too(world: SubnetWorld) -> None:
    order = compose("Sudo", "sudo", call=compose("System", "remark", remark=b""))
    inner = compose("Utility", "batch", calls=[order])
    assert judged(world, "//Alice", "Utility", "batch", calls=[inner]) is None
    assert judged(world, "//Bob", "Utility", "batch", calls=[inner]) == "Invalid signing address"


@pytest.mark.parametrize("name", ["batch", "batch_all", "force_batch"])
def test_each_part_of_a_free_batch_is_tried(world: SubnetWorld, name: str) -> None:
    weights = compose("SubtensorModule", "set_weights", **WEIGHTS)
    commit = compose("SubtensorModule", "reveal_weights", **REVEAL)
    both = {"calls": [weights, compose("Utility", name, calls=[commit])]}
    assert judged(world, "//Bob", "Utility", name, **both) == "HotKeyNotRegisteredInSubNet"
    assert judged(world, "//Alice_hk1", "Utility", name, calls=[weights]) is None
    world.admin("commit_reveal_weights_enabled", netuid=1, enabled=True)
    assert judged(world, "//Alice_hk1", "Utility", name, **both) == "NoWeightsCommitFound"


def test_who_pays_for_a_batch_may_fail_in_a_block(world: SubnetWorld) -> None:
    weights = compose("SubtensorModule", "set_weights", **WEIGHTS)
    paid = {"calls": [weights, compose("System", "remark", remark=b"")]}
    assert judged(world, "//Bob", "Utility", "batch", **paid) is None


def test_weights_on_several_subnets_need_stake(world: SubnetWorld) -> None:
    rows = {"netuids": [1], "weights": [[(0, 1)]], "version_keys": [0]}
    assert subtensor(world, "//Alice_hk1", "batch_set_weights", **rows) is None
    unequal = {**rows, "version_keys": []}
    assert subtensor(world, "//Alice_hk1", "batch_set_weights", **unequal) == "InputLengthsUnequal"


def test_strangers_get_nothing_for_free(world: SubnetWorld) -> None:
    """Their call would fail, and leave them an account that they have not paid for."""
    note = {"netuid": 1, "info": {"fields": [[{"Raw1": "0x00"}]]}}
    assert judged(world, "//Alice_hk1", "Commitments", "set_commitment", **note) is None
    assert judged(world, "//Alice", "Commitments", "set_commitment", **note) is None
    for who in ("//Bob", "//Nobody"):
        found = judged(world, who, "Commitments", "set_commitment", **note)
        assert found is not None
        assert "Inability to pay" in found


def test_what_authors_say_is_not_for_signing(world: SubnetWorld) -> None:
    for calls in ([compose("Timestamp", "set", now=2**40)], [ANNOUNCE]):
        found = judged(world, "//Alice", "Utility", "batch", calls=calls)
        assert found is not None
        assert "mandatory" in found
    assert judged(world, "//Alice", "Timestamp", "set", now=2**40) == found


def test_the_height_that_is_asked_about_counts(world: SubnetWorld) -> None:
    """The state may be that of an open block, or that before it: the answer is the same."""
    world.admin("weights_set_rate_limit", netuid=1, weights_set_rate_limit=5)
    world.seal(5)
    assert world.call("//Alice_hk1", "set_weights", **WEIGHTS).succeeded
    last = world.height
    who = Person("//Alice_hk1")
    call = compose("SubtensorModule", "set_weights", **WEIGHTS)
    nonce = world.runtime.next_nonce(who.account)
    xt = world.runtime.decode(who.sign(call, nonce=nonce, genesis_hash=GENESIS_HASH))
    for _ in range(2):
        with pytest.raises(WouldFail):
            world.runtime.check(xt, last + 4)
        world.runtime.check(xt, last + 5)
        world.seal(4)


def test_secret_extrinsics_live_short(world: SubnetWorld) -> None:
    ciphertext = bytes(16) + bytes(2) + bytes(24) + bytes(16)
    found = judged(world, "//Bob", "MevShield", "submit_encrypted", ciphertext=ciphertext)
    assert found == "Transaction is outdated"


def test_errors_that_have_no_number_wait_for_a_block(world: SubnetWorld) -> None:
    assert subtensor(world, "//Bob", "start_call", netuid=77) is None
    wrong = {**WEIGHTS, "dests": [0, 0], "weights": [1, 1]}
    assert subtensor(world, "//Alice_hk1", "set_weights", **wrong) is None
    assert world.call("//Alice_hk1", "set_weights", **wrong).error == "UidsLengthExceedUidsInSubNet"
