import pytest

from mycelia.neuron.book import KNOWN_SAMPLES, Identity, Sample, Verdict, weigh
from mycelia.neuron.statement import statement

BEST, MIDDLE, LOW = (Identity(uid, f"key{uid}", 0) for uid in (1, 2, 3))


def scored(miner, score, count=KNOWN_SAMPLES, **checks):
    return [Sample(miner, 1, Verdict.SCORED, score, checks=checks)] * count


def failed(miner, reason, count=1):
    return [Sample(miner, 1, Verdict.FAILED, 0.0, reason)] * count


SAMPLES = [
    *scored(BEST, 0.9),
    *scored(LOW, 0.2),
    *failed(MIDDLE, "timeout", 5),
    *scored(MIDDLE, 0.8, 15, exact=0.7, fast=0.9),
    Sample(MIDDLE, 1, Verdict.VOID, 0.0, "judge_failed"),
]


def changes(found):
    return {change.what.partition(",")[0]: change.share for change in found.changes}


def test_it_says_where_a_miner_stands_and_why():
    found = statement(SAMPLES, "key2", weigh)
    assert (found.rank, found.miners, found.is_known) == (2, 3, True)
    assert found.outcomes == {"timeout": 5, "scored": 15, "judge_failed": 1}
    assert found.checks == pytest.approx({"exact": 0.7, "fast": 0.9})
    assert (found.standing.samples, found.standing.failures) == (20, 5)


def test_it_says_what_would_change_it():
    found = statement(SAMPLES, "key2", weigh)
    shares = changes(found)
    assert found.share < shares["had no sample failed"] < shares["perfect"]
    assert shares["as good as the next better one"] == pytest.approx(0.5)


def test_whoever_gets_nothing_learns_the_least_that_pays():
    found = statement(SAMPLES, "key3", weigh)
    assert found.share == 0.0
    (least,) = [c for c in found.changes if c.what.startswith("just enough")]
    assert least.what == "just enough to earn anything, quality 0.450"
    assert least.share > 0.0


def test_the_best_hears_of_nobody_better():
    assert set(changes(statement(SAMPLES, "key1", weigh))) == {"perfect"}


def test_a_newcomer_is_not_known_and_a_stranger_has_none():
    found = statement([*SAMPLES, *scored(Identity(4, "key4", 9), 0.5, 3)], "key4", weigh)
    assert not found.is_known
    assert statement(SAMPLES, "key5", weigh) is None
