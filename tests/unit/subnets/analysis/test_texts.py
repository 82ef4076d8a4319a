"""Composed texts are fresh, of many lengths, and filled in."""

import random

from mycelia.subnets.analysis.subnet import challenge_ask
from mycelia.subnets.analysis.texts import AREAS, labelled, request


def test_a_seed_makes_one_request_and_no_two_are_alike() -> None:
    assert request(random.Random(1)) == request(random.Random(1))
    drawn = [text for seed in range(300) for text in request(random.Random(seed))]
    assert len(set(drawn)) > 0.95 * len(drawn)


def test_texts_are_of_many_lengths_and_leave_no_slot_open() -> None:
    rng = random.Random(2)
    drawn = [text for _ in range(500) for text in request(rng)]
    assert not any("{" in text or "}" in text for text in drawn)
    words = sorted(len(text.split()) for text in drawn)
    assert words[0] < 6
    assert words[-1] > 200
    assert sum(count > 15 for count in words) > 0.35 * len(words)


def test_labels_are_distinct_and_have_examples() -> None:
    rng = random.Random(3)
    for _ in range(100):
        texts, classes = labelled(rng)
        assert texts
        assert len({label for label, _ in classes}) == len(classes) >= 2
        assert all(examples for _, examples in classes)


def test_no_two_areas_share_a_label() -> None:
    labels = [label for area in AREAS for label in area.labels]
    assert len(set(labels)) == len(labels)


def test_both_kinds_of_challenges_are_drawn() -> None:
    rng = random.Random(4)
    drawn = [challenge_ask(rng) for _ in range(200)]
    assert 0.25 < sum(bool(ask.classes) for ask in drawn) / len(drawn) < 0.55
