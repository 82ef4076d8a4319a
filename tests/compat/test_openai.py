"""The official `openai` client gets answers from miners over real sockets, and clear errors."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import aiohttp
import bittensor_core
import openai
import pytest

from mycelia.gateway import Dispatcher, Gateway, Metrics, Route, Router
from mycelia.neuron.routes import Traffic, routes
from mycelia.neuron.subnet import Spec
from mycelia.subnets.text import SPEC, Ask, Piece, Text
from mycelia.wire import AllowSet, Endpoint, WireClient, WireLimits, WireServer
from mycelia.wire.listener import Listener

GATEWAY = bittensor_core.Keypair.create_from_uri("//gateway")
MODEL = SPEC.openai_model
HELLO = [{"role": "user", "content": "hello"}]
LONG_S = 10.0
"""For what comes at once; shorter than any deadline of an answer."""
LIMITS = WireLimits(body_bytes=64 * 1024, inflight=4, body_s=30.0, head_s=30.0)


@dataclass
class Network:
    """Some miners of the text subnet and a gateway before them."""

    found: list[Route] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    metrics: Metrics = field(default_factory=Metrics)
    url: str = ""

    def routes(self, subnet: str) -> list[Route]:
        return self.found if subnet == "text" else []

    def withheld(self, subnet: str) -> int:
        return 0

    def add(self, hotkey: str, port: int, incentive: float) -> None:
        endpoint = Endpoint(hotkey, "127.0.0.1", port)
        self.found.append(Route(endpoint, "text", 1, len(self.found), incentive))

    def client(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=f"{self.url}/v1", api_key="any", max_retries=0)

    async def post(self, path: str, data: bytes) -> tuple[int, dict, dict]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url + path, data=data) as reply,
        ):
            headers = {name.lower(): value for name, value in reply.headers.items()}
            return reply.status, await reply.json(), headers


@contextlib.asynccontextmanager
async def _miner(network: Network, name: str, function, incentive: float) -> AsyncIterator[None]:
    keypair = bittensor_core.Keypair.create_from_uri(f"//{name}")
    server = WireServer(
        keypair, routes(Text, Text.miner(function), Traffic()), AllowSet([GATEWAY.ss58_address])
    )
    network.add(keypair.ss58_address, await server.start("127.0.0.1", 0), incentive)
    try:
        yield
    finally:
        await server.stop()


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    """One gateway, no miners yet."""
    here = Network()
    async with WireClient(GATEWAY) as caller:
        dispatcher = Dispatcher(here, caller, Router(rng=random.Random(1)), here.metrics)
        typed_only = Spec(subnet=Typed, miners={})
        gateway = Gateway([SPEC, typed_only], here, dispatcher, here.metrics, LIMITS)
        listener = Listener(gateway, LIMITS)
        here.url = f"http://127.0.0.1:{await listener.start('127.0.0.1', 0)}"
        yield here
        await listener.stop()


class Typed(Text):
    name = "typed"


@pytest.fixture
async def poet(network) -> AsyncIterator[Network]:
    """A gateway and one miner that says the same three words to everybody."""

    async def recite(ask: Ask) -> AsyncIterator[Piece]:
        network.asks.append(ask)
        words = ("so", " much", " depends")[: ask.max_tokens]
        for index, word in enumerate(words):
            final = index == len(words) - 1
            yield Piece(
                text=word,
                tokens=(index,),
                finish=("stop" if len(words) == 3 else "length") if final else None,
                prompt_tokens=11 if final else 0,
            )

    async with _miner(network, "poet", recite, 1.0):
        yield network


@pytest.fixture
async def stubborn(network) -> AsyncIterator[Network]:
    """A gateway and one miner that never comes to an end."""

    async def ramble(ask: Ask) -> AsyncIterator[Piece]:
        network.begun.set()
        try:
            while True:
                yield Piece(text="and ", tokens=(1,))
                await asyncio.sleep(0.02)
        finally:
            network.cancelled.set()

    async with _miner(network, "stubborn", ramble, 1.0):
        yield network


async def test_a_plain_completion(poet):
    async with poet.client() as client:
        answer = await client.chat.completions.create(model=MODEL, messages=HELLO)
    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content) == ("assistant", "so much depends")
    assert choice.finish_reason == "stop"
    assert (answer.model, answer.object) == (MODEL, "chat.completion")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 3)
    assert answer._request_id.startswith("req_")


async def test_a_streamed_completion(poet):
    async with poet.client() as client:
        stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        chunks = [chunk async for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "so much depends"
    assert [c.choices[0].finish_reason for c in chunks] == [None] * 4 + ["stop"]
    assert len({c.id for c in chunks}) == 1
    assert all(c.usage is None for c in chunks)


async def test_usage_comes_last_when_asked_for(poet):
    async with poet.client() as client:
        stream = await client.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens == 14


async def test_parameters_reach_the_miner(poet):
    async with poet.client() as client:
        answer = await client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "system", "content": "be brief"}, *HELLO],
            max_completion_tokens=2,
            temperature=0,
            seed=7,
        )
    assert answer.choices[0].finish_reason == "length"
    (ask,) = poet.asks
    assert ask.turns() == [{"role": "system", "content": "be brief"}, *HELLO]
    assert (ask.max_tokens, ask.temperature, ask.seed) == (2, 0.0, 7)


async def test_two_requests_without_seed_get_different_ones(poet):
    async with poet.client() as client:
        for _ in range(2):
            await client.chat.completions.create(model=MODEL, messages=HELLO)
    assert poet.asks[0].seed != poet.asks[1].seed


async def test_the_stream_helper_of_the_client_works(poet):
    async with (
        poet.client() as client,
        client.chat.completions.stream(model=MODEL, messages=HELLO) as stream,
    ):
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == "so much depends"


async def test_models(poet):
    async with poet.client() as client:
        assert [model.id async for model in client.models.list()] == [MODEL]
        assert (await client.models.retrieve(MODEL)).id == MODEL
        with pytest.raises(openai.NotFoundError) as refused:
            await client.models.retrieve("gpt-9")
    assert refused.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("change", "error", "param"),
    [
        ({"model": "gpt-9"}, openai.NotFoundError, "model"),
        ({"n": 2}, openai.BadRequestError, "n"),
        ({"temperature": 9}, openai.BadRequestError, "temperature"),
        ({"max_tokens": -1}, openai.BadRequestError, "max_tokens"),
        ({"messages": []}, openai.BadRequestError, "messages"),
        ({"tools": [{"type": "function"}]}, openai.BadRequestError, "tools"),
    ],
)
async def test_mistakes_are_the_clients_own_exceptions(poet, change, error, param):
    request = {"model": MODEL, "messages": HELLO} | change
    async with poet.client() as client:
        with pytest.raises(error) as refused:
            await client.chat.completions.create(**request)
    assert refused.value.param == param
    assert not poet.asks


@pytest.mark.parametrize("stream", [False, True])
async def test_no_miner_is_a_503_that_may_be_retried(network, stream):
    async with network.client() as client:
        with pytest.raises(openai.InternalServerError) as refused:
            await client.chat.completions.create(model=MODEL, messages=HELLO, stream=stream)
    assert refused.value.status_code == 503
    assert refused.value.code == "no_miner"
    assert refused.value.response.headers["retry-after"] == "1"


async def test_an_answer_that_breaks_off_raises_in_the_client(network):
    async def faint(ask: Ask) -> AsyncIterator[Piece]:
        yield Piece(text="I feel", tokens=(1,))
        raise RuntimeError("secret")

    async def healthy(ask: Ask) -> AsyncIterator[Piece]:
        yield Piece(text="fine", tokens=(1,), finish="stop")

    text = ""

    async def read(client: openai.AsyncOpenAI) -> None:
        nonlocal text
        stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        async for chunk in stream:
            text += chunk.choices[0].delta.content or ""

    async with (
        _miner(network, "faint", faint, 1.0),
        # Worthy enough to be asked, but drawn second: the draw is fixed by the router's seed.
        _miner(network, "healthy", healthy, 0.05),
        network.client() as client,
    ):
        with pytest.raises(openai.APIError) as broken:
            await read(client)
    assert text == "I feel"
    assert broken.value.code == "miner_failed"
    assert "secret" not in str(broken.value)


async def test_a_whole_answer_survives_a_miner_that_breaks_off(network):
    async def faint(ask: Ask) -> AsyncIterator[Piece]:
        yield Piece(text="I feel", tokens=(1,))
        raise RuntimeError("secret")

    async def healthy(ask: Ask) -> AsyncIterator[Piece]:
        yield Piece(text="fine", tokens=(1,), finish="stop")

    async with (
        _miner(network, "faint", faint, 1.0),
        _miner(network, "healthy", healthy, 0.05),
        network.client() as client,
    ):
        answer = await client.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].message.content == "fine"


async def test_leaving_a_stream_cancels_the_miner(stubborn):
    async with stubborn.client() as client:
        stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        async for _ in stream:
            break
        await stream.close()
        async with asyncio.timeout(LONG_S):
            await stubborn.cancelled.wait()


async def test_leaving_a_plain_request_cancels_the_miner(stubborn):
    async with stubborn.client() as client:
        asked = asyncio.create_task(
            client.chat.completions.create(model=MODEL, messages=HELLO, timeout=600.0)
        )
        async with asyncio.timeout(LONG_S):
            await stubborn.begun.wait()
            asked.cancel()
            await stubborn.cancelled.wait()
            while stubborn.metrics.inflight:  # noqa: ASYNC110 - it ends by itself
                await asyncio.sleep(0.01)


async def test_the_typed_call_of_a_subnet(poet):
    status, answer, headers = await poet.post(
        "/v1/subnets/text", b'{"messages":[{"role":"user","content":"hello"}],"max_tokens":3}'
    )
    assert (status, answer["text"], answer["tokens"]) == (200, "so much depends", [0, 1, 2])
    assert headers["x-miner"] == poet.found[0].endpoint.hotkey
    assert headers["x-subnet"] == "text"


async def test_the_form_of_a_subnet_is_shown(poet):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{poet.url}/v1/subnets/text") as reply,
    ):
        shown = await reply.json()
    assert (shown["id"], shown["object"], shown["miners"]) == ("text", "subnet", 1)
    assert "messages" in shown["ask"]["required"]
    assert "text" in shown["answer"]["properties"]


@pytest.mark.parametrize(
    ("path", "data", "status", "code"),
    [
        ("/v1/subnets/none", b"{}", 404, "subnet_not_found"),
        ("/v1/subnets/text", b"{}", 400, "invalid_request"),
        ("/v1/subnets/text", b"\xff\x00", 400, "invalid_request"),
        ("/v1/subnets/typed", b'{"messages":[{"role":"user","content":"x"}]}', 503, "no_miner"),
        ("/v1/chat/completions", b"", 400, "invalid_request"),
        ("/v1/chat/completions", b"[]", 400, "invalid_request"),
        ("/v1/chat/completions", b"[" * 60_000, 400, "invalid_request"),
        ("/v1/chat/completions", b"\x80 not text", 400, "invalid_request"),
        (
            "/v1/chat/completions",
            b'{"model":"%s","messages":[{"role":"user","content":"\\ud800"}]}' % MODEL.encode(),
            400,
            "invalid_request",
        ),
        ("/v1/chat/completions", b"x" * 70_000, 413, "body_too_large"),
        ("/v1/models", b"{}", 405, "method_not_allowed"),
        ("/v1/nothing", b"{}", 404, "not_found"),
        ("/", b"{}", 404, "not_found"),
    ],
)
async def test_bad_input_is_answered_and_the_next_request_served(poet, path, data, status, code):
    answered, error, headers = await poet.post(path, data)
    assert (answered, error["error"]["code"]) == (status, code)
    assert error["error"]["message"]
    assert headers["x-request-id"]
    async with poet.client() as client:
        answer = await client.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].message.content == "so much depends"


async def test_garbage_on_the_port_is_answered(poet):
    port = int(poet.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x16\x03\x01 garbage\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 400")
    writer.close()


async def test_too_many_at_once_are_told_to_come_back(stubborn):
    async with stubborn.client() as client:
        streams = [
            await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
            for _ in range(LIMITS.inflight)
        ]
        with pytest.raises(openai.RateLimitError) as refused:
            await client.chat.completions.create(model=MODEL, messages=HELLO)
        assert refused.value.response.headers["retry-after"] == "1"
        for stream in streams:
            await stream.close()


async def test_health_and_metrics(poet):
    async with poet.client() as client:
        await client.chat.completions.create(model=MODEL, messages=HELLO)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{poet.url}/metrics") as reply:
            metrics = await reply.text()
        async with session.get(f"{poet.url}/health") as reply:
            # One of the two subnets of this gateway has no miner.
            assert (reply.status, (await reply.json())["miners"]) == (503, {"text": 1, "typed": 0})
    line = 'mycelia_gateway_requests_total{path="/v1/chat/completions",status="200"} 1'
    assert line in metrics
    assert 'mycelia_gateway_attempts_total{subnet="text",outcome="ok"} 1' in metrics


_MINER = """
import asyncio, sys
import bittensor_core
from mycelia.neuron.routes import Traffic, routes
from mycelia.subnets.text import Piece, Text
from mycelia.wire import AllowSet, WireServer

