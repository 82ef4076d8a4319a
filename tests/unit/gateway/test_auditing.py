"""Answers to consumers come before a validator, and a bad one counts."""

import asyncio
import contextlib
import random

import pytest

from mycelia.gateway import auditing
from mycelia.gateway.auditing import Auditors
from mycelia.gateway.directory import Route
from mycelia.gateway.dispatch import Dispatcher
from mycelia.gateway.metrics import Metrics
from mycelia.gateway.routing import Router
from mycelia.neuron.audits import Tray
from mycelia.neuron.book import AUDITED
from mycelia.neuron.events import EventLog
from mycelia.neuron.ledger import Ledger
from mycelia.neuron.routes import Traffic, routes
from mycelia.neuron.validator import Seat, Validator, ValidatorConfig
from mycelia.wire.client import WireClient
from mycelia.wire.contract import AllowSet, Endpoint
from mycelia.wire.server import WireServer
from tests.unit.neuron.kit import MemoryChain, Sum, eventually, honest, keypair, metagraph, neuron

VALIDATOR = keypair("Val")
HOST = "127.0.0.1"
FROM_CONSUMERS = 1_000
"""Challenges add up smaller numbers, which is what the two-faced miner knows them by."""


class Checkable(Sum):
    needs_truth = False

    async def score(self, ask, answer, truth, meta):
        assert meta.audited == (ask.a >= FROM_CONSUMERS)
        return float(answer.total == ask.a + ask.b)


@Sum.miner
async def two_faced(ask):
    yield Sum.Piece(part=ask.a + ask.b if ask.a < FROM_CONSUMERS else 0)


@pytest.fixture(autouse=True)
def all_are_offered_and_nobody_waits(monkeypatch):
    monkeypatch.setattr(auditing, "SHARE", 1.0)
    monkeypatch.setattr("mycelia.neuron.validator._FOLLOW_S", 0.05)
    monkeypatch.setattr("mycelia.neuron.validator._PERMIT_KNOWN_S", 0.0)


class Directory:
    def __init__(self, route):
        self._route = route

    def routes(self, _subnet):
        return [self._route]

    def withheld(self, _subnet):
        return 0


@contextlib.asynccontextmanager
async def serving(function, tray, subnet=Checkable):
    """A miner at a real port and the dispatcher of a gateway that asks it; yields both."""
    key = keypair("miner")
    server = WireServer(
        key, routes(subnet, function, Traffic()), AllowSet([VALIDATOR.ss58_address])
    )
    port = await server.start(HOST, 0)
    route = Route(Endpoint(key.ss58_address, HOST, port), "sum", 1, 1, 1.0)
    async with WireClient(VALIDATOR) as caller:
        auditors = Auditors([tray])
        try:
            yield (
                neuron(1, key.ss58_address, port=port),
                Dispatcher(Directory(route), caller, Router(), Metrics(), auditors),
            )
        finally:
            await server.stop()


async def asked(dispatcher, kind, subnet=Checkable):
    ask = subnet.Ask(a=FROM_CONSUMERS + random.randrange(1000), b=1)
    if kind == "stream":
        stream = await dispatcher.stream(subnet, ask)
        pieces = [piece async for batch in stream.batches() for piece in batch]
        await stream.close()
        return sum(piece.part for piece in pieces)
    answered = await (dispatcher.ask if kind == "whole" else dispatcher.fold)(subnet, ask)
    return answered.reply.total


@contextlib.asynccontextmanager
async def validating(miner, tray, tmp_path):
    me = neuron(0, VALIDATOR.ss58_address, permit=True)
    seat, stop = Seat(1, Checkable(None), tray=tray), asyncio.Event()
    log, ledger = EventLog(None, "v"), Ledger(tmp_path / "ledger.sqlite")
    async with WireClient(VALIDATOR) as caller:
        config = ValidatorConfig(round_s=0.05, retry_s=0.05)
        chain = MemoryChain(metagraph(me, miner))
        validator = Validator(
            VALIDATOR.ss58_address, [seat], chain, caller, ledger, config, log=log
        )
        running = asyncio.create_task(validator.run(stop))
        try:
            yield seat, ledger
        finally:
            stop.set()
            await running
            ledger.close()


def waiting(tmp_path):
    return list((tmp_path / "audits").iterdir())


@pytest.mark.parametrize("kind", ["whole", "fold", "stream"])
async def test_every_kind_of_answer_can_be_judged(tmp_path, kind):
    tray = Tray(tmp_path / "audits")
    async with serving(honest, tray) as (miner, dispatcher):
        total = await asked(dispatcher, kind)
    audit = tray.take(1)
    assert audit.hotkey == miner.hotkey
    assert audit.answer == {"total": total}
    assert audit.ask["a"] + audit.ask["b"] == total
    assert audit.latency_ms >= audit.first_byte_ms >= 0


async def test_who_is_honest_in_challenges_alone_is_found_out(tmp_path):
    tray = Tray(tmp_path / "audits")
    async with serving(two_faced, tray) as (miner, dispatcher):
        for kind in ("whole", "fold", "stream") * 4:
            assert await asked(dispatcher, kind) == 0
        async with validating(miner, tray, tmp_path) as (seat, ledger):
            await eventually(lambda: not waiting(tmp_path))
            rounds = seat.round + 2
            await eventually(lambda: seat.round >= rounds)
            samples = ledger.samples("sum")
            bad = [sample for sample in samples if sample.reason == AUDITED]
            assert [sample.score for sample in bad] == [0.0] * 12
            assert all(s.score == 1.0 for s in samples if s.reason != AUDITED)
            assert seat.book[1].quality < 0.8
            assert not seat.book[1].failures


async def test_good_answers_to_consumers_wash_no_record(tmp_path):
    tray = Tray(tmp_path / "audits")
    async with serving(honest, tray) as (miner, dispatcher):
        for kind in ("whole", "fold", "stream"):
            await asked(dispatcher, kind)
        async with validating(miner, tray, tmp_path) as (seat, ledger):
            await eventually(lambda: seat.round > 5)
            assert not waiting(tmp_path)
            samples = ledger.samples("sum")
            assert len({sample.round for sample in samples}) == len(samples)
            assert all(sample.score == 1.0 for sample in samples)


async def test_what_needs_a_truth_is_left_alone(tmp_path):
    tray = Tray(tmp_path / "audits")
    async with serving(honest, tray, Sum) as (_, dispatcher):
        await asked(dispatcher, "whole", Sum)
    assert tray.take(1) is None


async def test_a_tray_that_takes_nothing_costs_no_answer_and_is_told_once(tmp_path):
    tray, told = Tray(tmp_path / "audits"), EventLog(tmp_path / "log", "g")
    (tmp_path / "audits").rmdir()
    async with serving(honest, tray) as (_, dispatcher):
        dispatcher._auditors = Auditors([tray], told)
        for _ in range(3):
            assert await asked(dispatcher, "whole") > FROM_CONSUMERS
    told.close()
    assert (tmp_path / "log").read_text().count("tray_trouble") == 1
