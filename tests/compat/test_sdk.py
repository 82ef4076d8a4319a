"""The unmodified Bittensor SDK 11.3 against a live node: each step is asserted on its effect on the chain."""

from __future__ import annotations

import bittensor as bt
import pytest

from mycelia.testing.live import LiveNode
from tests.compat.sdk import TAO, done, free, raw, sudo, wallet

pytestmark = pytest.mark.net


async def test_it_connects_and_reads_balances(client: bt.Client) -> None:
    assert await free(client, wallet("Alice")) == 1_000_000 * TAO
    assert await client.is_fast_blocks()
    assert (await client.balances.existential_deposit()).rao == 500


async def test_a_transfer_costs_what_the_receipt_says_to_the_rao(client: bt.Client) -> None:
    bob, dave = wallet("Bob"), wallet("Dave")
    before = await free(client, bob), await free(client, dave)
    result = await done(client, bt.Transfer(dave.coldkey.ss58_address, 12.5), bob)
    after = await free(client, bob), await free(client, dave)
    assert after[1] - before[1] == 12_500_000_000
    assert before[0] - after[0] == 12_500_000_000 + result.fee.rao


async def test_a_failed_call_reports_the_chains_own_error(client: bt.Client) -> None:
    call = bt.calls.SubtensorModule.start_call(netuid=77)
    result = await client.submit_call(call, wallet("Bob"))
    assert not result.success
    assert result.error is not None
    assert result.error.name == "SubnetNotExists"


async def test_a_subnet_from_creation_to_pay(client: bt.Client, node: LiveNode) -> None:
    """Create, start, register, serve, stake, set weights, and see the metagraph and pay follow."""
    owner, staker = wallet("Alice"), wallet("Charlie", "Charlie_hk")
    created = await done(client, bt.RegisterSubnet(), owner)
    netuid = (await client.subnets.subnets())[-1].netuid
    assert created.success
    await done(client, bt.StartCall(netuid), owner)
    await sudo(
        client,
        bt.calls.AdminUtils.sudo_set_commit_reveal_weights_enabled(netuid=netuid, enabled=False),
    )
    await sudo(
        client,
        bt.calls.AdminUtils.sudo_set_weights_set_rate_limit(
            netuid=netuid, weights_set_rate_limit=0
        ),
    )
    # So long that no epoch comes between two steps, unless it is asked for.
    await sudo(client, bt.calls.AdminUtils.sudo_set_tempo(netuid=netuid, tempo=200))
    miners = [wallet("Charlie", f"miner{n}") for n in range(2)]
    for who in (staker, *miners):
        hotkey = who.hotkey.ss58_address
        await raw(
            client, bt.calls.SubtensorModule.burned_register(netuid=netuid, hotkey=hotkey), who
        )
    price = (await client.read("alpha_price", netuid=netuid))["tao_per_alpha"]
    await done(client, bt.AddStake(staker.hotkey.ss58_address, netuid, 20), staker)
    stake = await client.staking.stake(
        staker.coldkey.ss58_address, staker.hotkey.ss58_address, netuid
    )
    assert stake.rao == pytest.approx(20 * TAO / price, rel=0.2)  # it moves with each block
    # More than the owner's cut comes to, which grows with each block.
    more = bt.calls.SubtensorModule.add_stake(
        hotkey=staker.hotkey.ss58_address, netuid=netuid, amount_staked=500 * TAO
    )
    await raw(client, more, staker)
    await done(client, bt.ServeAxon(netuid=netuid, ip="127.0.0.1", port=9001), miners[0])
    node.to_next_epoch(netuid)

    uids = {n.hotkey: n.uid for n in (await client.subnets.metagraph(netuid)).neurons}
    targets = {
        uids[m.hotkey.ss58_address]: weight for m, weight in zip(miners, (3, 1), strict=True)
    }
    await done(client, bt.SetWeights(netuid, weights=targets), staker)
    node.to_next_epoch(netuid)

    graph = await client.subnets.metagraph(netuid)
    pay = {n.hotkey: n for n in graph.neurons}
    first, second = (pay[m.hotkey.ss58_address] for m in miners)
    assert first.incentive > 2 * second.incentive > 0
    assert pay[staker.hotkey.ss58_address].dividends > 0.9
    assert first.axon is not None
    assert await client.weights.weights(netuid)
    await done(client, bt.RemoveStake(staker.hotkey.ss58_address, netuid, 1), staker)
