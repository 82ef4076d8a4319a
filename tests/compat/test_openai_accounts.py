"""The official client with a key: what it used is metered, and what it got is receipted.

Embeddings and the pipeline run over real sockets, too, through miners of the shipped subnets'
message forms.
"""

import asyncio
import base64
import hashlib
import random
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import bittensor_core
import openai
import pytest

from mycelia.gateway import Dispatcher, Gateway, Keys, Meter, Metrics, Route, Router
from mycelia.gateway.keys import Account, digest_of
from mycelia.neuron.receipts import CoSigned, Inclusion, SealedRoot, merkle_root
from mycelia.neuron.routes import Traffic, routes
from mycelia.subnets.analysis import SPEC as ANALYSIS
from mycelia.subnets.analysis import Analysis
from mycelia.subnets.analysis import Answer as Analysed
from mycelia.subnets.analysis import Ask as AnalysisAsk
from mycelia.subnets.text import SPEC as TEXT
from mycelia.subnets.text import Ask, Piece, Text
from mycelia.wire import AllowSet, Endpoint, Receipt, WireClient, WireServer
from mycelia.wire.listener import Listener

GATEWAY = bittensor_core.Keypair.create_from_uri("//gateway")
HELLO = [{"role": "user", "content": "hello"}]
SLOWLY = [{"role": "user", "content": "slowly"}]
DIMENSIONS = 384


class Reverser:
    """A translator into a language that is written backwards."""

    pairs = frozenset({"eng-gne"})

    async def translate(self, text: str, pair: str) -> str:
        return text[::-1]


@dataclass
class Network:
    """Miners of both subnets, and a gateway with two accounts before them."""

    found: dict[str, list[Route]] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=Metrics)
    url: str = ""
    bad_vectors: int = 0
    """How many answers of the analysis hold no vectors, from now on."""
    meter: Meter | None = None

    def routes(self, subnet: str) -> list[Route]:
        return self.found.get(subnet, [])

    def withheld(self, subnet: str) -> int:
        return 0

    def client(self, key: str = "alice-key") -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0)

    async def get(self, path: str, key: str = "alice-key", body: dict | None = None):
        headers = {"Authorization": f"Bearer {key}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            method = "GET" if body is None else "POST"
            async with session.request(method, self.url + path, json=body) as reply:
                return reply.status, await reply.json(), dict(reply.headers)


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    here = Network()

    async def recite(ask: Ask) -> AsyncIterator[Piece]:
        yield Piece(text="so ", tokens=(1,))
        if ask.messages[-1].content == "slowly":
            await asyncio.sleep(30.0)
        yield Piece(text="much", tokens=(2, 3), finish="stop", prompt_tokens=9)

    async def analyse(ask: AnalysisAsk) -> Analysed:
        if here.bad_vectors:
            here.bad_vectors -= 1
            return Analysed(vectors=("????",), tokens=1)
        if ask.classes:
            return Analysed(
                labels=tuple(ask.classes[0].label for _ in ask.input),
                similarities=tuple(tuple(0.5 for _ in ask.classes) for _ in ask.input),
                tokens=7,
            )
        vectors = tuple(_packed(float(len(text))) for text in ask.input)
        return Analysed(vectors=vectors, tokens=4 * len(ask.input))

    servers = []
    for subnet, function, names in ((Text, recite, "a"), (Analysis, analyse, "bc")):
        for name in names:
            keypair = bittensor_core.Keypair.create_from_uri(f"//{name}")
            handlers = routes(subnet, subnet.miner(function), Traffic())
            server = WireServer(keypair, handlers, AllowSet([GATEWAY.ss58_address]))
            endpoint = Endpoint(
                keypair.ss58_address, "127.0.0.1", await server.start("127.0.0.1", 0)
            )
            known = here.found.setdefault(subnet.name, [])
            known.append(Route(endpoint, subnet.name, 1, len(known), 1.0, epoch=40))
            servers.append(server)
    accounts = {
        digest_of(b"alice-key"): Account("alice"),
        digest_of(b"bob-key"): Account("bob", per_minute=4),
    }
    here.meter = Meter.open(tmp_path / "gateway.db", [GATEWAY], here.metrics)
    async with WireClient(GATEWAY) as caller:
        dispatcher = Dispatcher(here, caller, Router(rng=random.Random(1)), here.metrics)
        gateway = Gateway(
            [TEXT, ANALYSIS],
            here,
            dispatcher,
            here.metrics,
            keys=Keys(accounts),
            meter=here.meter,
            translator=Reverser(),
        )
        listener = Listener(gateway, gateway._limits)
        here.url = f"http://127.0.0.1:{await listener.start('127.0.0.1', 0)}"
        yield here
        await listener.stop()
    for server in servers:
        await server.stop()
    await here.meter.close()


def _packed(first: float) -> str:
    numbers = [first] + [0.0] * (DIMENSIONS - 1)
    return base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *numbers)).decode()


