"""What the pool refuses although its signer can pay: calls that would fail, by the numbers clients know."""

from __future__ import annotations

from typing import Any

import pytest
from bittensor.error_map import CUSTOM_TRANSACTION_ERRORS

from mycelia.pallets.subtensor.subnets.creation import Creation
from mycelia.primitives import InvalidTransaction
from mycelia.runtime.admission import _TRIED
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
        world.runtime.check(world.runtime.decode(raw))
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
    row = {"netuid": 1, "uids": [0], "values": [1], "salt": [1], "version_key": 0}
    world.admin("commit_reveal_weights_enabled", netuid=1, enabled=True)
    assert subtensor(world, "//Alice_hk1", "reveal_weights", **row) == "NoWeightsCommitFound"


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


def test_secret_extrinsics_live_short(world: SubnetWorld) -> None:
    ciphertext = bytes(16) + bytes(2) + bytes(24) + bytes(16)
    found = judged(world, "//Bob", "MevShield", "submit_encrypted", ciphertext=ciphertext)
    assert found == "Transaction is outdated"


def test_errors_that_have_no_number_wait_for_a_block(world: SubnetWorld) -> None:
    assert subtensor(world, "//Bob", "start_call", netuid=77) is None
    wrong = {**WEIGHTS, "dests": [0, 0], "weights": [1, 1]}
    assert subtensor(world, "//Alice_hk1", "set_weights", **wrong) is None
    assert world.call("//Alice_hk1", "set_weights", **wrong).error == "UidsLengthExceedUidsInSubNet"
