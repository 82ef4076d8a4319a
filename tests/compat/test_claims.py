"""A miner commits its manifest through the real SDK, and everybody reads it back the same way."""

import json
import os

import bittensor
import pytest
from bittensor import calls

from mycelia.neuron.chain import CallFailed, Chain, sdk_environment
from mycelia.neuron.claims import commit, publish, publish_root, published, published_by
from mycelia.neuron.manifest import Manifest
from mycelia.neuron.receipts import SealedRoot
from mycelia.neuron.wallets import make_wallet
from mycelia.testing.live import LiveNode

pytestmark = pytest.mark.slow

RAO = 10**9


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    os.environ.update(sdk_environment(folder / "sdk"))
    owner, miner = (make_wallet(folder, name, "compat") for name in ("owner", "miner"))
    balances = {w.coldkey.ss58_address: str(20_000 * RAO) for w in (owner, miner)}
    genesis = {"sudo": owner.coldkey.ss58_address, "balances_rao": balances}
    (folder / "genesis.json").write_text(json.dumps(genesis))
    arguments = (
        *("--genesis", str(folder / "genesis.json")),
        *("--base-path", str(folder / "node"), "--block-time", "0.25"),
    )
    with LiveNode(folder, arguments) as node:
        yield node.url, owner, miner


def manifest(hotkey, **changed):
    fields = {
        "miner": hotkey,
        "subnet": "text",
        "version": 1,
        "model": "smollm2-135m-instruct",
        "weights": "ab" * 32,
        "runtime": "xllamacpp==1.2.3",
        "runtime_digest": "cd" * 32,
        "quantisation": "q8_0",
        "schedule": "one-token",
        "context": 2048,
        "licence": "Apache-2.0",
    }
    return Manifest(**fields | changed)


async def test_a_digest_goes_to_the_chain_and_comes_back(network):
    endpoint, owner, miner = network
    chain = Chain(endpoint, miner)
    try:
        result = await chain.execute(bittensor.RegisterSubnet(), owner)
        netuid = int(result.data["netuid"])
        hotkey = miner.hotkey.ss58_address
        with pytest.raises(CallFailed):
            await publish(chain, netuid, manifest(hotkey))
        await chain.execute(bittensor.StartCall(netuid=netuid), owner)
        register = calls.SubtensorModule.burned_register(netuid, hotkey)
        await chain.submit_call(register, miner)

        await publish(chain, netuid, manifest(hotkey))
        assert await published(chain, netuid) == {hotkey: manifest(hotkey).digest()}
        await publish(chain, netuid, manifest(hotkey, price_rao=5))
        assert await published(chain, netuid) == {hotkey: manifest(hotkey, price_rao=5).digest()}
        assert manifest(hotkey).digest() != manifest(hotkey, price_rao=5).digest()
        assert await published_by(chain, netuid, hotkey) == manifest(hotkey, price_rao=5).digest()
        # Who mines keeps its manifest there; who does not puts the root of its receipts.
        root = SealedRoot("text", 7, 2, b"r" * 32, hotkey, "sr25519", b"")
        await publish_root(chain, netuid, hotkey, root)
        assert hotkey in await published(chain, netuid)
        await commit(chain, netuid, "something else")
        await publish_root(chain, netuid, hotkey, root)
        assert await published(chain, netuid) == {}
        (row,) = await chain.ask(lambda client: client.read("commitments", netuid=netuid))
        assert row["commitment"] == f"mycelia-receipts/1 7 2 {root.root.hex()}"
    finally:
        await chain.close()
