import asyncio
import contextlib
import gc
import json
import sqlite3
import warnings
from dataclasses import replace
from functools import partial

import aiohttp
import pytest

from mycelia.neuron.audits import Tray
from mycelia.neuron.book import KNOWN_SAMPLES, Standing, Verdict, current, replayed, weigh
from mycelia.neuron.chain import CallFailed
from mycelia.neuron.events import EventLog, StatusFile, read_status
from mycelia.neuron.ledger import Ledger
from mycelia.neuron.receipts import ReceiptBook
from mycelia.neuron.routes import Traffic, routes
from mycelia.neuron.sampler import Round, Sampler, challenge_rng
from mycelia.neuron.subnet import Judgement
from mycelia.neuron.validator import Seat, Validator, ValidatorConfig, chosen
from mycelia.wire.client import WireClient
from mycelia.wire.contract import AllowSet, Usage
from mycelia.wire.server import WireServer
from tests.unit.neuron.kit import (
    MemoryChain,
    Sum,
    cheat,
    eventually,
    honest,
    keypair,
    metagraph,
    neuron,
    sloppy,
)

VALIDATOR = keypair("Val")
HOST = "127.0.0.1"
QUICK = ValidatorConfig(round_s=0.05, retry_s=0.05)


@contextlib.asynccontextmanager
async def miners(*functions, allowed=True):
    """Serve each function at a real port; yields their neurons, uids from 1."""
    servers, neurons = [], []
    authority = AllowSet([VALIDATOR.ss58_address] if allowed else [])
    for uid, function in enumerate(functions, start=1):
        key = keypair(f"miner{uid}")
        server = WireServer(key, routes(Sum, function, Traffic()), authority)
        port = await server.start(HOST, 0)
        servers.append(server)
        neurons.append(neuron(uid, key.ss58_address, port=port))
    try:
        yield neurons
    finally:
        await asyncio.gather(*(server.stop() for server in servers))


async def sampled(subnet, neurons, *, seed=b"s", lenient=False, log=None):
    async with WireClient(VALIDATOR) as client:
        plan = Round(1, seed, neurons, lenient)
        samples = await Sampler(subnet, client, log=log).run(plan)
    return {sample.miner.uid: sample for sample in samples}


async def test_round_asks_every_miner_something_else():
    asked = []

    @Sum.miner
    async def spy(ask):
        asked.append(ask)
        yield Sum.Piece(part=ask.a + ask.b)

    async with miners(spy, spy, sloppy, cheat) as found:
        samples = await sampled(Sum(None), found)
    assert asked[0] != asked[1]
    assert [round(samples[uid].score, 2) for uid in (1, 2, 3, 4)] == [1.0, 1.0, 0.8, 0.1]
    assert all(sample.latency_ms >= sample.first_byte_ms > 0 for sample in samples.values())


async def test_samples_are_told_as_they_are_made():
    gate, heard = asyncio.Event(), []

    @Sum.miner
    async def slow(ask):
        await gate.wait()
        yield Sum.Piece(part=ask.a + ask.b)

    async with miners(honest, slow) as found, WireClient(VALIDATOR) as client:
        sampler = Sampler(Sum(None), client, heard=heard.append)
        running = asyncio.create_task(sampler.run(Round(1, b"s", found)))
        await eventually(lambda: heard)
        assert [sample.miner.uid for sample in heard] == [1]
        gate.set()
        assert sorted(s.miner.uid for s in await running) == [s.miner.uid for s in heard] == [1, 2]


async def test_seed_reveals_the_challenge():
    asked = []

    @Sum.miner
    async def spy(ask):
        asked.append(ask)
        yield Sum.Piece(part=0)

    async with miners(spy) as found:
        for seed in (b"one", b"two", b"one"):
            await sampled(Sum(None), found, seed=seed)
        rng = challenge_rng(b"one", found[0].hotkey)
    assert asked[0] == asked[2] != asked[1]
    assert (await Sum(None).challenge(rng)).ask == asked[0]


