"""What miners claim to run, from the chain to the consumer: attested where true, not offered where not."""

import asyncio
import json
import os
import signal
import urllib.error
import urllib.request
from functools import cache

import pytest

from mycelia.cli.up.plan import VALIDATORS
from mycelia.neuron.chain import Chain
from mycelia.neuron.claims import published
from mycelia.neuron.manifest import PATH, ClaimDocument, Place
from tests.e2e.up import Up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

SUBNET, MODEL = "analysis", "all-minilm-l6-v2"
HONEST = ("analysis-honest-a", "analysis-honest-b")
LIARS = ("analysis-skimmer", "analysis-stale", "analysis-hashed")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network whose honest miners are offered, and which knows its liars."""
    base = tmp_path_factory.mktemp("claims")
    up = Up(base / "net", base / "home")
    up.start("--seed", "claims", "--only", SUBNET, "--block-time", "0.5", "--tempo", "6")
    try:
        up.until(lambda: up.happened("first_paid_epoch"), 300)
        up.until(lambda: offered(up) == {hotkey(up, name) for name in HONEST}, 300)
        up.until(lambda: all(judged(up, name) for name in LIARS), 300)
        yield up
    finally:
        status = up.interrupt()
    assert status == 0


def hotkey(up, name):
    path = up.folder / "wallets" / name / "hotkeys" / "default"
    return json.loads(path.read_text())["ss58Address"]


def read(url):
    with urllib.request.urlopen(url, timeout=30) as reply:
        return reply.read()


def model(up):
    return json.loads(read(f"http://127.0.0.1:{up.gateway_port}/v1/models/{MODEL}"))


def offered(up):
    """Hotkeys of the miners whose claims the gateway shows."""
    try:
        return {miner for claim in model(up)["claims"] for miner in claim["miners"]}
    except OSError:
        return set()


def judged(up, name):
    """Whether every validator found a miner's answers not to be those of its claim."""
    digest = shown(up, name).claim.manifest.digest().hex()
    said = [up.happened("claim", v, digest=digest, state="answers_differ") for v in VALIDATORS]
    return all(said)


def shown(up, name):
    """What anybody reads at a miner's well-known address."""
    port = json.loads((up.folder / "network.json").read_text())["ports"][name]
    return ClaimDocument.parse(read(f"http://127.0.0.1:{port}{PATH}"))


def on_chain(up):
    async def ask():
        chain = Chain(f"ws://127.0.0.1:{up.rpc_port}")
        try:
            return await published(chain, netuid(up))
        finally:
            await chain.close()

    return asyncio.run(ask())


@cache
def genesis(rpc_port):
    async def ask():
        chain = Chain(f"ws://127.0.0.1:{rpc_port}")
        try:
            return await chain.genesis()
        finally:
            await chain.close()

    return asyncio.run(ask())


def netuid(up):
    return json.loads((up.folder / "network.json").read_text())["netuids"][SUBNET]


@pytest.mark.parametrize("name", [*HONEST, *LIARS])
def test_every_claim_is_signed_shown_and_on_the_chain(network, name):
    claim = shown(network, name).claim
    claim.verify()
    assert claim.manifest.miner == hotkey(network, name)
    assert claim.manifest.model == "all-minilm-l6-v2-int8"
    assert on_chain(network)[claim.manifest.miner] == claim.manifest.digest()
    assert len(network.happened("claimed", name)) == 1


def test_honest_miners_show_the_word_of_every_validator(network):
    validators = {hotkey(network, name) for name in VALIDATORS}
    for name in HONEST:
        network.until(lambda name=name: attesting(network, name) == validators)


def attesting(up, name):
    validators = {hotkey(up, validator) for validator in VALIDATORS}
    return shown(up, name).attested_by(Place(genesis(up.rpc_port), netuid(up)), validators)


def test_liars_end_without_a_word_and_are_not_offered(network):
    honest = {hotkey(network, name) for name in HONEST}
    network.until(lambda: not any(attesting(network, name) for name in LIARS), 300)
    network.until(lambda: offered(network) == honest)
    (claim,) = model(network)["claims"]
    assert claim["weights"] == shown(network, HONEST[0]).claim.manifest.weights
    assert model(network)["miners"] == len(HONEST)


def test_a_miner_that_is_killed_keeps_its_claim_and_its_place(network):
    name = HONEST[0]
    before, pid = shown(network, name).claim.manifest, network.pid(name)
    lives = len(network.happened("listening", name))
    os.kill(pid, signal.SIGKILL)
    network.until(lambda: network.pid(name) != pid)
    network.until(lambda: len(network.happened("listening", name)) > lives)
    network.until(lambda: offered(network) == {hotkey(network, name) for name in HONEST})
    assert shown(network, name).claim.manifest == before
    network.until(lambda: len(attesting(network, name)) == len(VALIDATORS))
    assert len(network.happened("claimed", name)) == 1