@pytest.mark.parametrize("encoding", [openai.omit, "float", "base64"])
async def test_vectors_arrive_in_each_encoding(network, encoding):
    async with network.client() as client:
        found = await client.embeddings.create(
            model=ANALYSIS.openai_model, input=["one", "three"], encoding_format=encoding
        )
    assert [row.index for row in found.data] == [0, 1]
    for row, first in zip(found.data, (3.0, 5.0), strict=True):
        numbers = row.embedding
        if isinstance(numbers, str):
            numbers = list(struct.unpack(f"<{DIMENSIONS}f", base64.b64decode(numbers)))
        assert (numbers[0], len(numbers)) == (first, DIMENSIONS)
    assert found.usage.prompt_tokens == 8


async def test_an_answer_without_vectors_is_asked_of_the_next_miner(network):
    network.bad_vectors = 1
    async with network.client() as client:
        found = await client.embeddings.create(model=ANALYSIS.openai_model, input="one")
    assert found.data[0].embedding[0] == 3.0
    assert 'outcome="malformed_answer"} 1' in network.metrics.text()


async def test_a_model_is_used_for_what_it_is(network):
    async with network.client() as client:
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(model=ANALYSIS.openai_model, messages=HELLO)
        assert refused.value.code == "model_not_suitable"
        with pytest.raises(openai.BadRequestError):
            await client.embeddings.create(model=TEXT.openai_model, input="x")
        names = {model.id async for model in await client.models.list()}
    assert names == {TEXT.openai_model, ANALYSIS.openai_model}


@pytest.mark.parametrize("key", ["wrong", "alice-key2"])
async def test_without_a_known_key_nothing_is_served(network, key):
    async with network.client(key) as client:
        for ask in (
            client.models.list(),
            client.chat.completions.create(model=TEXT.openai_model, messages=HELLO),
        ):
            with pytest.raises(openai.AuthenticationError) as refused:
                await ask
            assert refused.value.code == "invalid_api_key"
    async with aiohttp.ClientSession() as session:
        for path, status in (("/v1/usage", 401), ("/health", 200), ("/metrics", 200)):
            async with session.get(network.url + path) as reply:
                assert reply.status == status


async def test_what_is_slow_to_find_is_looked_up_for_few_at_a_time(network, monkeypatch):
    """Each takes a thread, which goes on when its consumer has left."""
    found, looking, looked = asyncio.Event(), asyncio.Semaphore(0), []

    async def usage(account: Account) -> dict:
        looking.release()
        await found.wait()
        looked.append(account.name)
        return {}

    monkeypatch.setattr(network.meter, "usage", usage)
    consumers = [asyncio.create_task(network.get("/v1/usage")) for _ in range(4)]
    try:
        async with asyncio.timeout(30.0):
            for _ in consumers:
                await looking.acquire()
            consumers.pop().cancel()
            while network.metrics.inflight > 3:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
            status, body, _ = await network.get("/v1/usage")
            assert (status, body["error"]["code"]) == (429, "busy")
            assert (await network.get(f"/v1/receipts/{'00' * 32}"))[0] == 429
            assert (await network.get("/v1/models"))[0] == 200
    finally:
        found.set()
    assert [status for status, _, _ in await asyncio.gather(*consumers)] == [200] * 3
    assert looked == ["alice"] * 4
    assert (await network.get("/v1/usage"))[0] == 200


