import dataclasses
import sqlite3

import pytest

from mycelia.neuron.book import Identity, Sample, Verdict, current, replayed, weigh
from mycelia.neuron.ledger import Ledger, LedgerError, SetWeights

ALICE, BOB = Identity(1, "alice", 5), Identity(2, "bob", 6)
SAMPLES = [
    Sample(ALICE, 1, Verdict.SCORED, 0.9, latency_ms=12.5, first_byte_ms=3.0),
    Sample(BOB, 1, Verdict.FAILED, 0.0, "timeout"),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite"


def test_rounds_survive_a_restart(path):
    ledger = Ledger(path)
    ledger.add_round("text", 1, b"seed", 7, SAMPLES)
    ledger.close()
    again = Ledger(path)
    assert again.samples("text") == SAMPLES
    assert again.next_round("text") == 2
    assert again.next_round("vision") == 1
    assert again.seed("text", 1) == b"seed"
    assert again.seed("text", 2) is None
    assert again.book("text") == replayed(SAMPLES)


def test_weights_can_be_recomputed_from_the_samples_they_rest_on(path):
    ledger = Ledger(path)
    ledger.add_round("text", 1, b"a", 7, SAMPLES)
    weights, last = weigh(ledger.book("text")), ledger.last_sample("text")
    ledger.add_round("text", 2, b"b", 9, [Sample(ALICE, 2, Verdict.SCORED, 0.1)])
    ledger.add_weights("text", SetWeights(8, last, weights))
    (taken,) = ledger.weights("text")
    assert taken.height == 8
    book = replayed(ledger.samples("text", up_to=taken.last_sample))
    assert weigh(current(book, [ALICE, BOB])) == taken.weights == weights


def test_a_round_is_recorded_whole_or_not_at_all(path):
    ledger = Ledger(path)
    ledger.add_round("text", 1, b"a", 7, SAMPLES)
    with pytest.raises(sqlite3.IntegrityError):
        ledger.add_round("text", 1, b"again", 8, SAMPLES)
    assert ledger.samples("text") == SAMPLES
    assert ledger.seed("text", 1) == b"a"


def test_readers_look_on_while_the_validator_writes(path):
    ledger = Ledger(path)
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as reader:
        ledger.add_round("text", 1, b"a", 7, SAMPLES)
        assert reader.execute("SELECT count(*) FROM samples").fetchone() == (2,)


def test_corrupt_file_is_refused_with_a_remedy(path):
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(LedgerError) as refused:
        Ledger(path)
    assert refused.value.code == "ledger_unreadable"
    assert str(path) in refused.value.remedy


def test_newer_file_is_refused_with_a_remedy(path):
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError) as refused:
        Ledger(path)
    assert refused.value.code == "ledger_newer"
    assert refused.value.remedy


def test_pruning_keeps_the_newest_samples_and_nothing_that_rests_on_others(path):
    ledger = Ledger(path)
    rounds = {n: [dataclasses.replace(sample, round=n) for sample in SAMPLES] for n in range(1, 6)}
    for number, samples in rounds.items():
        ledger.add_round("text", number, b"s%d" % number, number, samples)
        ledger.add_weights("text", SetWeights(number, ledger.last_sample("text"), {1: 1.0}))
    ledger.add_round("vision", 1, b"v", 1, SAMPLES)
    ledger.prune("text", keep=100)
    assert len(ledger.samples("text")) == 10
    ledger.prune("text", keep=4)
    assert ledger.samples("text") == rounds[4] + rounds[5]
    assert (ledger.seed("text", 2), ledger.seed("text", 5)) == (None, b"s5")
    assert ledger.weights("text") == []
    assert ledger.next_round("text") == 6
    assert ledger.samples("vision") == SAMPLES
