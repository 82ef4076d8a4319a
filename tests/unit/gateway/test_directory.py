"""The snapshot of the chain that requests are routed by."""

import asyncio
from dataclasses import replace

import pytest

from mycelia.gateway.directory import ChainDirectory
from mycelia.neuron.chain import ChainAway, Metagraph, Neuron

NEURON = Neuron(
    uid=0, hotkey="a", coldkey="c", registered_at=0, permit=False, stake_rao=0, incentive=0.5,
    dividends=0.0, emission_rao=0, host="127.0.0.2", port=7001,
)  # fmt: skip


def _graph(*neurons: Neuron) -> Metagraph:
    return Metagraph(
        netuid=3, name="text", height=1, tempo_blocks=20, last_step=0, tao_emission_rao=0,
        alpha_emission_rao=0, alpha_price=0.0, neurons=neurons,
    )  # fmt: skip


class Chain:
    def __init__(self, *neurons: Neuron) -> None:
        self.graph = _graph(*neurons)
        self.away = False
        self.asked = 0

    async def metagraph(self, netuid: int) -> Metagraph:
        self.asked += 1
        assert netuid == 3
        if self.away:
            raise ChainAway("chain_away", "gone", "wait")
        return self.graph


async def test_only_neurons_that_publish_an_address_are_routes():
    chain = Chain(NEURON, replace(NEURON, uid=1, hotkey="b", host=None, port=0))
    directory = ChainDirectory(chain, {"text": 3})
    assert directory.routes("text") == ()
    await directory.refresh()
    (route,) = directory.routes("text")
    assert (route.endpoint.hotkey, route.endpoint.host, route.endpoint.port) == (
        "a", "127.0.0.2", 7001,
    )  # fmt: skip
    assert (route.uid, route.netuid, route.incentive) == (0, 3, 0.5)
    assert directory.routes("other") == ()


async def test_while_the_chain_is_away_the_last_snapshot_stays():
    chain = Chain(NEURON)
    directory = ChainDirectory(chain, {"text": 3}, refresh_s=0.01)
    await directory.refresh()
    chain.away = True
    with pytest.raises(ChainAway):
        await directory.refresh()
    assert len(directory.routes("text")) == 1

    following = asyncio.create_task(directory.follow())
    async with asyncio.timeout(30):
        while chain.asked <= 4:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
        assert len(directory.routes("text")) == 1
        chain.away = False
        chain.graph = _graph(NEURON, replace(NEURON, uid=1, hotkey="b"))
        while len(directory.routes("text")) < 2:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    following.cancel()