async def test_checks_behind_a_score_are_kept(tmp_path):
    class Explained(Sum):
        async def score(self, ask, answer, truth, meta):
            return Judgement(0.75, {"exact": 1.0, "fast": 0.5})

    async with miners(honest) as found:
        sample = (await sampled(Explained(None), found))[1]
    assert (sample.score, sample.checks) == (0.75, {"exact": 1.0, "fast": 0.5})
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.add_round("sum", 1, b"s", 5, [sample])
        assert ledger.samples("sum") == [sample]


def test_newcomers_are_sampled_more_until_their_score_is_known():
    old, new, heir = (neuron(uid, f"h{uid}", port=1) for uid in (1, 2, 3))
    known = Standing(old.identity, 0.9, samples=KNOWN_SAMPLES)
    former = Standing(replace(heir.identity, hotkey="former"), 0.9, samples=KNOWN_SAMPLES)
    book = {1: known, 2: Standing(new.identity, 0.5, samples=KNOWN_SAMPLES - 1), 3: former}
    rounds = [[m.uid for m in chosen([old, new, heir], book)] for _ in range(200)]
    assert all({2, 3} <= set(found) for found in rounds)
    assert 50 < sum(1 in found for found in rounds) < 150
    assert all(chosen([old], book) for _ in range(20))


async def test_both_forms_of_the_call_are_asked_for():
    forms = set()

    class Spy:
        def __init__(self, client):
            self.client = client

        async def call(self, *args):
            forms.add("whole")
            return await self.client.call(*args)

        def stream(self, *args):
            forms.add("stream")
            return self.client.stream(*args)

    async with miners(honest) as found, WireClient(VALIDATOR) as client:
        sampler = Sampler(Sum(None), Spy(client))
        scores = [(await sampler.run(Round(n, bytes([n]), found)))[0].score for n in range(8)]
    assert forms == {"whole", "stream"}
    assert scores == [1.0] * 8


async def test_unreachable_miner_fails_with_its_reason():
    async with miners(honest) as found:
        gone = neuron(9, keypair("gone").ss58_address, port=1)
        samples = await sampled(Sum(None), [*found, gone])
    assert samples[1].verdict is Verdict.SCORED
    assert (samples[9].verdict, samples[9].score) == (Verdict.FAILED, 0.0)
    assert samples[9].reason


async def test_reply_that_is_no_answer_fails():
    server = WireServer(
        keypair("odd"),
        {Sum.path(): _junk, Sum.stream_path(): _junk_stream},
        AllowSet([VALIDATOR.ss58_address]),
    )
    port = await server.start(HOST, 0)
    try:
        odd = [neuron(1, keypair("odd").ss58_address, port=port)]
        for seed in (b"a", b"b", b"c", b"d"):
            sample = (await sampled(Sum(None), odd, seed=seed))[1]
            assert (sample.verdict, sample.reason) == (Verdict.FAILED, "malformed_answer")
    finally:
        await server.stop()


async def test_an_answer_whose_receipt_says_another_usage_fails():
    class Counted(Sum):
        class Answer(Sum.Answer):
            def usage(self):
                return Usage(2, 1)

    async def sums(inbound):
        inbound.usage = Usage(2, claimed)
        ask = Sum.Ask.model_validate_json(inbound.body)
        return Sum.Answer(total=ask.a + ask.b).model_dump_json().encode()

    async def stream(inbound):
        inbound.usage = Usage(2, claimed)
        ask = Sum.Ask.model_validate_json(inbound.body)
        yield Sum.Piece(part=ask.a + ask.b).model_dump_json().encode()

    authority = AllowSet([VALIDATOR.ss58_address])
    served = {Counted.path(): sums, Counted.stream_path(): stream}
    server = WireServer(keypair("counts"), served, authority)
    miner = neuron(1, keypair("counts").ss58_address, port=await server.start(HOST, 0))
    try:
        for seed in (b"a", b"b", b"c", b"d"):
            claimed = 1
            assert (await sampled(Counted(None), [miner], seed=seed))[1].score == 1.0
            claimed = 1000
            sample = (await sampled(Counted(None), [miner], seed=seed))[1]
            assert (sample.verdict, sample.reason) == (Verdict.FAILED, "usage_differs")
    finally:
        await server.stop()


async def _junk(inbound):
    return b'{"nothing": true}'


