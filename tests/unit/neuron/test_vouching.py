"""A validator's word goes to whom its own checks bear out, holds as long as they do, and no longer."""

import asyncio
import random
import sqlite3
from dataclasses import replace

import pytest

from mycelia.neuron import vouching
from mycelia.neuron.book import AUDITED, KNOWN_SAMPLES, Identity, Sample, Verdict
from mycelia.neuron.chain import ChainAway
from mycelia.neuron.manifest import LIFE_S, ClaimDocument, ClaimError, Manifest, SignedManifest
from mycelia.neuron.vouching import ATTESTED, Voucher, weighed
from mycelia.wire.errors import Refused
from tests.unit.neuron.kit import neuron

FLOOR = 0.5
MANIFEST = Manifest(
    miner="5" * 48,
    subnet="text",
    version=1,
    model="smollm2-135m-instruct",
    weights="ab" * 32,
    runtime="xllamacpp==1.2.3",
    runtime_digest="cd" * 32,
    quantisation="Q4_1",
    schedule="one-thread",
    context=2048,
    licence="Apache-2.0",
)
CLAIM = MANIFEST.digest().hex()
MINER = neuron(1, MANIFEST.miner, port=7)


def sample(score=1.0, verdict=Verdict.SCORED, claim=CLAIM, miner=MINER.identity):
    return Sample(miner, 1, verdict, score, claim=claim)


def evidence(*samples):
    held = None
    for one in samples:
        held = weighed(held, one, FLOOR)
    return held


FAILED = sample(0.0, Verdict.FAILED, claim="")
VOID = sample(0.0, Verdict.VOID, claim="")
STRAY = sample(0.4)


def test_one_answer_is_enough_for_a_short_word_and_twenty_for_a_long_one():
    assert not evidence(sample()).doubt
    assert [evidence(*[sample()] * n).life_s for n in (1, 4, 10, 20)] == [60.0, 60.0, 150.0, 300.0]
    assert evidence(*[sample()] * 100).life_s == LIFE_S


def test_answers_of_another_model_end_it():
    assert evidence(sample(), sample(), STRAY).doubt == "answers_differ"
    known = [sample()] * KNOWN_SAMPLES
    assert not evidence(*known, STRAY).doubt
    assert evidence(*known, STRAY, STRAY).doubt == "answers_differ"
    assert not evidence(*known, STRAY, STRAY, *[sample()] * 99).doubt


def test_void_and_failed_samples_are_no_answers():
    assert evidence(FAILED, VOID) is None
    assert len(evidence(sample(), FAILED, VOID).answers) == 1
    answered = [sample()] * 5
    assert not evidence(*answered, *[FAILED] * 9).doubt
    assert evidence(*answered, *[FAILED] * 10).doubt == "silent"
    assert not evidence(*answered, *[FAILED] * 10, sample()).doubt


def test_who_was_found_out_cannot_claim_the_same_anew():
    other = sample(claim="ef" * 32)
    assert evidence(STRAY, STRAY, other).doubt == "answers_differ"
    assert evidence(STRAY, STRAY, other, sample()).doubt == "answers_differ"
    # What is long past is forgotten, under the new claim as under the old.
    assert not evidence(STRAY, STRAY, *[other] * vouching.WINDOW).doubt
    # What was forgiven is no debt.
    assert not evidence(*[sample()] * KNOWN_SAMPLES, STRAY, other).doubt
    # Whoever registers anew is another miner.
    newcomer = replace(MINER.identity, registered_at=99)
    assert not evidence(STRAY, STRAY, sample(miner=newcomer)).doubt


def test_evidence_is_for_one_claim_of_one_miner():
    held = [sample()] * 5
    assert len(evidence(*held, sample(claim="ef" * 32)).answers) == 1
    heir = replace(MINER.identity, registered_at=2)
    assert len(evidence(*held, sample(miner=heir)).answers) == 1


def test_an_answer_to_a_consumer_says_nothing_of_a_claim_that_came_after_it():
    audited = replace(STRAY, reason=AUDITED)
    now = [sample(claim="ef" * 32)] * KNOWN_SAMPLES
    assert evidence(*now, audited).claim == "ef" * 32
    assert evidence(*now, audited, now[0]).answers.count(True) == KNOWN_SAMPLES + 1
    assert evidence(audited) is None
    # Of the claim that holds it does.
    assert evidence(*now, *[replace(audited, claim="ef" * 32)] * 2).doubt == "answers_differ"


def share_of_time_attested(cheating, checks_let_through, rounds=2_000):
    rng = random.Random(1)
    held, good = None, 0
    for _ in range(rounds):
        cheats = rng.random() < cheating and rng.random() >= checks_let_through
        held = weighed(held, STRAY if cheats else sample(), FLOOR)
        good += not held.doubt
    return good / rounds


def test_honest_miners_are_attested_and_part_time_cheats_are_not():
    """Checks with a false alarm in a thousand answers, and those that miss a fifth of cheating."""
    assert share_of_time_attested(0.001, 0.0) > 0.99
    assert share_of_time_attested(0.1, 0.2) < 0.02
    assert share_of_time_attested(1.0, 0.2) == 0.0


class Desk:
    """A miner's, and the validator's way to it."""

    def __init__(self):
        self.manifest, self.error, self.words, self.reads = MANIFEST, None, [], 0
        self.shows = True

    async def claim(self, endpoint, committed):
        self.reads += 1
        if self.error:
            raise self.error
        if committed.get(endpoint.hotkey) != self.manifest.digest():
            raise ClaimError("claim_uncommitted", "", "")
        claim = SignedManifest.model_construct(manifest=self.manifest)
        return ClaimDocument.model_construct(claim=claim, attestations=[])

    def is_shown(self, document):
        return self.shows

    async def attest(self, endpoint, manifest, life_s):
        self.words.append(life_s)


