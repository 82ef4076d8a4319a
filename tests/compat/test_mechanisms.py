"""Several mechanisms on one subnet through the unmodified SDK 11.3: each step asserted on its effect on the chain."""

from __future__ import annotations

from typing import Any

import bittensor as bt
import pytest
from bittensor import runtime_api

from mycelia.pallets.subtensor.commits.kernel import commit_hash
from mycelia.testing.live import LiveNode
from tests.compat.sdk import TAO, done, raw, refused, sudo, wallet

pytestmark = pytest.mark.slow
TEMPO = 200  # blocks of a quarter of a second: longer than what a test does in one epoch
STEP = 4_096
VALIDATOR, FIRST_MINER, SECOND_MINER = wallet("Alice", "mecha"), wallet("Bob"), wallet("Charlie")
ADMIN, CHAIN = bt.calls.AdminUtils, bt.calls.SubtensorModule
GRAPHS = runtime_api.SubnetInfoRuntimeApi
INCENTIVES, NETUID = 62, 0
"""Numbers of two fields of a selective metagraph."""


async def found(client: bt.Client) -> int:
    """Alice's started subnet with two miners; it takes plain weights, and half the slots."""
    await sudo(client, ADMIN.sudo_set_admin_freeze_window(window=0))
    await sudo(client, ADMIN.sudo_set_network_rate_limit(rate_limit=0))
    await done(client, bt.RegisterSubnet(), VALIDATOR)
    netuid = max(subnet.netuid for subnet in await client.subnets.subnets())
    await done(client, bt.StartCall(netuid), VALIDATOR)
    for call in (
        ADMIN.sudo_set_weights_set_rate_limit(netuid=netuid, weights_set_rate_limit=0),
        ADMIN.sudo_set_commit_reveal_weights_enabled(netuid=netuid, enabled=False),
        ADMIN.sudo_set_max_allowed_uids(netuid=netuid, max_allowed_uids=128),
        ADMIN.sudo_set_tempo(netuid=netuid, tempo=TEMPO),
    ):
        await sudo(client, call)
    for who in (FIRST_MINER, SECOND_MINER):
        hotkey = who.hotkey.ss58_address
        await raw(client, CHAIN.burned_register(netuid=netuid, hotkey=hotkey), who)
    hotkey = VALIDATOR.hotkey.ss58_address
    stake = CHAIN.add_stake(hotkey=hotkey, netuid=netuid, amount_staked=10 * TAO)
    await raw(client, stake, VALIDATOR)
    return netuid


async def mechagraph(client: bt.Client, netuid: int, mecid: int) -> dict[str, Any] | None:
    graph: dict[str, Any] | None = await client.runtime(GRAPHS.get_mechagraph, [netuid, mecid])
    return graph


async def staked(client: bt.Client, netuid: int, who: bt.KeyedWallet) -> int:
    hotkey = who.hotkey.ss58_address
    return int(await client.query(("SubtensorModule", "TotalHotkeyAlpha"), [hotkey, netuid]))


