import dataclasses

import pytest

from mycelia.neuron.book import (
    AUDITED,
    Identity,
    Sample,
    Standing,
    Verdict,
    WeightPolicy,
    checked,
    current,
    record,
    replayed,
    weigh,
)

ALICE = Identity(1, "alice", 5)


def scored(score: float, miner: Identity = ALICE, latency_ms: float = 10.0) -> Sample:
    return Sample(miner, 1, Verdict.SCORED, score, latency_ms=latency_ms)


def standing(uid: int, quality: float, samples: int = 5) -> Standing:
    return Standing(Identity(uid, f"key{uid}", 0), quality, samples)


def book(**qualities: float) -> dict[int, Standing]:
    return {uid: standing(uid, quality) for uid, quality in enumerate(qualities.values(), start=1)}


def test_first_samples_count_alike_then_the_newest_a_tenth():
    few = replayed([scored(1.0), scored(0.0), scored(0.5)])
    assert few[1].quality == pytest.approx(0.5)
    many = replayed([*[scored(1.0)] * 20, scored(0.0)])
    assert many[1].quality == pytest.approx(0.9)


def test_failure_counts_as_zero_with_its_reason():
    held = replayed([scored(1.0), Sample(ALICE, 2, Verdict.FAILED, 0.0, "timeout")])[1]
    assert (held.quality, held.failures, held.samples, held.reason) == (0.5, 1, 2, "timeout")
    assert held.latency_ms == 10.0


def test_a_miners_own_clock_makes_it_no_quicker():
    bad = dataclasses.replace(scored(0.0, latency_ms=-1e15), reason=AUDITED)
    held = replayed([scored(1.0), bad])[1]
    assert (held.quality, held.samples, held.latency_ms) == (0.5, 2, 10.0)


def test_void_sample_changes_nothing_but_the_reason():
    before = replayed([scored(0.8)])
    after = dict(before)
    record(after, Sample(ALICE, 2, Verdict.VOID, 0.0, "judge_failed"))
    assert dataclasses.replace(after[1], reason="") == before[1]


def test_void_sample_alone_earns_no_weight():
    assert weigh(replayed([Sample(ALICE, 1, Verdict.VOID, 0.0, "judge_failed")])) == {}


@pytest.mark.parametrize("heir", [Identity(1, "bob", 9), Identity(1, "alice", 9)])
def test_reused_uid_starts_afresh(heir):
    held = replayed([scored(1.0), scored(1.0), scored(0.2, heir)])
    assert held[1] == Standing(heir, 0.2, 1, 0, 10.0)


def test_current_drops_those_who_lost_their_uid():
    held = replayed([scored(1.0), scored(0.7, Identity(2, "carol", 5))])
    assert list(current(held, [Identity(1, "alice", 9), Identity(2, "carol", 5)])) == [2]


def test_better_quality_gets_more_and_equal_the_same():
    weights = weigh(book(best=0.95, good=0.8, twin=0.8, fair=0.6))
    assert weights[1] > weights[2] == weights[3] > weights[4] > 0


def test_clear_failures_get_exactly_zero():
    weights = weigh(book(best=0.9, cheat=0.44, canned=0.0))
    assert weights == {1: pytest.approx(0.9**3), 2: 0.0, 3: 0.0}


def test_nobody_is_paid_when_all_fail():
    assert set(weigh(book(a=0.04, b=0.0)).values()) == {0.0}


def test_policy_is_the_whole_rule():
    weights = weigh(book(a=0.9, b=0.3), WeightPolicy(gate=0.2, floor=0.0, sharpness=1))
    assert weights == {1: 0.9, 2: 0.3}


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (None, "gave None"),
        ([1.0], "gave [1.0]"),
        ({3: 1.0}, "to 3, which is no uid"),
        ({1: "all"}, "uid 1 'all'"),
        ({1: float("nan")}, "uid 1 nan"),
        ({1: float("inf")}, "uid 1 inf"),
        ({2: -0.5}, "uid 2 -0.5"),
    ],
)
def test_weights_that_no_chain_takes_are_named(weights, said):
    with pytest.raises(ValueError, match="weigh") as refused:
        checked(weights, book(a=1.0, b=1.0))
    assert said in str(refused.value)


def test_weights_that_a_chain_takes_stay_as_they_are():
    assert checked({1: 0, 2: 0.5}, book(a=1.0, b=1.0)) == {1: 0.0, 2: 0.5}
    assert checked({}, book(a=1.0)) == {}
