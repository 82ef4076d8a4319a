"""Small, rare shortfalls are an honest build's; many, or one great one, are not."""

import numpy as np

from mycelia.subnets.text.verification import Tolerance, follows, strain


def test_the_same_computation_strains_nothing() -> None:
    assert strain(np.zeros(40)) == 0.0
    assert follows(np.zeros(1))


def test_rounding_of_another_honest_build_passes() -> None:
    shortfalls = np.zeros(64)
    shortfalls[[5, 30, 31, 60]] = [0.4, 0.1, 0.2, 0.1]
    assert 0.0 < strain(shortfalls) < 0.5


def test_many_shortfalls_fail_together() -> None:
    assert not follows(np.full(64, 0.2))


def test_one_forged_token_fails_alone() -> None:
    shortfalls = np.zeros(1_000)
    shortfalls[-1] = 3.1
    assert not follows(shortfalls)


def test_the_tolerance_grows_with_the_answer() -> None:
    limit = Tolerance(one_token=9.0, fixed=1.0, per_token=0.1)
    spent = np.array([2.0] + [0.0] * 9)
    assert strain(spent, limit) == 1.0
    assert follows(spent, limit)
    assert not follows(spent[:-1], limit)


def test_a_dull_stretch_makes_up_for_nothing() -> None:
    bad = np.full(64, 0.2)
    assert strain(bad) > 1.0
    assert strain(np.concatenate([bad, np.zeros(400)])) == strain(bad)
    assert strain(np.concatenate([np.zeros(400), bad])) > 1.0
    assert strain(np.zeros(0)) == 0.0