class Clock:
    now_s = 1_000.0

    def monotonic(self):
        return self.now_s

    def time(self):
        return self.now_s


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(vouching, "time", clock)
    return clock


class Book(list):
    def __call__(self, claimed):
        self.append(claimed)


def heard(given, samples):
    for one in samples:
        given.note(one)


def voucher(desk, keep=None, published=None):
    async def on_chain(netuid):
        return {MANIFEST.miner: MANIFEST.digest()}

    return Voucher(3, FLOOR, desk, published or on_chain, Book() if keep is None else keep)


async def test_a_word_is_given_once_and_renewed_when_half_of_it_is_over(clock):
    desk, told = Desk(), Book()
    given = voucher(desk, told)
    await given.look([MINER])
    assert (desk.words, told) == ([], [])
    heard(given, [sample()] * 20)
    for _ in range(3):
        await given.look([MINER])
    assert desk.words == [LIFE_S]
    assert (told[-1].state, told[-1].digest) == (ATTESTED, CLAIM)
    assert told[-1].until_ms == (clock.now_s + LIFE_S) * 1000
    assert "smollm2-135m-instruct" in told[-1].about
    assert given.attested() == {MANIFEST.miner}
    clock.now_s += LIFE_S / 2 + 1
    await given.look([MINER])
    assert desk.words == [LIFE_S] * 2
    clock.now_s += LIFE_S + 1
    assert given.attested() == frozenset()


async def test_a_word_on_few_answers_is_replaced_by_a_longer_one_soon(clock):
    desk = Desk()
    given = voucher(desk)
    for _ in range(20):
        heard(given, [sample()])
        await given.look([MINER])
        clock.now_s += 5
    assert desk.words[0] == 60.0
    assert desk.words == sorted(desk.words)
    assert 1 < len(desk.words) < 7


async def test_a_miner_that_lost_its_word_is_brought_it_again(clock):
    desk = Desk()
    given = voucher(desk)
    heard(given, [sample()] * 20)
    await given.look([MINER])
    for shows in (True, False):
        desk.shows = shows
        clock.now_s += 21
        for _ in range(3):
            await given.look([MINER])
        assert len(desk.words) == (1 if shows else 2)
    assert desk.reads == 3


async def test_a_word_is_not_renewed_once_the_answers_differ(clock):
    desk, told = Desk(), Book()
    given = voucher(desk, told)
    heard(given, [sample()] * 20)
    await given.look([MINER])
    heard(given, [STRAY] * 2)
    clock.now_s += LIFE_S
    for _ in range(3):
        await given.look([MINER])
    assert len(desk.words) == 1
    assert [claimed.state for claimed in told] == [ATTESTED, "answers_differ"]
    assert "smollm2" in told[-1].about
    assert given.attested() == frozenset()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ClaimError("claim_unknown", "", ""), "claim_unknown"),
        (Refused(404, "unknown_route", "", ""), "unknown_route"),
        (RuntimeError("a bug of the author's"), "RuntimeError"),
    ],
)
async def test_what_cannot_be_attested_is_tried_less_and_less(clock, error, code):
    desk, told = Desk(), Book()
    desk.error = error
    given = voucher(desk, told)
    heard(given, [sample()] * 20)
    for _ in range(300):
        await given.look([MINER])
        clock.now_s += 1
    assert 5 < desk.reads < 12
    assert [claimed.state for claimed in told] == [code]
    desk.error = None
    clock.now_s += 200
    await given.look([MINER])
    assert told[-1].state == ATTESTED


async def test_what_is_shown_must_be_what_it_answers_under(clock):
    desk, told = Desk(), Book()
    given = voucher(desk, told)
    heard(given, [sample(claim="ef" * 32)] * 20)
    await given.look([MINER])
    assert (desk.words, told[-1].state) == ([], "claim_other")


async def test_nobody_else_is_looked_at(clock):
    desk = Desk()
    given = voucher(desk)
    heard(given, [sample(claim="")] * 20)
    await given.look([MINER])
    heard(given, [sample()] * 20)
    await given.look([])
    await given.look([replace(MINER, registered_at=9)])
    assert desk.reads == 0
    await given.look([MINER])
    assert desk.words == [LIFE_S]


async def test_who_left_is_forgotten(clock):
    desk = Desk()
    given = voucher(desk)
    heard(given, [sample()] * 20)
    await given.look([neuron(2, "5Other", port=7)])
    await given.look([MINER])
    assert desk.reads == 0


async def test_an_absent_chain_or_a_full_disk_hinder_nothing(clock):
    away = True

    async def published(netuid):
        if away:
            raise ChainAway("chain_away", "", "")
        return {MANIFEST.miner: MANIFEST.digest()}

    def full(claimed):
        raise sqlite3.OperationalError("database or disk is full")

    desk = Desk()
    given = voucher(desk, full, published)
    heard(given, [sample()] * 20)
    await given.look([MINER])
    assert desk.words == []
    away = False
    await given.look([MINER])
    assert desk.words == [LIFE_S]


async def test_miners_are_seen_side_by_side():
    class Slow(Desk):
        most = now = 0

        async def claim(self, endpoint, committed):
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0.02)
            self.now -= 1
            raise ClaimError("claim_unknown", "", "")

    desk = Slow()
    given = voucher(desk)
    miners = [neuron(uid, f"5{uid}", port=7) for uid in range(1, 41)]
    heard(given, [sample(miner=Identity(m.uid, m.hotkey, 1)) for m in miners])
    await given.look(miners)
    assert desk.most == 16