async def test_a_key_has_its_rate(network):
    async with network.client("bob-key") as client:
        for _ in range(2):
            await client.models.list()
        with pytest.raises(openai.RateLimitError) as refused:
            await client.models.list()
    assert refused.value.response.headers["retry-after"]


async def test_each_account_sees_its_own_use(network):
    async with network.client() as client:
        for _ in range(2):
            await client.chat.completions.create(model=TEXT.openai_model, messages=HELLO)
        stream = await client.chat.completions.create(
            model=TEXT.openai_model, messages=HELLO, stream=True
        )
        assert [event async for event in stream]
        await client.embeddings.create(model=ANALYSIS.openai_model, input="one")
    _, usage, _ = await network.get("/v1/usage")
    assert usage == {
        "account": "alice",
        "models": {
            TEXT.openai_model: {"requests": 3, "prompt_tokens": 27, "completion_tokens": 9},
            ANALYSIS.openai_model: {"requests": 1, "prompt_tokens": 4, "completion_tokens": 0},
        },
    }
    assert (await network.get("/v1/usage", "bob-key"))[1]["models"] == {}


async def _proven(network: Network, receipt_id: str, epoch: int) -> None:
    """Check a receipt as a consumer would: from what the gateway shows, and nothing else."""
    status, shown, _ = await network.get(f"/v1/receipts/{receipt_id}")
    assert status == 200
    statement = CoSigned(
        Receipt.from_json(shown["receipt"]),
        shown["counter_scheme"],
        bytes.fromhex(shown["counter_signature"][2:]),
    )
    statement.verify()
    assert statement.leaf.hex() == receipt_id
    given = shown["root"]
    root = SealedRoot(
        **given
        | {"root": bytes.fromhex(given["root"]), "signature": bytes.fromhex(given["signature"])}
    )
    root.verify()
    assert (root.caller, root.epoch) == (GATEWAY.ss58_address, epoch)
    proof = shown["proof"] | {"path": tuple(bytes.fromhex(node) for node in shown["proof"]["path"])}
    Inclusion(**proof).verify(statement, root.root)


async def test_an_answer_comes_with_a_receipt_that_proves_itself(network):
    async with network.client() as client:
        answers = [
            await client.chat.completions.with_raw_response.create(
                model=TEXT.openai_model, messages=HELLO
            )
            for _ in range(3)
        ]
    ids = [answer.headers["x-receipt-id"] for answer in answers]
    _, shown, _ = await network.get(f"/v1/receipts/{ids[0]}")
    assert shown["proof"] is None
    await network.meter.book.seal("text", 40)
    for receipt_id in ids:
        await _proven(network, receipt_id, 40)


async def test_a_stream_names_its_receipt_before_its_end(network):
    body = {"model": TEXT.openai_model, "messages": HELLO, "stream": True}
    headers = {"Authorization": "Bearer alice-key"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{network.url}/v1/chat/completions", json=body) as reply,
    ):
        text = await reply.text()
    assert text.endswith("data: [DONE]\n\n")
    receipt_id = text.split(": receipt ")[1].split("\n")[0]
    await network.meter.book.seal("text", 40)
    await _proven(network, receipt_id, 40)


async def test_what_a_consumer_got_before_it_left_counts(network):
    async with network.client() as client:
        stream = await client.chat.completions.create(
            model=TEXT.openai_model, messages=SLOWLY, stream=True
        )
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        await stream.close()
    async with asyncio.timeout(5.0):
        while network.metrics.inflight:  # noqa: ASYNC110 - it ends by itself
            await asyncio.sleep(0.01)
    await network.meter.close()
    usage = await network.meter.usage(Account("alice"))
    assert usage == {TEXT.openai_model: {"requests": 1, "prompt_tokens": 0, "completion_tokens": 1}}
    assert network.meter.book.count("text", 40) == 0


@pytest.mark.parametrize("receipt_id", ["00" * 32, "zz", "00"])
async def test_an_unknown_receipt_is_not_found(network, receipt_id):
    status, error, _ = await network.get(f"/v1/receipts/{receipt_id}")
    assert (status, error["error"]["code"]) == (404, "receipt_not_found")


