"""The kit's view of a chain, through the real SDK, against our node over a real socket."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import bittensor
import pytest
from bittensor import calls

from mycelia.cli.up.ports import is_free
from mycelia.neuron.chain import CallFailed, Chain, ChainAway, sdk_environment
from mycelia.neuron.wallets import make_wallet

pytestmark = pytest.mark.slow

RAO = 10**9
NAMES = ("sudo", "owner", "validator", "miner")


def free_port():
    return next(port for port in range(21_000 + os.getpid() % 5_000, 32_000) if _free(port))


def _free(port):
    return is_free("127.0.0.1", port)


@dataclass
class Node:
    """A node process that a test may kill and start again on the same port."""

    folder: Path
    port: int
    process: subprocess.Popen | None = None

    @property
    def endpoint(self):
        return f"ws://127.0.0.1:{self.port}"

    def start(self):
        command = [
            *(sys.executable, "-m", "mycelia.node"),
            *("--genesis", str(self.folder / "genesis.json")),
            *("--base-path", str(self.folder / "node")),
            *("--rpc-port", str(self.port), "--block-time", "0.25"),
        ]
        with (self.folder / "node.err").open("ab") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)

    def stop(self, number=signal.SIGTERM):
        if self.process:
            self.process.send_signal(number)
            self.process.wait(60)
            self.process = None


@pytest.fixture(scope="module")
def wallets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wallets")
    return {name: make_wallet(folder, name, "compat") for name in NAMES}


@pytest.fixture(scope="module")
def node(tmp_path_factory, wallets):
    folder = tmp_path_factory.mktemp("network")
    os.environ.update(sdk_environment(folder / "sdk"))
    balances = {wallets[name].coldkey.ss58_address: str(20_000 * RAO) for name in NAMES}
    genesis = {"sudo": wallets["sudo"].coldkey.ss58_address, "balances_rao": balances}
    (folder / "genesis.json").write_text(json.dumps(genesis))
    node = Node(folder, free_port())
    node.start()
    yield node
    node.stop()


@contextlib.asynccontextmanager
async def connected(node, wallet=None, **kwargs):
    chain = Chain(node.endpoint, wallet, node.folder / "sdk", **kwargs)
    try:
        yield chain
    finally:
        await chain.close()


async def answering(chain, limit_s=60.0):
    async with asyncio.timeout(limit_s):
        while True:
            try:
                return await chain.height()
            except ChainAway:
                await asyncio.sleep(0.1)


async def sudo(chain, wallets, call):
    inner = await chain.ask(lambda client: client.compose(call))
    await chain.submit_call(calls.Sudo.sudo(call=inner), wallets["sudo"])


async def subnet(chain, wallets):
    """A running subnet with a staked validator and a miner; made once per module."""
    result = await chain.execute(bittensor.RegisterSubnet(), wallets["owner"])
    netuid = int(result.data["netuid"])
    admin = calls.AdminUtils
    await sudo(chain, wallets, admin.sudo_set_admin_freeze_window(0))
    await asyncio.gather(
        sudo(chain, wallets, admin.sudo_set_commit_reveal_weights_enabled(netuid, enabled=False)),
        sudo(chain, wallets, admin.sudo_set_weights_set_rate_limit(netuid, 0)),
        sudo(chain, wallets, admin.sudo_set_serving_rate_limit(netuid, 0)),
        sudo(chain, wallets, admin.sudo_set_tempo(netuid, 4)),
        chain.execute(bittensor.StartCall(netuid=netuid), wallets["owner"]),
        *(
            chain.submit_call(
                calls.SubtensorModule.burned_register(netuid, wallets[name].hotkey.ss58_address),
                wallets[name],
            )
            for name in ("validator", "miner")
        ),
    )
    stake = bittensor.AddStake(
        hotkey_ss58=wallets["validator"].hotkey.ss58_address,
        netuid=netuid,
        amount_tao=100,
        slippage_protection=False,
    )
    await chain.execute(stake, wallets["validator"])
    return netuid


async def until(chain, netuid, condition, limit_s=60.0):
    async with asyncio.timeout(limit_s):
        while not condition(graph := await chain.metagraph(netuid)):  # noqa: ASYNC110 - remote
            await asyncio.sleep(0.1)
    return graph


async def test_a_miner_is_paid_for_weights_set_through_the_kit(node, wallets):
    validator, miner = wallets["validator"], wallets["miner"]
    async with (
        connected(node, validator) as chain,
        connected(node, miner) as miners_chain,
    ):
        await answering(chain)
        netuid = await subnet(chain, wallets)
        graph = await until(chain, netuid, lambda g: validator.hotkey.ss58_address in g.permitted())
        assert graph.tempo_blocks == 4
        me, other = (graph.neuron(w.hotkey.ss58_address) for w in (validator, miner))
        assert me is not None
        assert other is not None
        assert me.stake_rao > 0
        assert other.coldkey == miner.coldkey.ss58_address
        assert (other.host, other.permit, other.incentive) == (None, False, 0.0)

        await miners_chain.serve_axon(netuid, "127.0.0.2", 4444)
        await chain.set_weights(netuid, {other.uid: 0.7})
        graph = await until(chain, netuid, lambda g: g.neurons[other.uid].incentive > 0)
        paid = graph.neurons[other.uid]
        assert (paid.host, paid.port) == ("127.0.0.2", 4444)
        assert paid.incentive == 1.0
        assert paid.emission_rao > 0
        await until(chain, netuid, lambda g: g.neurons[other.uid].stake_rao > 0)

    async with connected(node, wallets["sudo"]) as strangers_chain:
        with pytest.raises(CallFailed) as refused:
            await strangers_chain.set_weights(netuid, {other.uid: 1.0})
        assert refused.value.code == "not_registered"
        assert refused.value.message


async def test_the_network_is_known_by_its_first_block(node):
    async with connected(node) as chain:
        await answering(chain)
        genesis = await chain.genesis()
        first = await chain.ask(lambda client: client.block_info(0))
        assert "0x" + genesis == first.hash


async def test_subnet_that_does_not_exist_is_named(node):
    async with connected(node) as chain:
        await answering(chain)
        with pytest.raises(CallFailed) as refused:
            await chain.metagraph(99)
        assert refused.value.code == "subnet_not_found"


async def test_connection_heals_after_the_node_was_killed(node):
    async with connected(node, answer_s=10.0) as chain:
        before = await answering(chain)
        node.stop(signal.SIGKILL)
        with pytest.raises(ChainAway) as away:
            await chain.height()
        assert node.endpoint in away.value.message
        assert away.value.remedy
        node.start()
        assert await answering(chain) >= before


async def test_nobody_there_is_an_error_in_time():
    chain = Chain(f"ws://127.0.0.1:{free_port()}", answer_s=2.0)
    async with asyncio.timeout(30):
        with pytest.raises(ChainAway):
            await chain.height()
    await chain.close()


def test_nothing_is_written_outside_the_network_folder(node, tmp_path, monkeypatch):
    """A fresh process, as neurons are, with a home of its own to look into."""
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom mycelia.neuron.chain import Chain\n"
        f"chain = Chain({node.endpoint!r}, sdk_folder=Path({str(tmp_path / 'sdk')!r}))\n"
        "async def main():\n    await chain.height()\n    await chain.close()\nasyncio.run(main())"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("BTCLI", "BITTENSOR"))}
    subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "HOME": str(home)},
        check=True,
        timeout=60,
    )
    assert list(home.iterdir()) == []
    assert {path.name for path in (tmp_path / "sdk").iterdir()} == {"runtime", "token_symbols.json"}