async def _junk_stream(inbound):
    yield b"junk"


async def test_someone_elses_signature_fails():
    async with miners(honest) as found:
        posed = replace(found[0], hotkey=keypair("someone else").ss58_address)
        samples = await sampled(Sum(None), [posed])
    assert samples[1].verdict is Verdict.FAILED


async def test_refusal_is_blameless_only_while_the_permit_is_new():
    async with miners(honest, allowed=False) as found:
        assert (await sampled(Sum(None), found, lenient=True))[1].verdict is Verdict.VOID
        assert (await sampled(Sum(None), found))[1].verdict is Verdict.FAILED


@pytest.mark.parametrize("outcome", [None, RuntimeError("bug"), 1.5, float("nan"), -0.1])
async def test_judge_that_cannot_tell_makes_the_sample_void(outcome, tmp_path):
    class Unsure(Sum):
        async def score(self, ask, answer, truth, meta):
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

    log = EventLog(tmp_path / "v.jsonl", "v")
    async with miners(honest) as found:
        sample = (await sampled(Unsure(None), found, log=log))[1]
    log.close()
    assert (sample.verdict, sample.score) == (Verdict.VOID, 0.0)
    assert sample.reason == ("undecided" if outcome is None else sample.reason) != ""


@contextlib.asynccontextmanager
async def validating(memory, tmp_path, subnet=None, config=QUICK):
    ledger, stop = Ledger(tmp_path / "ledger.sqlite"), asyncio.Event()
    receipts = ReceiptBook.open(tmp_path / "ledger.receipts", VALIDATOR)
    log = EventLog(tmp_path / "v.jsonl", "v")
    seat = Seat(1, subnet or Sum(None), receipts)
    async with WireClient(VALIDATOR) as client:
        validator = Validator(
            VALIDATOR.ss58_address,
            [seat],
            memory,
            client,
            ledger,
            config,
            log=log,
            status=StatusFile(tmp_path / "v.json"),
        )
        task = asyncio.create_task(validator.run(stop))
        try:
            yield seat, ledger
        finally:
            stop.set()
            await asyncio.wait_for(task, 30)
            ledger.close()
            receipts.close()
            log.close()


def events(tmp_path):
    return [json.loads(line) for line in (tmp_path / "v.jsonl").read_text().splitlines()]


def me(*, permit=True):
    return neuron(0, VALIDATOR.ss58_address, permit=permit)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("mycelia.neuron.validator._FOLLOW_S", 0.05)
    monkeypatch.setattr("mycelia.neuron.validator._PERMIT_KNOWN_S", 0.0)


async def test_the_newest_root_goes_out_with_the_weights_and_again_if_that_fails(tmp_path):
    published, refusals = [], [CallFailed("rate_limited", "too soon", "")]

    async def publish(root):
        if refusals:
            raise refusals.pop()
        published.append(root)

    async with miners(honest) as found:
        memory = MemoryChain(metagraph(me(), *found))

        def out_as_blocks_come(epoch):
            # Weights that were due a moment before the root was sealed leave it to the next ones.
            memory.advance(2)
            return epoch in [root.epoch for root in published]

        async with validating(memory, tmp_path) as (seat, _):
            seat.publish = publish
            for epoch in range(3):
                # Two rounds: the first may have begun in the epoch before.
                enough = seat.round + 2
                await eventually(lambda enough=enough: seat.round >= enough)
                memory.graph = replace(memory.graph, last_step=epoch + 1)
                await eventually(partial(out_as_blocks_come, epoch))
            await eventually(lambda: seat.sealed is None)
    assert [root.epoch for root in published] == [0, 1, 2]
    assert all(root.count for root in published)
    assert published[-1].commitment().endswith(published[-1].root.hex())
    assert len(published[-1].commitment()) <= 128
    assert [e["event"] for e in events(tmp_path)].count("root_waits") == 1


async def test_a_refusal_is_forgotten_once_the_weights_are_taken(tmp_path):
    async with miners(honest) as found:
        memory = MemoryChain(metagraph(me(), *found), refusals=["rate_limited"] * 100)
        async with validating(memory, tmp_path) as (seat, _):
            await eventually(lambda: seat.trouble == "rate_limited")
            memory.refusals.clear()
            await eventually(lambda: memory.weights)
            await eventually(lambda: not seat.trouble)


