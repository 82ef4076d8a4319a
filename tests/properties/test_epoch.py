"""The fast epoch kernel is the clear one; and what both promise holds for every subnet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mycelia.pallets.subtensor.epoch import (
    MYCELIA,
    YUMA2,
    YUMA3,
    YUMA3_DENSE,
    EpochInput,
    EpochOutput,
    EpochParameters,
    EpochRules,
    kernel,
    kernel_fast,
    pairs_of,
)
from mycelia.pallets.subtensor.epoch.alpha import exponential, liquid_alpha, speeds_of
from mycelia.pallets.subtensor.epoch.arrays import liquid_alphas, sigmoids
from mycelia.pallets.subtensor.epoch.layouts import Block, Entries, Layout
from mycelia.primitives.fixed import ONE_Q32

U16 = st.one_of(st.sampled_from([0, 1, 2, 32_767, 32_768, 65_534, 65_535]), st.integers(0, 65_535))
STAKE = st.one_of(
    st.sampled_from([0, 1, 2**64, (2**64) * 100, (21 * 10**15) << 64, 2**127 - 1 >> 8]),
    st.integers(0, (21 * 10**15) << 64),
)
HEIGHT = st.integers(0, 12)
PPM = st.sampled_from([0, 1, 900_000, 999_999, 1_000_000, 1_000_001, 2**64 - 1])
STEEPNESS = st.sampled_from([-(2**15), -200, -1, 0, 1, 100, 200, 1_000, 2**15 - 1])


@st.composite
def epochs(draw: st.DrawFn) -> EpochInput:
    """Subnets of up to nine neurons at all the edges: ties, nobody, everybody, nothing, the
    most. Half of them are busy: nearly everybody has a permit and spoke lately.
    """
    n = draw(st.integers(0, 9))
    busy = draw(st.booleans())

    def vector(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=n, max_size=n))

    def matrix() -> dict[int, list[tuple[int, int]]]:
        row = st.dictionaries(st.integers(0, n + 1), U16, min_size=n * busy // 2, max_size=n + 2)
        rows = draw(st.dictionaries(st.integers(0, n), row, min_size=n * busy // 2, max_size=n))
        return {i: list(row.items()) for i, row in rows.items()}

    def usual(value: st.SearchStrategy[Any], other: st.SearchStrategy[Any]) -> Any:
        """One value nine times of ten on a busy subnet."""
        return draw(value if busy and draw(st.integers(0, 9)) else other)

    slow, fast = sorted((draw(U16), draw(U16)))
    alphas = usual(st.just((slow, fast)), st.tuples(U16, U16))
    parameters = EpochParameters(
        tempo_blocks=draw(st.integers(0, 20)),
        activity_cutoff_blocks=usual(st.just(20), st.integers(1, 20)),
        max_validators=usual(st.just(n), st.integers(0, n + 1)),
        kappa_u16=draw(U16),
        bonds_penalty_u16=draw(U16),
        bonds_moving_average_ppm=usual(st.integers(0, 1_000_000), PPM),
        stake_threshold_rao=draw(st.sampled_from([0, 0, 1, 100])),
        liquid_alpha=draw(st.booleans()),
        alpha_low_u16=alphas[0],
        alpha_high_u16=alphas[1],
        alpha_steepness_percent=draw(STEEPNESS | st.integers(-(2**15), 2**15 - 1)),
    )
    equal = draw(st.booleans())
    return EpochInput(
        block=draw(HEIGHT),
        last_step_block=usual(st.integers(6, 12), HEIGHT),
        emission_rao=draw(st.one_of(st.just(2**64 - 1), st.integers(0, 10**12))),
        stakes_q64=[draw(STAKE)] * n if equal else vector(STAKE),
        last_updates=vector(st.integers(4, 12)) if busy else vector(HEIGHT),
        registered_at=vector(st.integers(0, 7)) if busy else vector(HEIGHT),
        permits=vector(st.sampled_from([True] * (1 + 8 * busy) + [False])),
        weights=matrix(),
        bonds=matrix(),
        owner_uid=draw(st.one_of(st.none(), st.integers(0, n))),
        commit_blocks=draw(st.none()) if draw(st.booleans()) else vector(st.none() | HEIGHT),
        parameters=parameters,
        rules=EpochRules(
            usual(st.just(True), st.booleans()), draw(st.booleans()), draw(st.booleans())
        ),
    )


def block(rows: int, n: int, *_sources: object) -> Layout:
    return Block(rows, n)


def plain(outcome: EpochOutput) -> dict[str, Any]:
    fields = dict(vars(outcome))
    fields["bonds"] = {uid: pairs_of(row) for uid, row in outcome.bonds.items()}
    return fields


@settings(max_examples=500, deadline=None)
@given(epochs())
def test_fast_kernel_equals_the_clear_one(epoch: EpochInput) -> None:
    check_equal(epoch)


EXTREMES = np.array([0, 0, 1, 255, 32_767, 32_768, 65_534, 65_535], dtype=np.uint16)


def random_subnet(seed: int, validators: int, miners: int) -> EpochInput:
    """A busy subnet with standing bonds. By seed: rows full or with gaps, values all random or many
    of them extreme, stakes wide apart or equal; under each of the rules.
    """
    rng = np.random.default_rng(seed)
    n = validators + miners
    stakes = rng.integers(1, 10**15, validators) if seed % 3 else np.full(validators, 10**12)
    columns = np.arange(validators, n, dtype=np.uint16)

    def matrix() -> dict[int, Any]:
        values = rng.integers(0, 65_536, (validators, miners), dtype=np.uint16)
        if seed % 2:
            extreme = rng.random(values.shape) < 0.5
            values[extreme] = rng.choice(EXTREMES, int(extreme.sum()))
        share = 0.8 if seed // 4 % 2 else 1
        rows = {}
        for i in range(validators):
            named = rng.random(miners) < share
            rows[i] = np.stack((columns[named], values[i][named]), axis=1)
        return rows

    return EpochInput(
        block=10_000,
        last_step_block=9_900,
        emission_rao=10**11,
        stakes_q64=[int(s) << 64 for s in stakes] + [0] * miners,
        last_updates=[int(b) for b in rng.integers(9_000, 10_000, n)],
        registered_at=[int(b) for b in rng.integers(0, 9_500, n)],
        permits=[uid < validators for uid in range(n)],
        weights=matrix(),
        bonds=matrix(),
        owner_uid=0,
        parameters=EpochParameters(
            bonds_penalty_u16=(0, 12_345, 65_535)[seed % 3],
            liquid_alpha=seed % 5 < 3,
            alpha_low_u16=6_553,
            alpha_high_u16=19_660,
            alpha_steepness_percent=(1_000, 100, 32_767)[seed // 3 % 3],
        ),
        rules=(YUMA2, YUMA3, YUMA3_DENSE, MYCELIA)[seed % 4],
    )


def check_equal(epoch: EpochInput) -> None:
    expected = plain(kernel.run_epoch(epoch))
    assert plain(kernel_fast.run_epoch(epoch, block)) == expected
    assert plain(kernel_fast.run_epoch(epoch, Entries)) == expected


@pytest.mark.parametrize("seed", range(12))
def test_fast_kernel_equals_the_clear_one_at_size(seed: int) -> None:
    check_equal(random_subnet(seed, validators=(1, 17, 48)[seed % 3], miners=60))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(101, 106))
def test_fast_kernel_equals_the_clear_one_on_large_subnets(seed: int) -> None:
    check_equal(random_subnet(seed, validators=512, miners=512))


SHARE = st.one_of(
    st.sampled_from([0, 1, ONE_Q32 // 2 - 1, ONE_Q32 // 2, ONE_Q32 - 1, ONE_Q32]),
    st.integers(0, ONE_Q32),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(SHARE, SHARE, SHARE), max_size=20), U16, U16, STEEPNESS)
def test_speeds_on_arrays_are_the_clear_ones(
    shares: list[tuple[int, int, int]], one: int, other: int, steepness: int
) -> None:
    low, high = sorted((one, other))
    speeds = speeds_of(
        EpochParameters(alpha_low_u16=low, alpha_high_u16=high, alpha_steepness_percent=steepness)
    )
    consensus, weights, bonds = np.array(shares, dtype=np.uint64).reshape(-1, 3).T
    found = liquid_alphas(consensus, weights, bonds, speeds).tolist()
    assert found == [liquid_alpha(*share, speeds) for share in shares]


def test_exponentials_with_a_value_of_their_own() -> None:
    """e^0 and e^1 are exact constants of the rules; beside them the series speaks."""
    exponents = [0, 1, -1, ONE_Q32 - 1, ONE_Q32, ONE_Q32 + 1, -ONE_Q32, 20 << 32, -20 << 32]
    found = sigmoids(np.array(exponents, dtype=np.int64)).tolist()
    assert found == [(1 << 64) // (ONE_Q32 + exponential(x)) for x in exponents]


@settings(max_examples=150, deadline=None)
@given(epochs())
def test_no_epoch_pays_more_than_its_emission(epoch: EpochInput) -> None:
    outcome = kernel_fast.run_epoch(epoch)
    paid = sum(outcome.server_emissions_rao) + sum(outcome.validator_emissions_rao)
    assert epoch.parameters.bonds_moving_average_ppm > 10**6 or paid <= epoch.emission_rao


def pivot_median(stake: list[int], score: list[int], minority: int) -> int:
    """The original's search: go to the side of a pivot that holds the median, until neither
    does.
    """
    part, low, high = list(range(len(stake))), 0, sum(stake)
    while len(part) > 1:
        pivot = score[part[len(part) // 2]]
        lower = [i for i in part if score[i] < pivot]
        upper = [i for i in part if score[i] > pivot]
        low_end, high_end = low + sum(stake[i] for i in lower), high - sum(stake[i] for i in upper)
        if lower and minority < low_end:
            part, high = lower, low_end
        elif upper and high_end <= minority:
            part, low = upper, high_end
        else:
            return pivot
    return score[part[0]] if part else 0


@given(
    st.lists(
        st.tuples(st.integers(1, ONE_Q32), st.sampled_from([0, 1, 5, 9, ONE_Q32])), max_size=9
    ),
    st.integers(-2, 9 * ONE_Q32),
)
def test_sorted_median_is_the_original_pivot_search(
    voters: list[tuple[int, int]], minority: int
) -> None:
    stake, score = [s for s, _ in voters], [w for _, w in voters]
    for line in (minority, sum(stake) // 2, sum(stake), sum(stake[:1])):
        expected = pivot_median(stake, score, line)
        assert kernel.weighted_median(stake, score, line) == expected
