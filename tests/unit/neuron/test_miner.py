import asyncio
import contextlib
import json

import aiohttp
import pytest

from mycelia.neuron.chain import CallFailed, ChainAway
from mycelia.neuron.claims import Attester, Claim, ClaimDesk
from mycelia.neuron.events import EventLog, StatusFile, read_status
from mycelia.neuron.manifest import PATH, ClaimDocument, Manifest
from mycelia.neuron.miner import MinerConfig, MinerProcess
from mycelia.neuron.subnet import Delta
from mycelia.primitives.errors import AppError
from mycelia.wire.client import WireClient
from mycelia.wire.contract import Endpoint, Usage
from mycelia.wire.errors import Refused, Timeout
from tests.unit.neuron.kit import (
    MemoryChain,
    Sum,
    eventually,
    honest,
    keypair,
    metagraph,
    neuron,
)

MINER, VALIDATOR, GATEWAY, STRANGER = (keypair(n) for n in ("M", "V", "G", "S"))
HOST = "127.0.0.1"


def chain():
    return MemoryChain(
        metagraph(
            neuron(0, MINER.ss58_address),
            neuron(1, VALIDATOR.ss58_address, permit=True),
            neuron(2, STRANGER.ss58_address),
        )
    )


@contextlib.asynccontextmanager
async def running(memory, function=honest, subnet=Sum, **kwargs):
    config = MinerConfig(1, HOST, 0, frozenset({GATEWAY.ss58_address}), monitor_port=0)
    process = MinerProcess(subnet, function, MINER, memory, config, **kwargs)
    stop = asyncio.Event()
    task = asyncio.create_task(process.run(stop))
    await eventually(lambda: process.port and process.authority.allows(VALIDATOR.ss58_address))
    try:
        yield process, Endpoint(MINER.ss58_address, HOST, process.port)
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


async def ask(endpoint, caller, body=b'{"a": 2, "b": 3}', path=None):
    async with WireClient(caller) as client:
        return (await client.call(endpoint, path or Sum.path(), body, 30.0)).body


async def test_validator_gets_the_folded_answer():
    async with running(chain()) as (process, endpoint):
        assert json.loads(await ask(endpoint, VALIDATOR)) == {"total": 5}
        assert process.traffic.served == 1


async def test_stream_yields_the_pieces_one_by_one():
    async with running(chain()) as (_, endpoint), WireClient(VALIDATOR) as client:
        body = b'{"a": 2, "b": 3}'
        async with client.stream(endpoint, Sum.stream_path(), body, 30.0) as chunks:
            pieces = [json.loads(chunk) async for chunk in chunks]
    assert pieces == [{"part": 2}, {"part": 3}]


async def test_a_miner_that_returns_its_answer_has_no_stream():
    @Sum.miner
    async def whole(ask):
        return Sum.Answer(total=ask.a + ask.b)

    async with running(chain(), whole) as (_, endpoint):
        assert json.loads(await ask(endpoint, VALIDATOR)) == {"total": 5}
        with pytest.raises(Refused) as refused:
            await ask(endpoint, VALIDATOR, path=Sum.stream_path())
        assert refused.value.status == 404


async def test_receipts_state_the_usage_that_the_answer_says():
    class Counted(Sum):
        class Answer(Sum.Answer):
            def usage(self):
                return Usage(2, self.total)

    async with running(chain(), subnet=Counted) as (_, endpoint), WireClient(VALIDATOR) as client:
        body = b'{"a": 2, "b": 3}'
        outcome = await client.call(endpoint, Counted.path(), body, 30.0)
        async with client.stream(endpoint, Counted.stream_path(), body, 30.0) as chunks:
            assert len([chunk async for chunk in chunks]) == 2
    assert outcome.receipt.usage == chunks.receipt.usage == Usage(2, 5)


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b'{"a": 1}', b'{"a": 1, "b": 2, "c": 3}', b"[]"]
)
async def test_body_that_is_no_ask_is_a_400(body):
    async with running(chain()) as (process, endpoint):
        with pytest.raises(Refused) as refused:
            await ask(endpoint, VALIDATOR, body)
        assert (refused.value.status, refused.value.code) == (400, "invalid_request")
        assert process.traffic.refused == 1
        assert json.loads(await ask(endpoint, VALIDATOR)) == {"total": 5}


async def test_configured_gateway_is_served_and_a_stranger_is_not():
    async with running(chain()) as (_, endpoint):
        assert await ask(endpoint, GATEWAY)
        with pytest.raises(Refused) as refused:
            await ask(endpoint, STRANGER)
        assert refused.value.status == 403


async def test_permit_that_is_gone_ends_the_service(monkeypatch):
    monkeypatch.setattr("mycelia.neuron.miner.REFRESH_S", 0.05)
    memory = chain()
    async with running(memory) as (process, endpoint):
        memory.graph = metagraph(neuron(1, VALIDATOR.ss58_address))
        await eventually(lambda: not process.authority.allows(VALIDATOR.ss58_address))
        with pytest.raises(Refused):
            await ask(endpoint, VALIDATOR)


