import contextlib
import json

import pytest

from mycelia.neuron.audits import Audit
from mycelia.neuron.book import Verdict
from mycelia.neuron.events import EventLog
from mycelia.neuron.routes import Traffic, routes
from mycelia.neuron.sampler import Round, Sampler
from mycelia.neuron.subnet import Judgement
from mycelia.wire.client import WireClient
from mycelia.wire.contract import AllowSet
from mycelia.wire.server import WireServer
from tests.unit.neuron.kit import Sum, honest, keypair, neuron

VALIDATOR = keypair("Val")


@contextlib.asynccontextmanager
async def one_miner():
    authority = AllowSet([VALIDATOR.ss58_address])
    server = WireServer(keypair("miner"), routes(Sum, honest, Traffic()), authority)
    port = await server.start("127.0.0.1", 0)
    try:
        yield neuron(1, keypair("miner").ss58_address, port=port)
    finally:
        await server.stop()


@pytest.mark.parametrize(
    "said", ["good", Judgement("good"), Judgement(1.0, {"exact": "yes"}), [1.0], Judgement(2.0)]
)
async def test_a_judge_that_gives_no_score_makes_the_sample_void_and_ends_no_round(said, tmp_path):
    class Wordy(Sum):
        async def score(self, ask, answer, truth, meta):
            return said

    log = EventLog(tmp_path / "v.jsonl", "v")
    async with one_miner() as miner, WireClient(VALIDATOR) as client:
        (sample,) = await Sampler(Wordy(None), client, log=log).run(Round(1, b"s", [miner]))
    log.close()
    assert (sample.verdict, sample.score) == (Verdict.VOID, 0.0)
    lines = (tmp_path / "v.jsonl").read_text().splitlines()
    events = [json.loads(line)["event"] for line in lines]
    assert events == [sample.reason]


async def test_consumers_words_get_into_no_log(tmp_path):
    class Talkative(Sum):
        async def score(self, ask, answer, truth, meta):
            raise ValueError(f"{ask} and {answer} do not fit")

    log = EventLog(tmp_path / "v.jsonl", "v")
    audit = Audit(
        netuid=1,
        hotkey="5Miner",
        latency_ms=1.0,
        first_byte_ms=1.0,
        ask={"a": 4711, "b": 1},
        answer={"total": 0},
    )
    async with WireClient(VALIDATOR) as client:
        assert (
            await Sampler(Talkative(None), client, log=log).audit(neuron(1, "5Miner"), audit, 1)
            is None
        )
    log.close()
    (line,) = (tmp_path / "v.jsonl").read_text().splitlines()
    assert json.loads(line)["error"] == "ValueError"
    assert "4711" not in line
