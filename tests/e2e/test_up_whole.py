"""The whole network as the README promises it: every subnet, ten epochs, answers to consumers."""

import asyncio
import json
import math
import os
import signal
import statistics
import sys
import time
import urllib.error
import urllib.request

import pytest

from mycelia.neuron.chain import Chain, sdk_environment
from tests.e2e.up import Up

pytestmark = [pytest.mark.slow, pytest.mark.net, pytest.mark.timeout(1500)]

HONEST = {
    "text": ("text-honest-a", "text-honest-b", "text-honest-c"),
    "vision": ("vision-honest-a", "vision-honest-b", "vision-honest-c"),
    "analysis": ("analysis-honest-a", "analysis-honest-b"),
}
CHEATS = {
    "text": ("text-requantised", "text-canned"),
    "vision": ("vision-lookup",),
    "analysis": ("analysis-skimmer", "analysis-stale", "analysis-hashed"),
}
CHAT, EMBEDDER = "smollm2-135m-instruct", "all-minilm-l6-v2"


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    base = tmp_path_factory.mktemp("whole")
    up = Up(base / "net", base / "home")
    up.start("--seed", "whole", "--block-time", "0.5", "--tempo", "8")
    try:
        up.until(lambda: up.happened("first_paid_epoch"), 300)
        up.until(lambda: offered(up, CHAT) >= 3 and offered(up, EMBEDDER) >= 2, 300)
        yield up
    finally:
        up.end()
    assert up.left_running() == []


def metagraph(up, subnet, block=None):
    """The SDK's metagraph, by wallet name."""

    async def ask():
        chain = Chain(f"ws://127.0.0.1:{up.rpc_port}")
        try:
            return await chain.ask(
                lambda client: client.subnets.metagraph(netuid, block, commitments=False)
            )
        finally:
            await chain.close()

    os.environ.update(sdk_environment(up.folder / "sdk"))
    netuid = json.loads((up.folder / "network.json").read_text())["netuids"][subnet]
    graph = asyncio.run(ask())
    names = {
        json.loads((folder / "hotkeys" / "default").read_text())["ss58Address"]: folder.name
        for folder in (up.folder / "wallets").iterdir()
    }
    return graph, {names[neuron.hotkey]: neuron for neuron in graph.neurons}


def offered(up, model):
    """How many miners the gateway has for a model: those that validators attest."""
    url = f"http://127.0.0.1:{up.gateway_port}/v1/models/{model}"
    try:
        with urllib.request.urlopen(url, timeout=30) as reply:
            return int(json.load(reply)["miners"])
    except OSError:
        return 0


def asked(up, path, body, limit_s=120.0):
    """The lines of an answer."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{up.gateway_port}/v1/{path}",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=limit_s) as reply:
            return [line.decode().strip() for line in reply]
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{error.code}: {error.read().decode()}\n{up.story()}") from error


def chat(up):
    """A streamed answer: its text, and seconds to its end."""
    body = {
        "model": CHAT,
        "stream": True,
        "max_tokens": 16,
        "messages": [{"role": "user", "content": "Name a mushroom."}],
    }
    began = time.monotonic()
    lines = asked(up, "chat/completions", body)
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    assert data[-1] == "[DONE]"
    deltas = [json.loads(item)["choices"][0]["delta"] for item in data[:-1]]
    return "".join(delta.get("content") or "" for delta in deltas), time.monotonic() - began


def test_first_pay_comes(network):
    assert network.happened("first_paid_epoch")


def test_a_consumer_gets_a_streamed_answer_and_again_after_the_best_miner_dies(network):
    before = [chat(network) for _ in range(3)]
    assert all(text.strip() for text, _ in before)
    _, neurons = metagraph(network, "text")
    best = max(HONEST["text"], key=lambda name: neurons[name].incentive)
    os.kill(network.pid(best), signal.SIGKILL)
    text, took_s = chat(network)
    assert text.strip()
    assert took_s < max(took_s for _, took_s in before) + 5.0


def similarity(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_a_consumer_gets_vectors_that_mean_something(network):
    texts = ["A cat sleeps.", "A kitten is asleep.", "The budget was passed by the senate."]
    (line,) = asked(network, "embeddings", {"model": EMBEDDER, "input": texts})
    cat, kitten, budget = (item["embedding"] for item in json.loads(line)["data"])
    assert math.hypot(*cat) == pytest.approx(1.0, abs=1e-3)
    assert similarity(cat, kitten) > similarity(cat, budget) + 0.3


def pay(up, subnet, epochs=5):
    """Incentive by wallet name, the mean over the last epochs: one of them alone is a matter of luck."""
    graph, neurons = metagraph(up, subnet)
    seen = [neurons]
    seen += [
        metagraph(up, subnet, graph.last_step - back * graph.tempo)[1] for back in range(1, epochs)
    ]
    return {name: sum(each[name].incentive for each in seen) / epochs for name in neurons}


def test_after_ten_epochs_pay_follows_quality_and_cheats_get_nothing(network):
    def rounds(subnet):
        return len(network.happened("round", "validator-1", subnet=subnet))

    start, _ = metagraph(network, "vision")
    network.until(lambda: metagraph(network, "vision")[0].block >= start.block + 80, 600)
    # Language models share the machine with everything else.
    network.until(lambda: min(rounds("text"), rounds("analysis")) >= 5, 600)
    for subnet, honest in HONEST.items():
        # A miner whose process was killed, or that a busy machine made late, comes back.
        network.until(lambda: min(pay(network, subnet)[name] for name in honest) > 0)  # noqa: B023
        incentives = pay(network, subnet)
        sys.stderr.write(f"\n{subnet}: {incentives}\n")
        paid = [incentives[name] for name in honest]
        assert min(paid) > 0, incentives
        fair = statistics.median(paid)
        assert all(incentives[name] < fair / 20 for name in CHEATS[subnet]), incentives
    # Their order of merit, measured apart from the network in the subnet's own tests.
    incentives = pay(network, "vision")
    a, b, c = (incentives[name] for name in HONEST["vision"])
    assert a > b > c, incentives


def test_stakes_move_by_exactly_what_the_epoch_pays(network):
    graph, _ = metagraph(network, "vision")
    epoch = graph.last_step
    _, before = metagraph(network, "vision", epoch - 1)
    _, after = metagraph(network, "vision", epoch)
    for name in (*HONEST["vision"], *CHEATS["vision"]):
        moved = after[name].alpha_stake.rao - before[name].alpha_stake.rao
        # A stake is a share of a pool, so reading it back floors by at most one rao.
        assert abs(moved - after[name].emission.rao) <= 1, name


def test_a_network_grows_by_subnets(tmp_path):
    up = Up(tmp_path / "net", tmp_path / "home")
    quick = ("--block-time", "0.5", "--tempo", "8", "--until-epochs", "1")
    status, output = up.run("--only", "vision", *quick)
    assert status == 0, output
    status, output = up.run(*quick)
    assert status == 0, up.story()
    assert "vision (netuid 1) paid epoch 1" in output
    assert "text (netuid 2) paid epoch 1" in output
    assert "analysis (netuid 3) paid epoch 1" in output