async def test_service_goes_on_while_the_node_is_away(monkeypatch, tmp_path):
    monkeypatch.setattr("mycelia.neuron.miner.REFRESH_S", 0.05)
    memory, path = chain(), tmp_path / "m.jsonl"
    log = EventLog(path, "m")
    async with running(memory, log=log) as (_, endpoint):
        memory.away = True
        await eventually(lambda: "chain_trouble" in path.read_text())
        await asyncio.sleep(0.2)
        assert await ask(endpoint, VALIDATOR)
    log.close()
    events = [json.loads(line)["event"] for line in path.read_text().splitlines()]
    assert events.count("chain_trouble") == 1


async def test_address_is_published_once():
    memory = chain()
    async with running(memory) as (process, _):
        await eventually(lambda: memory.served)
        assert memory.served == [(HOST, process.port)]


async def test_address_already_on_the_chain_is_not_published_again(monkeypatch):
    monkeypatch.setattr("mycelia.neuron.miner.REFRESH_S", 0.05)
    memory = chain()
    async with running(memory) as (process, _):
        await eventually(lambda: memory.served)
        memory.graph = metagraph(
            neuron(0, MINER.ss58_address, port=process.port),
            neuron(1, VALIDATOR.ss58_address, permit=True),
        )
        memory.served.clear()
        await asyncio.sleep(0.3)
        assert memory.served == []


async def test_a_miner_that_is_not_registered_is_told_so_once(monkeypatch, tmp_path):
    monkeypatch.setattr("mycelia.neuron.miner.REFRESH_S", 0.02)
    memory, log = chain(), EventLog(tmp_path / "m.jsonl", "m")
    memory.graph = metagraph(neuron(1, VALIDATOR.ss58_address, permit=True))
    async with running(memory, log=log):
        await asyncio.sleep(0.2)
        memory.graph = chain().graph
        await eventually(lambda: memory.served)
    log.close()
    events = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]
    told = [e for e in events if e["event"] in {"registered", "not_registered"}]
    assert [event["event"] for event in told] == ["not_registered", "registered"]
    assert "btcli subnets register" in told[0]["remedy"]


class Committed:
    """Where a digest is committed. `refusals` fail in turn."""

    def __init__(self, digest=None, refusals=()):
        self.digest, self.refusals, self.looks, self.commits = digest, list(refusals), 0, 0

    async def committed(self):
        self.looks += 1
        return self.digest

    async def commit(self, manifest):
        self.commits += 1
        if self.refusals:
            raise self.refusals.pop(0)
        self.digest = manifest.digest()


@pytest.fixture
def desk():
    fields = {
        "miner": MINER.ss58_address,
        "subnet": "sum",
        "version": 1,
        "model": "adder",
        "weights": "ab" * 32,
        "runtime": "numpy==2.4.6",
        "runtime_digest": "cd" * 32,
        "quantisation": "float32",
        "schedule": "one-thread",
        "context": 0,
        "licence": "MIT",
    }
    return ClaimDesk(MINER, Manifest(**fields))


async def genesis() -> str:
    return "0a" * 32


async def test_a_claim_is_committed_once_shown_and_named_in_receipts(monkeypatch, desk):
    monkeypatch.setattr("mycelia.neuron.miner.REFRESH_S", 0.02)
    committed = Committed()
    async with (
        running(chain(), claim=Claim(desk, committed)) as (process, endpoint),
        WireClient(VALIDATOR) as client,
    ):
        await eventually(lambda: committed.digest == desk.digest)
        outcome = await client.call(endpoint, Sum.path(), b'{"a": 2, "b": 3}', 30.0)
        document = ClaimDocument.parse(await client.document(endpoint, PATH, 30.0))
        # Longer than what this subnet takes of its own.
        attester = Attester(VALIDATOR, 1, genesis, client, lambda _: True)
        await attester.attest(endpoint, desk.manifest)
        await asyncio.sleep(0.2)
        assert committed.commits == committed.looks == 1
        shown = {metric.name: metric.values for metric in process._metrics()}
        assert shown["mycelia_attestations"] == {(): 1.0}
    assert outcome.receipt.claim == document.claim.manifest.digest() == desk.digest
    assert len(desk.live()) == 1


async def test_a_claim_that_the_chain_has_is_not_committed_again(monkeypatch, desk):
    monkeypatch.setattr("mycelia.neuron.claims._CHECK_S", 0.0)
    monkeypatch.setattr("mycelia.neuron.miner.REFRESH_S", 0.02)
    committed = Committed(desk.digest)
    async with running(chain(), claim=Claim(desk, committed)):
        await eventually(lambda: committed.looks >= 3)
        assert committed.commits == 0
        committed.digest = None  # lost, or replaced by another program
        await eventually(lambda: committed.commits == 1)


