import dataclasses
import sqlite3
from contextlib import ExitStack, closing

import pytest

from mycelia.neuron.book import Identity, Sample, Verdict, current, replayed, weigh
from mycelia.neuron.ledger import Claimed, Ledger, LedgerError, SetWeights

ALICE, BOB = Identity(1, "alice", 5), Identity(2, "bob", 6)
SAMPLES = [
    Sample(ALICE, 1, Verdict.SCORED, 0.9, latency_ms=12.5, first_byte_ms=3.0),
    Sample(BOB, 1, Verdict.FAILED, 0.0, "timeout"),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def opened(path):
    """Opens the ledger, and closes it after the test."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Ledger(path)))


def test_rounds_survive_a_restart(opened):
    ledger = opened()
    ledger.add_round("text", 1, b"seed", 7, SAMPLES)
    ledger.close()
    again = opened()
    assert again.samples("text") == SAMPLES
    assert again.next_round("text") == 2
    assert again.next_round("vision") == 1
    assert again.seed("text", 1) == b"seed"
    assert again.seed("text", 2) is None
    assert again.book("text") == replayed(SAMPLES)


def test_weights_can_be_recomputed_from_the_samples_they_rest_on(opened):
    ledger = opened()
    ledger.add_round("text", 1, b"a", 7, SAMPLES)
    weights, last = weigh(ledger.book("text")), ledger.last_sample("text")
    ledger.add_round("text", 2, b"b", 9, [Sample(ALICE, 2, Verdict.SCORED, 0.1)])
    ledger.add_weights("text", SetWeights(8, last, weights))
    (taken,) = ledger.weights("text")
    assert taken.height == 8
    book = replayed(ledger.samples("text", up_to=taken.last_sample))
    assert weigh(current(book, [ALICE, BOB])) == taken.weights == weights


def test_a_round_is_recorded_whole_or_not_at_all(opened):
    ledger = opened()
    ledger.add_round("text", 1, b"a", 7, SAMPLES)
    with pytest.raises(sqlite3.IntegrityError):
        ledger.add_round("text", 1, b"again", 8, SAMPLES)
    assert ledger.samples("text") == SAMPLES
    assert ledger.seed("text", 1) == b"a"


def test_readers_look_on_while_the_validator_writes(path, opened):
    ledger = opened()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
        ledger.add_round("text", 1, b"a", 7, SAMPLES)
        assert reader.execute("SELECT count(*) FROM samples").fetchone() == (2,)


def test_corrupt_file_is_refused_with_a_remedy(path):
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(LedgerError) as refused:
        Ledger(path)
    assert refused.value.code == "ledger_unreadable"
    assert str(path) in refused.value.remedy


def test_newer_file_is_refused_with_a_remedy(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError) as refused:
        Ledger(path)
    assert refused.value.code == "ledger_newer"
    assert refused.value.remedy


def filled(opened, rounds=5):
    ledger, samples = opened(), []
    for number in range(1, rounds + 1):
        made = [dataclasses.replace(sample, round=number) for sample in SAMPLES]
        ledger.add_round("text", number, b"s%d" % number, number, made)
        weights = weigh(ledger.book("text"))
        ledger.add_weights("text", SetWeights(number, ledger.last_sample("text"), weights))
        samples += made
    return ledger, samples


def test_pruning_keeps_the_newest_samples_and_what_rests_on_them(opened):
    ledger, samples = filled(opened)
    ledger.add_round("vision", 1, b"v", 1, SAMPLES)
    assert ledger.prune("text", keep=100) == 0
    assert ledger.samples("text") == samples
    assert ledger.prune("text", keep=4) == 6
    assert ledger.samples("text") == samples[6:]
    assert (ledger.seed("text", 3), ledger.seed("text", 4)) == (None, b"s4")
    assert [taken.height for taken in ledger.weights("text")] == [3, 4, 5]
    assert ledger.next_round("text") == 6
    assert ledger.samples("vision") == SAMPLES


def test_pruning_changes_no_book_and_no_weights(path, opened):
    ledger, samples = filled(opened)
    for keep in (7, 6, 3):
        ledger.prune("text", keep)
        assert ledger.book("text") == replayed(samples)
    ledger.close()
    again = opened()
    base = again.base("text")
    assert base == replayed(samples[:7])
    for taken in again.weights("text"):
        kept = again.samples("text", up_to=taken.last_sample)
        assert weigh(replayed(kept, base)) == taken.weights
    again.close()


def test_pruning_takes_a_bounded_bite_at_a_time(opened):
    ledger, samples = filled(opened)
    assert [ledger.prune("text", keep=1, most=4) for _ in range(4)] == [4, 4, 1, 0]
    assert ledger.samples("text") == samples[-1:]
    assert ledger.prune("text", keep=0) == 1
    assert ledger.book("text") == replayed(samples)
    assert ledger.next_round("text") == 6


def test_the_newest_samples_can_be_had_alone(opened):
    ledger, samples = filled(opened)
    assert ledger.recent("text", 3) == samples[-3:]
    assert ledger.recent("text", 300) == samples


def test_what_became_of_a_claim_is_remembered(opened):
    ledger = opened()
    assert ledger.claim("text", "alice") is None
    ledger.set_claim("text", Claimed("alice", "ab", "", "claim_unknown"))
    said = Claimed("alice", "ab", "smollm2 (Q4_1) by xllamacpp==1", "attested", 12)
    ledger.set_claim("text", said)
    assert ledger.claim("text", "alice") == said
    assert ledger.claim("vision", "alice") is None


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_of_an_older_format_is_brought_to_this_one(path, opened, version):
    with closing(sqlite3.connect(path)) as database:
        checks = "" if version == 1 else ", checks TEXT NOT NULL DEFAULT '{}'"
        database.executescript(f"""
            CREATE TABLE rounds (subnet, round, seed, height, PRIMARY KEY (subnet, round));
            CREATE TABLE samples (
                id INTEGER PRIMARY KEY, subnet, round, uid, hotkey, registered_at, verdict, score,
                reason, latency_ms, first_byte_ms{checks});
            CREATE TABLE weights (id INTEGER PRIMARY KEY, subnet, height, last_sample, weights);
            INSERT INTO samples (subnet, round, uid, hotkey, registered_at, verdict, score, reason,
                latency_ms, first_byte_ms) VALUES
                ('text', 1, 1, 'alice', 5, 'scored', 0.9, '', 12.5, 3.0),
                ('text', 1, 2, 'bob', 6, 'failed', 0.0, 'timeout', 0.0, 0.0);
            PRAGMA user_version = {version};
        """)
    for _ in range(2):
        ledger = opened()
        assert ledger.samples("text") == SAMPLES
        assert (ledger.base("text"), ledger.claim("text", "alice")) == ({}, None)
        ledger.close()
