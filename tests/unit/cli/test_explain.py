"""`mycelia explain`: an epoch in words, and refusals in those of the node."""

import asyncio

import pytest
from typer.testing import CliRunner

from mycelia.cli.app import app
from mycelia.cli.explain import lines
from mycelia.rpc.methods.explain import explain
from mycelia.testing.devchain import DevChain, dev_node
from mycelia.testing.oracle import Person
from mycelia.testing.rpc import rpc_node


def test_an_epoch_is_told_from_stake_to_pay():
    chain, owner = DevChain(), Person("//Alice_hk")
    assert chain.sudo("AdminUtils", "sudo_set_admin_freeze_window", window=0).succeeded
    created = chain.submit("//Alice", "SubtensorModule", "register_network", hotkey=owner.address)
    assert created.succeeded
    assert chain.submit("//Alice", "SubtensorModule", "start_call", netuid=1).succeeded
    assert chain.sudo("AdminUtils", "sudo_set_tempo", netuid=1, tempo=5).succeeded
    height = chain.seal_epoch(1)
    node, _ = rpc_node(chain.chain)
    said = explain(node, 1, 0)
    told = list(lines(said))
    assert told[0] == f"subnet 1, uid 0, {owner.address}"
    assert told[1] == f"epoch in block {height}, rules yuma2"
    cut = int(said["pay"]["owner"]["amount"])
    assert f"  owner's cut   {cut // 10**9}.{cut % 10**9:09d}" in told
    assert told[-1].startswith(f"    {Person('//Alice').address} + ")


async def test_a_refusal_is_the_nodes():
    async with dev_node(interval_ms=None) as node:
        found = await asyncio.to_thread(
            CliRunner().invoke, app, ["explain", "1", "0", "--endpoint", node.url]
        )
    assert found.exit_code == 1
    assert "There is no subnet 1 after block" in str(found.exception)
    assert "Ask for one that exists then" in str(found.exception)


@pytest.mark.parametrize("endpoint", ["ws://127.0.0.1:1", "nonsense"])
def test_a_node_that_is_away_is_named(endpoint):
    found = CliRunner().invoke(app, ["explain", "1", "0", "--endpoint", endpoint])
    assert "does not answer" in str(found.exception)
