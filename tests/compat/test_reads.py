"""Reads of the unmodified SDK 11.3 against a live node, each with its answer."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import bittensor as bt
import pytest
from bittensor.reads.base import REGISTRY

from mycelia.testing.live import LiveNode
from tests.compat.sdk import TAO, done, raw, sudo, wallet

pytestmark = pytest.mark.slow
OWNER, MINER, STRANGER = wallet("Alice"), wallet("Bob"), wallet("Eve")
NOBODY = "5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM"  # the account of 32 zero bytes
MAX_TAKE_U16 = 11_796


@dataclass(frozen=True)
class World:
    """A subnet that Alice owns and runs, with Bob's miner in its second slot."""

    url: str
    netuid: int
    created_at: int


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, LiveNode(tmp_path_factory.mktemp("node")) as node:
        patch.setenv("BITTENSOR_RUNTIME_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield asyncio.run(_prepare(node.url))


async def _prepare(url: str) -> World:
    async with bt.Client(url) as client:
        await done(client, bt.RegisterSubnet(), OWNER)
        netuid = (await client.subnets.subnets())[-1].netuid
        await done(client, bt.StartCall(netuid), OWNER)
        await done(client, bt.SetIdentity("Alice", url="https://alice.example"), OWNER)
        await done(client, bt.SetSubnetIdentity(netuid, "spores"), OWNER)
        call = bt.calls.SubtensorModule.burned_register
        hotkey = MINER.hotkey.ss58_address
        await raw(client, call(netuid=netuid, hotkey=hotkey), MINER)
        switch = bt.calls.AdminUtils.sudo_set_subnet_emission_enabled
        await sudo(client, switch(netuid=netuid, enabled=True))
        schedule = await client.read("subnet_start_schedule", netuid=netuid)
        return World(url, netuid, schedule["registered_at"])


@dataclass(frozen=True)
class Asked:
    """An answer, and the block numbers before and after it: what counts blocks is bounded by them."""

    got: Any
    world: World
    since: int
    block: int


Check = Callable[[Asked], bool]
COLD, HOT = "coldkey_ss58", "hotkey_ss58"
OWNER_COLD, OWNER_HOT = OWNER.coldkey.ss58_address, OWNER.hotkey.ss58_address
MINER_COLD, MINER_HOT = MINER.coldkey.ss58_address, MINER.hotkey.ss58_address
STRANGER_COLD = STRANGER.coldkey.ss58_address


def of_subnet(check: Check, **more: object) -> tuple[dict[str, object], Check]:
    return {"netuid": None, **more}, check


def equals(answer: object) -> Check:
    return lambda asked: asked.got == answer


def _is_metagraph(asked: Asked) -> bool:
    graph = asked.got
    return (
        graph["netuid"] == asked.world.netuid
        and graph["name"] == "spores"
        and graph["owner_coldkey"] == OWNER_COLD
        and graph["hotkeys"] == [OWNER_HOT, MINER_HOT]
        and graph["coldkeys"] == [OWNER_COLD, MINER_COLD]
        and graph["num_uids"] == 2
    )


def _is_epoch_status(asked: Asked) -> bool:
    status = asked.got
    return (
        status["tempo"] == 10
        and asked.world.created_at < status["block"] <= asked.block
        and status["next_epoch_start_block"] - status["block"] == status["blocks_remaining"]
        and 0 <= status["blocks_remaining"] <= 10
        and status["seconds_remaining"] == status["blocks_remaining"] * 0.25
    )


def _is_block(asked: Asked) -> bool:
    names = asked.got["extrinsics"]
    return asked.got["number"] == 1 and names == ["Timestamp.set", "MevShield.announce_next_key"]


def _is_now(asked: Asked) -> bool:
    stamp = dt.datetime.fromisoformat(asked.got["iso"])
    return abs(stamp - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=2)


def _are_neurons(asked: Asked) -> bool:
    owner, miner = asked.got
    return (
        (owner.uid, owner.hotkey, owner.coldkey) == (0, OWNER_HOT, OWNER_COLD)
        and (miner.uid, miner.hotkey, miner.coldkey) == (1, MINER_HOT, MINER_COLD)
        and miner.total_stake.rao == 0
        and miner.active
    )


READS: dict[str, tuple[dict[str, object], Check]] = {
    # Accounts
    "balance": ({COLD: STRANGER_COLD}, lambda asked: asked.got.rao == 2_000 * TAO),
    "balances": (
        {"coldkey_ss58s": [STRANGER_COLD]},
        lambda asked: (
            {who: amount.rao for who, amount in asked.got.items()} == {STRANGER_COLD: 2_000 * TAO}
        ),
    ),
    "existential_deposit": ({}, lambda asked: asked.got.rao == 500),
    # Chain
    "block_info": ({"block": 1}, _is_block),
    "block_time": ({}, equals(0.25)),
    "is_fast_blocks": ({}, equals(True)),
    "timestamp": ({}, _is_now),
    "tx_rate_limit": ({}, equals(1_000)),
    "mev_shield_next_key": ({}, lambda asked: len(bytes.fromhex(asked.got[2:])) == 1_184),
    # Keys and people
    "delegate_take": (
        {HOT: OWNER_HOT},
        lambda asked: asked.got["take_u16"] == MAX_TAKE_U16 and asked.got["min"] == 0,
    ),
    "hotkey_identities": (
        {"hotkey_ss58s": [OWNER_HOT, MINER_HOT]},
        lambda asked: (
            {who: each["name"] for who, each in asked.got.items()} == {OWNER_HOT: "Alice"}
        ),
    ),
    "hotkey_owner": ({HOT: MINER_HOT}, equals(MINER_COLD)),
    "identity": ({COLD: OWNER_COLD}, lambda asked: asked.got["url"] == "https://alice.example"),
    "netuids_for_hotkey": ({HOT: MINER_HOT}, lambda asked: asked.got == [asked.world.netuid]),
    "owned_hotkeys": ({COLD: MINER_COLD}, equals([MINER_HOT])),
    "uid": of_subnet(equals(1), hotkey_ss58=MINER_HOT),
    # Subnets
    "burn": of_subnet(lambda asked: TAO // 2000 <= asked.got.rao <= 100 * TAO),
    "collateral_policy": of_subnet(lambda asked: asked.got["lock_share"] == 0),
    "commit_reveal_enabled": of_subnet(equals(True)),
    "mechanism_count": of_subnet(equals(1)),
    "mechanism_emission_split": of_subnet(equals([])),
    "metagraph": of_subnet(_is_metagraph),
    "neurons": of_subnet(_are_neurons, lite=True),
    "subnet": of_subnet(lambda asked: (asked.got.tempo, asked.got.neuron_count) == (10, 2)),
    "subnets": (
        {},
        lambda asked: (
            [(each.netuid, each.neuron_count) for each in asked.got]
            == [(0, 0), (1, 1), (asked.world.netuid, 2)]
        ),
    ),
    "subnet_emission_enabled": of_subnet(equals(1)),
    "subnet_identity": of_subnet(lambda asked: asked.got["subnet_name"] == "spores"),
    "subnet_names": ({}, lambda asked: asked.got == {asked.world.netuid: "spores"}),
    "subnet_registration_cost": ({}, lambda asked: 1_000 * TAO < asked.got.rao <= 2_000 * TAO),
    "subnet_start_schedule": of_subnet(
        lambda asked: asked.got["earliest_start_block"] == asked.world.created_at
    ),
    "token_symbols": ({}, lambda asked: (asked.got[0], asked.got[1]) == ("\u03a4", "\u03b1")),
    # Epochs
    "blocks_since_last_step": of_subnet(lambda asked: 0 <= asked.got <= 10),
    "blocks_since_last_update": of_subnet(
        lambda asked: 0 < asked.got <= asked.block - asked.world.created_at, uid=1
    ),
    "blocks_until_next_epoch": of_subnet(lambda asked: 0 <= asked.got <= 10),
    "epoch_status": of_subnet(_is_epoch_status),
    "next_epoch_start_block": of_subnet(lambda asked: asked.since <= asked.got <= asked.block + 10),
    # Hyperparameters
    "difficulty": of_subnet(equals(10_000_000)),
    "immunity_period": of_subnet(equals(5_000)),
    "max_weight_limit": of_subnet(equals(65_535)),
    "min_allowed_weights": of_subnet(equals(1)),
    "reveal_period": of_subnet(equals(1)),
    "subnet_hyperparameters": of_subnet(
        lambda asked: (asked.got["tempo"], asked.got["kappa"]) == (10, 32_767)
    ),
    "weights_rate_limit": of_subnet(equals(100)),
}


def test_the_table_names_reads_of_the_sdk() -> None:
    assert len(READS) == 43
    assert READS.keys() <= REGISTRY.keys()


@pytest.mark.parametrize("name", READS)
async def test_a_read_gives_its_answer(name: str, world: World) -> None:
    params, is_right = READS[name]
    filled = {key: world.netuid if key == "netuid" else value for key, value in params.items()}
    async with bt.Client(world.url) as client:
        since = await client.block()
        got = await client.read(name, **filled)
        asked = Asked(got, world, since, await client.block())
    assert is_right(asked), got


async def test_what_was_never_set_reads_as_the_chain_says_it(world: World) -> None:
    async with bt.Client(world.url) as client:
        assert await client.read("identity", coldkey_ss58=STRANGER_COLD) is None
        assert await client.read("owned_hotkeys", coldkey_ss58=STRANGER_COLD) == []
        assert await client.read("hotkey_owner", hotkey_ss58=STRANGER_COLD) == NOBODY
        assert await client.read("uid", hotkey_ss58=STRANGER_COLD, netuid=world.netuid) is None
        assert await client.read("subnet_identity", netuid=1) is None
        assert await client.read("subnet_hyperparameters", netuid=99) is None
        assert await client.read("block_info", block=10**6) is None
