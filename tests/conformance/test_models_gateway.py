"""The adapter for servers with OpenAI's interface, on a gateway of this network with one miner."""

import random
from collections.abc import AsyncIterator

import bittensor_core
import pytest

from mycelia.gateway import Dispatcher, Gateway, Metrics, Route, Router
from mycelia.models.adapters import server
from mycelia.neuron.routes import Traffic, routes
from mycelia.subnets.text import SPEC, Ask, Piece, Text
from mycelia.testing.models import ChatSuite
from mycelia.wire import AllowSet, Endpoint, WireClient, WireLimits, WireServer
from mycelia.wire.listener import Listener

GATEWAY = bittensor_core.Keypair.create_from_uri("//gateway")
MINER = bittensor_core.Keypair.create_from_uri("//miner")
LIMITS = WireLimits(body_bytes=64 * 1024)


async def babble(ask: Ask) -> AsyncIterator[Piece]:
    """Words that follow from the conversation and the seed, up to the limit or thirty."""
    rng = random.Random(f"{ask.messages[-1].content} {ask.seed}")
    count = min(ask.max_tokens, 30)
    for number in range(count):
        final = number + 1 == count
        finish = ("length" if count == ask.max_tokens else "stop") if final else None
        word = f"{rng.choice(('moss', 'fern', 'spore', 'root'))} "
        yield Piece(text=word, tokens=(number,), finish=finish, prompt_tokens=9 if final else 0)


@pytest.fixture
async def address() -> AsyncIterator[str]:
    miner = WireServer(
        MINER, routes(Text, Text.miner(babble), Traffic()), AllowSet([GATEWAY.ss58_address])
    )
    endpoint = Endpoint(MINER.ss58_address, "127.0.0.1", await miner.start("127.0.0.1", 0))

    class Directory:
        def routes(self, subnet: str) -> list[Route]:
            return [Route(endpoint, subnet, 1, 0, 1.0)]

    async with WireClient(GATEWAY) as caller:
        metrics, directory = Metrics(), Directory()
        dispatcher = Dispatcher(directory, caller, Router(), metrics)
        listener = Listener(Gateway([SPEC], directory, dispatcher, metrics, LIMITS), LIMITS)
        yield f"http://127.0.0.1:{await listener.start('127.0.0.1', 0)}/v1"
        await listener.stop()
    await miner.stop()


class TestGateway(ChatSuite):
    module = "mycelia.models.adapters.server"
    model_context = 20_000  # words; beyond what a gateway reads

    @pytest.fixture(autouse=True)
    def connected(self, address):
        self.url = address

    async def make(self):
        return await server.connect(self.url, SPEC.openai_model, key="any")