async def test_what_keeps_a_validator_from_judging_is_told_once(tmp_path):
    async with miners(honest) as found:
        memory = MemoryChain(metagraph(*found))
        async with validating(memory, tmp_path) as (seat, _):
            for number, standing in enumerate(("not_registered", "no_permit", "permit")):
                memory.graph = metagraph(*[me(permit=standing == "permit")][:number], *found)
                await eventually(lambda wanted=standing: seat.standing == wanted)
                await asyncio.sleep(0.15)
            await eventually(lambda: seat.round)
    names = {"not_registered", "no_permit", "permit"}
    told = [event for event in events(tmp_path) if event["event"] in names]
    assert [event["event"] for event in told] == ["not_registered", "no_permit", "permit"]
    assert [bool(event["remedy"]) for event in told] == [True, True, False]


async def test_weights_follow_quality_and_can_be_replayed(tmp_path):
    async with miners(honest, sloppy, cheat) as found:
        memory = MemoryChain(metagraph(me(), *found))
        async with validating(memory, tmp_path) as (_, ledger):
            await eventually(lambda: memory.weights)
            await eventually(lambda: ledger.weights("sum"))
            (taken, *_) = ledger.weights("sum")
            samples = ledger.samples("sum", up_to=taken.last_sample)
    weights = memory.weights[0]
    assert weights[1] > weights[2] > weights[3] == 0.0
    assert 0 not in weights
    holders = [n.identity for n in found]
    assert weigh(current(replayed(samples), holders)) == weights == taken.weights
    seeds = [event["seed"] for event in events(tmp_path) if event["event"] == "round"]
    assert len(seeds) == len(set(seeds)) >= 1


async def test_rounds_that_end_while_weights_are_sent_are_not_part_of_them(tmp_path):
    async with miners(honest, sloppy) as found:
        memory = MemoryChain(metagraph(me(), *found))
        memory.taking.clear()
        async with validating(memory, tmp_path) as (seat, ledger):
            await eventually(lambda: memory.attempts == 1)
            rounds = seat.round
            await eventually(lambda: seat.round > rounds)
            memory.taking.set()
            await eventually(lambda: ledger.weights("sum"))
            (taken, *_) = ledger.weights("sum")
            book = replayed(ledger.samples("sum", up_to=taken.last_sample))
    assert {standing.samples for standing in book.values()} <= set(range(1, rounds + 1))
    assert weigh(book) == taken.weights


async def test_no_permit_no_samples_no_weights(tmp_path):
    async with miners(honest) as found:
        memory = MemoryChain(metagraph(me(permit=False), *found))
        async with validating(memory, tmp_path) as (seat, _):
            await asyncio.sleep(0.3)
            assert (seat.round, memory.attempts) == (0, 0)
            memory.graph = metagraph(me(), *found)
            await eventually(lambda: memory.weights)


async def test_consumers_words_do_not_lie_with_a_validator_that_has_no_permit(
    tmp_path, monkeypatch
):
    tray = Tray(tmp_path / "audits")
    (tmp_path / "audits" / "1-1-left.json").write_text("{}")
    async with miners(honest) as found:
        memory = MemoryChain(metagraph(me(permit=False), *found))
        async with validating(memory, tmp_path) as (seat, _):
            seat.tray = tray
            await eventually(lambda: not list((tmp_path / "audits").iterdir()))


async def test_new_permit_is_used_once_miners_can_know_it(tmp_path, monkeypatch):
    monkeypatch.setattr("mycelia.neuron.validator._PERMIT_KNOWN_S", 0.5)
    async with miners(honest) as found:
        memory = MemoryChain(metagraph(me(), *found))
        async with validating(memory, tmp_path) as (seat, _):
            await eventually(lambda: seat.round >= 1)
            assert seat.permit_age_s() >= 0.5


