"""Remarks, and the constants that clients read before anything else."""

from __future__ import annotations

import bittensor_core
import pytest

from mycelia.crypto import blake2_256
from mycelia.pallets.system.pallet import HASHES_KEPT
from mycelia.pallets.system.types import Digest
from mycelia.primitives import BlockNumber
from mycelia.runtime import SPEC_VERSION, Rules
from mycelia.runtime.executor import metadata
from mycelia.runtime.version import TRANSACTION_VERSION
from mycelia.testing.oracle import Person, oracle
from mycelia.testing.world import World


@pytest.fixture
def world() -> World:
    return World()


def test_a_remark_may_be_told(world: World) -> None:
    result = world.submit("//Alice", "System", "remark_with_event", remark=b"hello")
    told = result.events("Remarked")[0]
    assert (told.sender, told.hash) == (Person("//Alice").account, blake2_256(b"hello"))


def test_a_remark_says_nothing(world: World) -> None:
    result = world.submit("//Alice", "System", "remark", remark=b"hello")
    assert result.succeeded
    assert [entry for entry in result.told if entry.pallet == "System"] == [result.told[-1]]


def test_an_account_has_one_provider_while_it_has_a_balance(world: World) -> None:
    bob = Person("//Bob")

    def counts() -> tuple[int, int, int]:
        info = world.pallets.system.account[bob.account]
        return info.providers, info.consumers, info.sufficients

    assert counts() == (0, 0, 0)
    send = {"dest": {"Id": bob.address}, "value": 10**9}
    for _ in range(2):
        assert world.submit("//Alice", "Balances", "transfer_allow_death", **send).succeeded
        assert counts() == (1, 0, 0)
    back = {"dest": {"Id": Person("//Alice").address}, "keep_alive": False}
    assert world.submit("//Bob", "Balances", "transfer_all", **back).succeeded
    assert counts() == (0, 0, 0)


def test_of_old_blocks_hashes_only_the_firsts_is_kept(world: World) -> None:
    system = world.pallets.system
    for height in (1, 2, HASHES_KEPT + 1, HASHES_KEPT + 2):
        system.begin_block(height, height.to_bytes(32, "big"), Digest())
    assert system.block_hash[BlockNumber(0)] == (1).to_bytes(32, "big")
    assert system.block_hash[BlockNumber(1)] == bytes(32)


def test_clients_can_ask_for_limits_and_version() -> None:
    client = oracle()
    assert client.constant("System", "Version")["spec_version"] == SPEC_VERSION
    weights = client.constant("System", "BlockWeights")
    normal = weights["per_class"]["normal"]
    assert normal["max_extrinsic"]["ref_time"] < normal["max_total"]["ref_time"]
    assert normal["max_total"]["ref_time"] < weights["max_block"]["ref_time"]
    assert client.constant("System", "BlockLength")["max"]["normal"] == 5 * 1024 * 1024
    assert client.constant("System", "DbWeight") == {"read": 25_000_000, "write": 100_000_000}


def test_constants_of_a_fast_network_are_those_of_the_official_local_one() -> None:
    blob = metadata(Rules(is_fast=True)).v15
    client, fast = oracle(), bittensor_core.Runtime(blob, SPEC_VERSION, TRANSACTION_VERSION)
    expected = {
        ("SubtensorModule", "InitialTempo"): (360, 10),
        ("SubtensorModule", "InitialColdkeySwapAnnouncementDelay"): (36_000, 50),
        ("SubtensorModule", "InitialMaxAllowedUids"): (256, 256),
        ("Crowdloan", "MinimumBlockDuration"): (50_400, 50),
        ("Crowdloan", "MaximumBlockDuration"): (432_000, 20_000),
    }
    for at, values in expected.items():
        assert (client.constant(*at), fast.constant(*at)) == values
