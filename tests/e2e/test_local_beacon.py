"""Sealed weights on a network without the internet: committed by the kit, opened by the node's own beacon."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from types import SimpleNamespace

import bittensor
import bittensor_core
import pytest
from bittensor import calls
from typer.testing import CliRunner

from mycelia.cli.app import app
from mycelia.neuron.chain import Chain, sdk_environment
from mycelia.testing.live import LiveNode

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]

TEMPO_BLOCKS = 40
FLAGS = ("--dev", "--fast", "--local-beacon")


def wallet(name: str) -> SimpleNamespace:
    cold, hot = (bittensor_core.Keypair.create_from_uri(f"//{uri}") for uri in (name, f"{name}_hk"))
    return SimpleNamespace(coldkey=cold, coldkeypub=cold, hotkey=hot)


async def sudo(chain: Chain, name: str, **params: object) -> None:
    call = getattr(calls.AdminUtils, f"sudo_set_{name}")(**params)
    inner = await chain.ask(lambda client: client.compose(call))
    await chain.submit_call(calls.Sudo.sudo(call=inner), wallet("Alice"))


async def found_subnet(chain: Chain) -> int:
    """A started subnet of Alice's that takes sealed weights only."""
    owner = wallet("Alice")
    result = await chain.execute(bittensor.RegisterSubnet(), owner)
    netuid = int(result.data["netuid"])
    await chain.execute(bittensor.StartCall(netuid=netuid), owner)
    await sudo(chain, "weights_set_rate_limit", netuid=netuid, weights_set_rate_limit=0)
    await sudo(chain, "tempo", netuid=netuid, tempo=TEMPO_BLOCKS)
    await sudo(chain, "commit_reveal_weights_enabled", netuid=netuid, enabled=True)
    miner = calls.SubtensorModule.burned_register(netuid, wallet("Bob").hotkey.ss58_address)
    await chain.submit_call(miner, wallet("Bob"))
    return netuid


async def read(chain: Chain, pallet: str, name: str, *keys: int) -> object:
    return await chain.ask(lambda client: client.query((pallet, name), list(keys)))


def explained(url: str, netuid: int) -> list[str]:
    """What the command says of the miner's newest epoch, which counted what was opened before it."""
    said = CliRunner().invoke(app, ["explain", str(netuid), "1", "--endpoint", url])
    assert said.exit_code == 0, said.exception
    return said.output.splitlines()


async def test_what_the_kit_seals_is_opened_by_the_nodes_beacon_and_counts(tmp_path: Path) -> None:
    os.environ.update(sdk_environment(tmp_path / "sdk"))
    with LiveNode(tmp_path, (*FLAGS, "--base-path", str(tmp_path / "node"))) as node:
        chain = Chain(node.url, wallet("Alice"), tmp_path / "sdk")  # type: ignore[arg-type]
        try:
            netuid = await found_subnet(chain)
            for _ in range(10):
                epoch = await read(chain, "SubtensorModule", "SubnetEpochIndex", netuid)
                await chain.set_weights(netuid, {0: 0.25, 1: 0.75})
                row = await read(chain, "SubtensorModule", "Weights", netuid, 0)
                if epoch == await read(chain, "SubtensorModule", "SubnetEpochIndex", netuid):
                    assert not row
                    break
            else:
                raise AssertionError("no epoch was long enough to look at what is sealed in it")
            async with asyncio.timeout(120):
                while not (  # noqa: ASYNC110 - remote
                    row := await read(chain, "SubtensorModule", "Weights", netuid, 0)
                ):
                    await asyncio.sleep(0.2)
            assert [tuple(entry) for entry in row] == [(0, 21845), (1, 65535)]  # type: ignore[attr-defined]
            vote = "  vote          uid 0: 65535 of 87380 = 0.750000, clipped to 0.750000"
            async with asyncio.timeout(120):  # the owner speaks once it was paid its cut
                while vote not in (  # noqa: ASYNC110 - remote
                    told := await asyncio.to_thread(explained, node.url, netuid)
                ):
                    await asyncio.sleep(0.5)
            assert "  incentive     0.750000" in told
        finally:
            await chain.close()
    key = tmp_path / "node" / "beacon.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
