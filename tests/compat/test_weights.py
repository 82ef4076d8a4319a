"""Weights, commits and children through the unmodified SDK 11.3: each step is asserted on its effect on the chain."""

from __future__ import annotations

import bittensor as bt
import pytest

from mycelia.pallets.subtensor.commits.kernel import commit_hash
from mycelia.testing.live import LiveNode
from tests.compat.sdk import done, raw, refused, sudo, wallet

pytestmark = pytest.mark.slow
TEMPO = 200  # blocks of a quarter of a second: longer than what a test does in one epoch
ADMIN, CHAIN = bt.calls.AdminUtils, bt.calls.SubtensorModule


def address(who: bt.KeyedWallet) -> str:
    return str(who.hotkey.ss58_address)


async def found(client: bt.Client, owner: bt.KeyedWallet, *members: bt.KeyedWallet) -> int:
    """A started subnet without rate limits whose epochs are `TEMPO` blocks apart; its netuid."""
    await sudo(client, ADMIN.sudo_set_admin_freeze_window(window=0))
    await sudo(client, ADMIN.sudo_set_network_rate_limit(rate_limit=0))
    await done(client, bt.RegisterSubnet(), owner)
    netuid = max(subnet.netuid for subnet in await client.subnets.subnets())
    await done(client, bt.StartCall(netuid), owner)
    await sudo(
        client, ADMIN.sudo_set_weights_set_rate_limit(netuid=netuid, weights_set_rate_limit=0)
    )
    await sudo(client, ADMIN.sudo_set_tempo(netuid=netuid, tempo=TEMPO))
    for who in members:
        register = CHAIN.burned_register(netuid=netuid, hotkey=address(who))
        await raw(client, register, who)
    return netuid


async def test_weights_behind_hashes_and_in_the_open(client: bt.Client, node: LiveNode) -> None:
    """A hash is committed and revealed in the next epoch only; then the same row is set openly; bonds follow."""
    owner, miner = wallet("Alice", "Alice_w4"), wallet("Bob", "Bob_w4")
    netuid = await found(client, owner, miner)
    uids, values, salt = [0, 1], [21_845, 65_535], [7, 7, 7]
    hash_ = commit_hash(bytes(owner.hotkey.public_key), netuid, uids, values, salt, 0)
    commit = CHAIN.commit_weights(netuid=netuid, commit_hash="0x" + hash_.hex())
    reveal = bt.RevealWeights(netuid, uids=uids, weights=values, salt=salt)
    assert await refused(client, reveal, owner) == "NoWeightsCommitFound"
    node.to_next_epoch(netuid)
    await raw(client, commit, owner, signer="hotkey")
    assert await refused(client, reveal, owner) == "RevealTooEarly"
    node.to_next_epoch(netuid)
    assert await client.weights.weights(netuid) == {}
    await done(client, reveal, owner)
    rows = await client.weights.weights(netuid)
    assert rows[0][1] == pytest.approx(0.75, abs=1e-4)
    assert await refused(client, reveal, owner) == "NoWeightsCommitFound"

    await sudo(client, ADMIN.sudo_set_commit_reveal_weights_enabled(netuid=netuid, enabled=False))
    await done(client, bt.SetWeights(netuid, weights={0: 1, 1: 1}), owner)
    rows = await client.weights.weights(netuid)
    assert rows[0] == {0: 0.5, 1: 0.5}
    assert await refused(client, reveal, owner) == "NoWeightsCommitFound"
    await raw(
        client,
        CHAIN.add_stake(hotkey=address(owner), netuid=netuid, amount_staked=10**10),
        owner,
    )
    for _ in range(2):
        node.to_next_epoch(netuid)
    assert (await client.weights.bonds(netuid))[0][1] > 0.9


async def test_sealed_weights_wait_for_the_beacon(client: bt.Client, node: LiveNode) -> None:
    """Where commit-reveal is on, both intents seal for quicknet; the commits wait on the chain for its rounds."""
    owner, miner = wallet("Alice", "Alice_w5"), wallet("Bob", "Bob_w5")
    netuid = await found(client, owner, miner)
    assert await client.weights.timelocked_weight_commits(netuid) == {}
    node.to_next_epoch(netuid)
    chosen = await done(client, bt.SetWeights(netuid, weights={0: 1, 1: 3}), owner)
    forced = await done(client, bt.CommitWeights(netuid, uids=[0, 1], weights=[1, 1]), owner)
    waiting = await client.weights.timelocked_weight_commits(netuid)
    entries = [entry for queue in waiting.values() for entry in queue]
    assert [entry["hotkey"] for entry in entries] == [address(owner)] * 2
    rounds = [entry["reveal_round"] for entry in entries]
    assert rounds == [result.data["reveal_round"] for result in (chosen, forced)]
    assert all(len(entry["ciphertext"]) > 500 for entry in entries)
    # Nobody brings quicknet's rounds here, so the commits go with their epoch and no row appears.
    for _ in range(3):
        node.to_next_epoch(netuid)
    assert await client.weights.timelocked_weight_commits(netuid) == {}
    assert await client.weights.weights(netuid) == {}


async def test_children_from_naming_to_weight(client: bt.Client, node: LiveNode) -> None:
    owner, child = wallet("Alice", "Alice_w6"), wallet("Bob", "Bob_w6")
    parent = wallet("Charlie", "Charlie_w6")
    netuid = await found(client, owner, child, parent)
    await sudo(client, CHAIN.set_pending_childkey_cooldown(cooldown=3))
    await raw(
        client,
        CHAIN.add_stake(hotkey=address(parent), netuid=netuid, amount_staked=10**11),
        parent,
    )
    node.to_next_epoch(netuid)
    await done(client, bt.SetChildren(netuid, [[0.5, address(child)]]), parent)
    half = pytest.approx((2**64 - 1) / 2, rel=1e-9)
    pending = await client.delegation.pending_children(address(parent), netuid)
    assert pending["children"] == [(half, address(child))]
    assert await client.delegation.children(address(parent), netuid) == []
    own = [0.9, address(parent)]
    assert await refused(client, bt.SetChildren(netuid, [own], address(parent)), parent) == (
        "TxRateLimitExceeded"
    )
    for _ in range(2):
        node.to_next_epoch(netuid)
    assert await client.delegation.children(address(parent), netuid) == [(half, address(child))]
    assert await client.delegation.parents(address(child), netuid) == [(half, address(parent))]
    pending = await client.delegation.pending_children(address(parent), netuid)
    assert pending == {"children": [], "cooldown_block": 0}
    assert await client.delegation.childkey_threshold_suspended(address(parent)) is False
    shares = await client.query(("SubtensorModule", "StakeWeight"), [netuid])
    uid = await client.neurons.uid(address(child), netuid)
    assert shares[uid] > 20_000  # a third of the stake or more, all of it lent

    await done(client, bt.SetChildkeyTake(netuid, 0.1), child)
    take = await client.query(("SubtensorModule", "ChildkeyTake"), [address(child), netuid])
    assert take == pytest.approx(6_553, abs=1)
    assert await refused(client, bt.SetChildkeyTake(netuid, 0.15), child) == (
        "TxChildkeyTakeRateLimitExceeded"
    )