async def test_two_mechanisms_from_their_count_to_their_pay(
    client: bt.Client, node: LiveNode
) -> None:
    netuid = await found(client)
    assert await refused(client, bt.SetMechanismCount(netuid, 3), VALIDATOR) == "InvalidValue"
    await done(client, bt.SetMechanismCount(netuid, 2), VALIDATOR)
    assert await client.read("mechanism_count", netuid=netuid) == 2
    assert await client.read("mechanism_emission_split", netuid=netuid) == []
    for shares in ([16_384, 49_150], [1, 65_533, 1]):
        wrong = ADMIN.sudo_set_mechanism_emission_split(netuid=netuid, maybe_split=shares)
        result = await client.submit_call(wrong, VALIDATOR)
        assert not result.success
        assert result.error.name == "InvalidValue"
    split = ADMIN.sudo_set_mechanism_emission_split(netuid=netuid, maybe_split=[16_384, 49_151])
    await raw(client, split, VALIDATOR)
    assert await client.read("mechanism_emission_split", netuid=netuid) == [16_384, 49_151]

    beyond = bt.SetWeights(netuid, weights={1: 1}, mechid=2)
    assert await refused(client, beyond, VALIDATOR) == "MechanismDoesNotExist"
    node.to_next_epoch(netuid)
    await done(client, bt.SetWeights(netuid, weights={1: 1}), VALIDATOR)
    await done(client, bt.SetWeights(netuid, weights={1: 1, 2: 3}, mechid=1), VALIDATOR)
    assert await client.weights.weights(netuid) == {0: {1: 1.0}}
    assert await client.weights.weights(netuid, mechid=1) == {0: {1: 0.25, 2: 0.75}}
    node.to_next_epoch(netuid)
    assert set((await client.weights.bonds(netuid))[0]) == {1}
    assert set((await client.weights.bonds(netuid, mechid=1))[0]) == {1, 2}

    first, second = [await mechagraph(client, netuid, mecid) for mecid in (0, 1)]
    assert first is not None
    assert second is not None
    assert (first["netuid"], second["netuid"]) == (netuid, netuid + STEP)
    assert first["incentives"] == [0, 65_535, 0]
    assert second["incentives"] == [0, 16_383, 49_151]
    assert first["emission"] == second["emission"]
    assert first["last_update"] != second["last_update"]
    assert await mechagraph(client, netuid, 2) is None
    listed = await client.runtime(GRAPHS.get_all_mechagraphs, [])
    assert [graph["netuid"] for graph in listed if graph["netuid"] % STEP == netuid] == [
        netuid,
        netuid + STEP,
    ]
    asked = [netuid, 1, [NETUID, INCENTIVES]]
    chosen = await client.runtime(GRAPHS.get_selective_mechagraph, asked)
    assert (chosen["netuid"], chosen["incentives"]) == (netuid, second["incentives"])

    miners = (FIRST_MINER, SECOND_MINER)
    before = [await staked(client, netuid, who) for who in miners]
    node.to_next_epoch(netuid)
    paid = [
        await staked(client, netuid, who) - had for who, had in zip(miners, before, strict=True)
    ]
    # A quarter and a quarter of three quarters to the first; three quarters of three quarters to the second.
    assert paid[0] / paid[1] == pytest.approx(7 / 9, rel=1e-3)


async def test_hashes_wait_in_their_mechanism_and_go_with_it(
    client: bt.Client, node: LiveNode
) -> None:
    netuid = await found(client)
    await done(client, bt.SetMechanismCount(netuid, 2), VALIDATOR)
    reveals = ADMIN.sudo_set_commit_reveal_weights_enabled(netuid=netuid, enabled=True)
    await sudo(client, reveals)
    row, salt = ([1, 2], [1, 3]), [5, 6]
    key = bytes(VALIDATOR.hotkey.public_key)
    hash_ = "0x" + commit_hash(key, netuid + STEP, *row, salt, 0).hex()
    commit = CHAIN.commit_mechanism_weights(netuid=netuid, mecid=1, commit_hash=hash_)
    arguments = {"netuid": netuid, "uids": row[0], "values": row[1], "salt": salt, "version_key": 0}
    reveal = CHAIN.reveal_mechanism_weights(mecid=1, **arguments)
    elsewhere = CHAIN.reveal_mechanism_weights(mecid=0, **arguments)

    node.to_next_epoch(netuid)
    await raw(client, commit, VALIDATOR, signer="hotkey")
    node.to_next_epoch(netuid)
    assert await error_of(client, elsewhere) == "NoWeightsCommitFound"
    await raw(client, reveal, VALIDATOR, signer="hotkey")
    assert set((await client.weights.weights(netuid, mechid=1))[0]) == {1, 2}
    assert await client.weights.weights(netuid) == {}

    await raw(client, commit, VALIDATOR, signer="hotkey")
    await done(client, bt.SetMechanismCount(netuid, 1), VALIDATOR)
    assert await client.weights.weights(netuid, mechid=1) == {}
    assert await error_of(client, commit) == "MechanismDoesNotExist"
    node.to_next_epoch(netuid)
    assert await error_of(client, reveal) == "NoWeightsCommitFound"


async def error_of(client: bt.Client, call: Any) -> str:
    """The name of the error with which the validator's call fails."""
    result = await client.submit_call(call, VALIDATOR, signer="hotkey")
    assert not result.success, result
    assert result.error is not None
    return str(result.error.name)