async def test_weights_wait_for_half_a_tempo(tmp_path):
    async with miners(honest) as found:
        memory = MemoryChain(metagraph(me(), *found, height=100, tempo_blocks=20))
        async with validating(memory, tmp_path) as (seat, _):
            await eventually(lambda: len(memory.weights) == 1)
            memory.advance(9)
            was = seat.round
            await eventually(lambda: seat.round > was + 2)
            assert len(memory.weights) == 1
            memory.advance(1)
            await eventually(lambda: len(memory.weights) == 2)


async def test_refused_weights_are_tried_again(tmp_path):
    async with miners(honest) as found:
        memory = MemoryChain(metagraph(me(), *found), refusals=["rate_limited", "call_failed"])
        async with validating(memory, tmp_path):
            await eventually(lambda: memory.weights)
        assert memory.attempts >= 3


async def test_node_that_goes_away_stops_nothing(tmp_path):
    async with miners(honest) as found:
        memory = MemoryChain(metagraph(me(), *found))
        async with validating(memory, tmp_path) as (seat, _):
            await eventually(lambda: seat.round >= 1)
            memory.away = True
            await eventually(lambda: seat.trouble == "chain_away")
            was = seat.round
            await eventually(lambda: seat.round > was)
            taken = len(memory.weights)
            memory.away = False
            memory.advance(5)
            await eventually(lambda: len(memory.weights) > taken and seat.trouble == "")


async def test_restart_forgets_nothing(tmp_path):
    async with miners(honest, sloppy) as found:
        memory = MemoryChain(metagraph(me(), *found))
        async with validating(memory, tmp_path) as (seat, _):
            await eventually(lambda: seat.round >= 2)
        before, rounds = dict(seat.book), seat.round
        memory.graph = metagraph(me(permit=False), *found)
        async with validating(memory, tmp_path) as (seat, _):
            await asyncio.sleep(0.1)
            assert seat.book == before
            assert seat.round == rounds


async def test_challenge_that_fails_is_tried_again(tmp_path):
    class Moody(Sum):
        calls = 0

        async def challenge(self, rng):
            self.calls += 1
            if self.calls < 3:
                raise RuntimeError("no idea")
            return await super().challenge(rng)

    async with miners(honest) as found:
        memory = MemoryChain(metagraph(me(), *found))
        async with validating(memory, tmp_path, Moody(None)) as (seat, _):
            await eventually(lambda: seat.round >= 1)
    assert sum(event["event"] == "challenge_failed" for event in events(tmp_path)) == 2


async def test_a_rule_of_weights_that_fails_ends_no_validator(tmp_path):
    class Moody(Sum):
        calls = 0

        @classmethod
        def weigh(cls, book):
            cls.calls += 1
            if cls.calls == 1:
                raise LookupError("no rule")
            return {99: 1.0} if cls.calls == 2 else dict.fromkeys(book, 1.0)

    async with miners(honest) as found:
        memory = MemoryChain(metagraph(me(), *found))
        async with validating(memory, tmp_path, Moody(None)):
            await eventually(lambda: memory.weights)
    failed = [event["error"] for event in events(tmp_path) if event["event"] == "weigh_failed"]
    assert failed[0] == "LookupError: no rule"
    assert "99, which is no uid" in failed[1]


async def test_status_shows_scores(tmp_path):
    async with miners(honest) as found:
        memory = MemoryChain(metagraph(me(), *found))
        async with validating(memory, tmp_path) as (seat, _):
            await eventually(lambda: seat.round >= 1)
            path = tmp_path / "v.json"
            await eventually(
                lambda: (read_status(path) or {}).get("subnets", {}).get("sum", {}).get("scores")
            )
    scores = read_status(path)["subnets"]["sum"]["scores"]
    assert scores["1"]["quality"] == 1.0