async def chat(ask):
    yield Piece(text=sys.argv[1], tokens=(1,))
    await asyncio.sleep(float(sys.argv[2]))
    yield Piece(text="!", tokens=(2,), finish="stop")

async def main():
    key = bittensor_core.Keypair.create_from_uri("//" + sys.argv[1])
    server = WireServer(key, routes(Text, chat, Traffic()), AllowSet([sys.argv[3]]))
    print(await server.start("127.0.0.1", 0), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@contextlib.contextmanager
def _process(network: Network, name: str, pause_s: float, incentive: float):
    arguments = [sys.executable, "-c", _MINER, name, str(pause_s), GATEWAY.ss58_address]
    miner = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    try:
        keypair = bittensor_core.Keypair.create_from_uri(f"//{name}")
        network.add(keypair.ss58_address, int(miner.stdout.readline()), incentive)
        yield miner
    finally:
        miner.kill()
        miner.wait()
        miner.stdout.close()


@contextlib.asynccontextmanager
async def _stalls() -> AsyncIterator[Callable[[], float]]:
    """Seconds for which this process, gateway and all, was kept from running meanwhile."""
    lost_s = 0.0

    async def beat() -> None:
        nonlocal lost_s
        while True:
            before_s = time.monotonic()
            await asyncio.sleep(0.02)
            late_s = time.monotonic() - before_s - 0.02
            lost_s += late_s if late_s > 0.1 else 0.0

    beating = asyncio.create_task(beat())
    try:
        yield lambda: lost_s
    finally:
        beating.cancel()


@pytest.mark.slow
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_an_answer_comes_within_5_s_of_the_best_miners_death(network, number, stream):
    async def say(client: openai.AsyncOpenAI) -> str:
        if not stream:
            whole = await client.chat.completions.create(model=MODEL, messages=HELLO)
            return whole.choices[0].message.content
        events = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        return "".join([e.choices[0].delta.content or "" async for e in events])

    with _process(network, "best", 0.0, 1.0) as best, _process(network, "next", 0.0, 0.06):
        async with network.client() as client:
            assert "best!" in [await say(client) for _ in range(3)]
            os.kill(best.pid, number)
            for _ in range(4):
                async with _stalls() as stalled_s:
                    started_s = time.monotonic()
                    assert await say(client) == "next!"
                    took_s = time.monotonic() - started_s
                assert took_s < 5.0 + stalled_s()


@pytest.mark.slow
async def test_a_miner_killed_in_mid_answer_is_an_error_not_another_answer(network):
    with _process(network, "best", 30.0, 1.0) as best, _process(network, "next", 0.0, 0.06):
        async with network.client() as client:
            text = ""

            async def read() -> None:
                nonlocal text
                events = await client.chat.completions.create(
                    model=MODEL, messages=HELLO, stream=True
                )
                async for event in events:
                    text += event.choices[0].delta.content or ""
                    os.kill(best.pid, signal.SIGKILL)

            with pytest.raises(openai.APIError) as broken:
                await read()
    assert text == "best"
    assert broken.value.code == "miner_failed"
