"""Simulated pay follows the scores; a bound on an error rate shrinks with the number of trials."""

import pytest

from mycelia.subnets.figures import error_bound, part_time, rank_correlation, shares


def test_equal_scores_earn_the_same_and_cheats_earn_nothing() -> None:
    earned = shares({"a": [1.0], "b": [1.0], "cheat": [0.0]})
    assert earned["a"] == pytest.approx(0.5)
    assert earned["b"] == pytest.approx(0.5)
    assert earned["cheat"] == 0.0


def test_cheating_now_and_then_earns_less_than_honest_work() -> None:
    earned = shares({"honest": [1.0], "part": part_time([1.0] * 5, [0.0] * 5)})
    assert 0.6 < earned["part"] / earned["honest"] < 0.9


def test_part_time_mixes_in_tenths() -> None:
    mixed = part_time([1.0, 1.0, 1.0], [0.0, 0.0], tenths=3)
    assert (mixed.count(1.0), mixed.count(0.0)) == (14, 6)


def test_nobody_earns_if_nobody_is_any_good() -> None:
    assert shares({"a": [0.0], "b": [0.0]}, rounds=20) == {"a": 0.0, "b": 0.0}


@pytest.mark.parametrize(
    ("wrong", "trials", "bound"),
    [(0, 1, 0.95), (0, 1000, 0.002991), (3, 60, 0.124187), (5, 5, 1.0)],
)
def test_bounds_are_those_of_clopper_and_pearson(wrong: int, trials: int, bound: float) -> None:
    assert error_bound(wrong, trials) == pytest.approx(bound, rel=1e-3)


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 90], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        ([1, 2, 3, 4], [1, 3, 2, 4], 0.8),
        ([1, 2, 3, 4], [0, 0, 1, 2], 0.9487),
    ],
)
def test_rank_correlation_is_spearmans(one: list[float], other: list[float], found: float) -> None:
    assert rank_correlation(one, other) == pytest.approx(found, abs=1e-4)