async def test_a_full_disk_makes_rounds_wait_and_loses_none(tmp_path, monkeypatch):
    class Wordy(Sum):
        """Its samples take a page each: what is left of the last pages is soon used up."""

        async def score(self, ask, answer, truth, meta):
            return Judgement(1.0, {"long" * 1000: 1.0})

    async with miners(honest) as found:
        memory = MemoryChain(
            metagraph(neuron(0, VALIDATOR.ss58_address, permit=True), *found, height=10)
        )
        monkeypatch.setattr("mycelia.neuron.validator._PERMIT_KNOWN_S", 0.0)
        async with validating(memory, tmp_path, Wordy(None)) as (seat, ledger):
            await eventually(lambda: seat.round >= 2)
            ledger._db.execute("PRAGMA max_page_count = 1")  # what a full disk is to SQLite
            ledger._db.execute("CREATE TABLE IF NOT EXISTS rounds (x)")
            await eventually(lambda: seat.trouble == "ledger_busy")
            ledger._db.execute("PRAGMA max_page_count = 1000000")
            await eventually(lambda: seat.trouble == "")
            number = seat.round
            await eventually(lambda: seat.round > number)
            held = [sample.round for sample in ledger.samples("sum")]
        assert held == list(range(1, len(held) + 1))
    events = [json.loads(line)["event"] for line in (tmp_path / "v.jsonl").read_text().splitlines()]
    assert events.count("ledger_trouble") == events.count("ledger_back") == 1


async def test_metrics_tell_rounds_verdicts_and_troubles(tmp_path, monkeypatch):
    monkeypatch.setattr("mycelia.neuron.validator._PERMIT_KNOWN_S", 0.0)
    async with miners(honest) as found:
        memory = MemoryChain(metagraph(neuron(0, VALIDATOR.ss58_address, permit=True), *found))
        config = replace(QUICK, monitor_port=0)
        async with validating(memory, tmp_path, config=config) as (seat, _):
            await eventually(lambda: seat.round >= 1)
            await eventually(lambda: (read_status(tmp_path / "v.json") or {}).get("monitor_port"))
            port = read_status(tmp_path / "v.json")["monitor_port"]
            async with aiohttp.ClientSession(f"http://{HOST}:{port}") as session:
                async with session.get("/metrics") as reply:
                    text = await reply.text()
                async with session.get("/health") as reply:
                    assert reply.status == 200
                memory.away = True
                await eventually(lambda: seat.trouble == "chain_away")
                async with session.get("/health") as reply:
                    assert reply.status == 503
    assert 'mycelia_samples_total{subnet="sum",verdict="scored"}' in text
    assert 'mycelia_permit{subnet="sum"} 1' in text
    assert 'mycelia_quality_mean{subnet="sum"} 1' in text


async def test_every_scored_sample_has_its_receipt_and_epochs_are_sealed(tmp_path, monkeypatch):
    monkeypatch.setattr("mycelia.neuron.validator._PERMIT_KNOWN_S", 0.0)
    monkeypatch.setattr("mycelia.neuron.validator._FOLLOW_S", 0.05)
    async with miners(honest, cheat) as found:
        memory = MemoryChain(metagraph(neuron(0, VALIDATOR.ss58_address, permit=True), *found))
        async with validating(memory, tmp_path) as (seat, ledger):
            await eventually(lambda: seat.round >= 3)
            memory.graph = replace(memory.graph, last_step=9)
            await eventually(lambda: seat.graph.last_step == 9)
            # Its event comes once the seal is safe.
            await eventually(lambda: "receipts_sealed" in (tmp_path / "v.jsonl").read_text())
            scored = sum(s.verdict is Verdict.SCORED for s in ledger.samples("sum"))
            receipts = tmp_path / "ledger.receipts"
            with contextlib.closing(sqlite3.connect(receipts)) as database:
                kept = database.execute("SELECT count(*) FROM receipts").fetchone()[0]
            assert kept >= scored >= 6
    events = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text().splitlines()]
    (sealed,) = [event for event in events if event["event"] == "receipts_sealed"]
    assert (sealed["epoch"], sealed["count"] >= 6) == (0, True)


async def test_a_round_whose_challenge_fails_leaves_nothing_begun():
    class Fickle(Sum):
        async def challenge(self, rng):
            self.made = getattr(self, "made", 0) + 1
            if self.made == 2:
                raise ValueError("no more pictures")
            return await super().challenge(rng)

    plan = Round(1, bytes(32), [neuron(uid, f"h{uid}", port=1) for uid in range(2)])
    gc.collect()  # what earlier tests left is theirs
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(ValueError, match="pictures"):
            await Sampler(Fickle(None), None).run(plan)
        gc.collect()
    assert not [warning for warning in told if "never awaited" in str(warning.message)]