async def test_a_pipeline_has_a_receipt_per_step(network):
    body = {
        "messages": HELLO,
        "classes": [{"label": "poem", "examples": ["so much depends"]}],
    }
    status, run, _ = await network.get("/v1/pipelines/text-analysis", body=body)
    assert status == 200
    assert run["output"]["labels"] == ["poem"]
    text, analysis = run["steps"]
    assert text["output"]["choices"][0]["message"]["content"] == "so much"
    miners = {route.endpoint.hotkey for route in network.found["analysis"]}
    assert analysis["miner"] in miners
    ids = [bytes.fromhex(step["receipt_id"]) for step in run["steps"]]
    assert run["receipts_root"] == merkle_root(ids).hex()
    for step in run["steps"]:
        receipt = Receipt.from_json(step["receipt"])
        receipt.verify()
        assert receipt.miner == step["miner"]
        await network.meter.book.seal(step["subnet"], 40)
        await _proven(network, step["receipt_id"], 40)
    _, usage, _ = await network.get("/v1/usage")
    assert {model: used["requests"] for model, used in usage["models"].items()} == {
        TEXT.openai_model: 1,
        ANALYSIS.openai_model: 1,
    }


async def test_a_translation_is_a_step_that_the_gateway_receipts_itself(network):
    body = {"messages": HELLO, "translate": "eng-gne"}
    status, run, _ = await network.get("/v1/pipelines/text-analysis", body=body)
    assert status == 200
    text, translation, analysis = run["steps"]
    assert [step["id"] for step in run["steps"]] == ["text", "translation", "analysis"]
    assert translation["output"] == {"text": "hcum os", "pair": "eng-gne"}
    assert translation["miner"] == GATEWAY.ss58_address
    receipt = Receipt.from_json(translation["receipt"])
    receipt.verify()
    asked = f"{run['id']}\neng-gne\nso much".encode()
    assert receipt.request_digest == hashlib.sha256(asked).digest()
    assert receipt.response_digest == hashlib.sha256(b"hcum os").digest()
    ids = [bytes.fromhex(step["receipt_id"]) for step in run["steps"]]
    assert run["receipts_root"] == merkle_root(ids).hex()
    for subnet in ("text", "analysis"):
        await network.meter.book.seal(subnet, 40)
    for step in (text, translation, analysis):
        await _proven(network, step["receipt_id"], 40)
    _, usage, _ = await network.get("/v1/usage")
    assert usage["models"]["apertium/eng-gne"]["requests"] == 1


async def test_a_pipeline_without_classes_gives_a_vector(network):
    _, run, _ = await network.get("/v1/pipelines/text-analysis", body={"messages": HELLO})
    assert len(base64.b64decode(run["output"]["vectors"][0])) == 4 * DIMENSIONS


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/pipelines/nothing", {"messages": HELLO}, 404),
        ("/v1/pipelines/text-analysis", {"messages": HELLO, "stream": True}, 400),
        ("/v1/pipelines/text-analysis", {"messages": HELLO, "classes": [{"label": "x"}]}, 400),
        ("/v1/pipelines/text-analysis", {"messages": []}, 400),
        ("/v1/pipelines/text-analysis", {"messages": HELLO, "translate": "eng-xxx"}, 400),
        ("/v1/pipelines/text-analysis", {"messages": HELLO, "translate": ["eng-gne"]}, 400),
        ("/v1/pipelines/text-analysis", {"messages": HELLO, "model": "other"}, 404),
    ],
)
async def test_a_pipeline_that_cannot_run_costs_nothing(network, path, body, status):
    found, error, _ = await network.get(path, body=body)
    assert (found, bool(error["error"]["message"])) == (status, True)
    assert (await network.get("/v1/usage"))[1]["models"] == {}


async def test_receipts_of_answers_given_at_once_are_all_kept(network):
    async with network.client() as client:
        await asyncio.gather(
            *(
                client.chat.completions.create(model=TEXT.openai_model, messages=HELLO)
                for _ in range(20)
            )
        )
    assert network.meter.book.count("text", 40) == 20