async def test_a_refused_commitment_is_tried_again_after_pauses(monkeypatch, desk, tmp_path):
    monkeypatch.setattr("mycelia.neuron.claims._RETRY_S", 0.05)
    monkeypatch.setattr("mycelia.neuron.miner.REFRESH_S", 0.01)
    refused = CallFailed("rate_limited", "too soon", "")
    committed = Committed(refusals=[refused, ChainAway("chain_away", "away", ""), refused])
    claim, log = Claim(desk, committed), EventLog(tmp_path / "m.jsonl", "m")
    claim._pause_s = 0.05
    began_s = asyncio.get_running_loop().time()
    async with running(chain(), claim=claim, log=log) as (_, endpoint):
        await eventually(lambda: committed.digest)
        assert asyncio.get_running_loop().time() - began_s > 0.05 + 0.1 + 0.2
        assert await ask(endpoint, VALIDATOR)
    log.close()
    events = [json.loads(line)["event"] for line in (tmp_path / "m.jsonl").read_text().splitlines()]
    assert (events.count("claim_waits"), events.count("claimed")) == (3, 1)


async def test_slow_miner_is_cancelled_at_the_deadline():
    cancelled = asyncio.Event()

    @Sum.miner
    async def slow(ask):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with running(chain(), slow) as (process, endpoint), WireClient(VALIDATOR) as client:
        while not cancelled.is_set():  # a call may be over before it has reached the miner
            with pytest.raises((Timeout, Refused)):
                await client.call(endpoint, Sum.path(), b'{"a": 2, "b": 3}', 0.3)
        await eventually(lambda: process.traffic.failed >= 1)


async def test_more_than_inflight_requests_are_refused_as_busy():
    gate, begun = asyncio.Event(), []

    @Sum.miner
    async def waiting(ask):
        begun.append(ask)
        await gate.wait()
        return Sum.Answer(total=ask.a + ask.b)

    async with running(chain(), waiting) as (_, endpoint):
        calls = [asyncio.create_task(ask(endpoint, VALIDATOR)) for _ in range(2)]
        await eventually(lambda: len(begun) == 2)
        with pytest.raises(Refused) as refused:
            await ask(endpoint, VALIDATOR)
        assert refused.value.is_capacity
        gate.set()
        assert len(await asyncio.gather(*calls)) == 2


async def test_failing_miner_answers_500_and_lives_on():
    @Sum.miner
    async def broken(ask):
        if ask.a == 0:
            raise RuntimeError("secret detail")
        return Sum.Answer(total=ask.a + ask.b)

    async with running(chain(), broken) as (process, endpoint):
        with pytest.raises(Refused) as refused:
            await ask(endpoint, VALIDATOR, b'{"a": 0, "b": 3}')
        assert refused.value.status == 500
        assert "secret" not in str(refused.value)
        assert process.traffic.failed == 1
        assert await ask(endpoint, VALIDATOR)


@pytest.mark.parametrize(
    ("host", "public_host"),
    [("0.0.0.0", None), ("::", None), ("localhost", None), ("127.0.0.1", "example.com")],
)
def test_an_address_that_the_chain_cannot_be_told_is_refused(host, public_host):
    with pytest.raises(AppError, match="cannot be told") as refused:
        MinerConfig(1, host, 0, public_host=public_host)
    assert "--public-host" in refused.value.remedy
    MinerConfig(1, host, 0, public_host="10.1.2.3")
    MinerConfig(1, host, 0, public_host=public_host, announce=False)


def test_a_gateway_that_is_no_hotkey_is_refused():
    with pytest.raises(AppError, match="'alice' is no hotkey"):
        MinerConfig(1, HOST, 0, frozenset({"alice"}))


async def test_what_the_miner_cannot_handle_ends_it():
    class Odd(MemoryChain):
        async def metagraph(self, netuid):
            raise LookupError("nobody expects this")

    process = MinerProcess(Sum, honest, MINER, Odd(chain().graph), MinerConfig(1, HOST, 0))
    with pytest.raises(LookupError, match="nobody expects"):
        await asyncio.wait_for(process.run(asyncio.Event()), 30)


async def test_taken_port_is_an_error_with_a_remedy():
    async with running(chain()) as (process, _):
        second = MinerProcess(Sum, honest, MINER, chain(), MinerConfig(1, HOST, process.port))
        with pytest.raises(AppError) as refused:
            await second.run(asyncio.Event())
        assert refused.value.remedy


async def test_status_reports_requests(tmp_path, monkeypatch):
    monkeypatch.setattr("mycelia.neuron.miner._STATUS_S", 0.05)
    path = tmp_path / "m.json"
    async with running(chain(), status=StatusFile(path)) as (_, endpoint):
        await ask(endpoint, VALIDATOR)
        await eventually(lambda: (read_status(path) or {}).get("requests") == 1)


def test_pieces_are_strict():
    assert issubclass(Sum.Piece, Delta)


async def test_metrics_count_what_was_served():
    async with running(chain()) as (process, endpoint):
        await ask(endpoint, VALIDATOR)
        with contextlib.suppress(Refused):
            await ask(endpoint, VALIDATOR, b"nonsense")
        async with aiohttp.ClientSession(f"http://{HOST}:{process._monitor.port}") as session:
            async with session.get("/metrics") as reply:
                text = await reply.text()
            async with session.get("/health") as reply:
                assert (await reply.json())["state"] == "serving sum; chain: followed"
    assert 'mycelia_requests_total{outcome="served"} 1' in text
    assert 'mycelia_requests_total{outcome="refused"} 1' in text
