"""The fast epoch kernel is the clear one; and what both promise holds for every subnet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mycelia.pallets.subtensor.epoch import (
    EpochInput,
    EpochOutput,
    EpochParameters,
    kernel,
    kernel_fast,
    pairs_of,
)
from mycelia.primitives.fixed import ONE_Q32

U16 = st.one_of(st.sampled_from([0, 1, 2, 32_767, 32_768, 65_534, 65_535]), st.integers(0, 65_535))
STAKE = st.one_of(
    st.sampled_from([0, 1, 2**64, (2**64) * 100, (21 * 10**15) << 64, 2**127 - 1 >> 8]),
    st.integers(0, (21 * 10**15) << 64),
)
HEIGHT = st.integers(0, 12)


@st.composite
def epochs(draw: st.DrawFn) -> EpochInput:
    """Subnets of up to nine neurons at all the edges: ties, nobody, everybody, nothing, the
    most.
    """
    n = draw(st.integers(0, 9))

    def vector(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=n, max_size=n))

    def matrix() -> dict[int, list[tuple[int, int]]]:
        row = st.dictionaries(st.integers(0, n + 1), U16, max_size=n + 2)
        rows = draw(st.dictionaries(st.integers(0, n), row, max_size=n))
        return {i: list(row.items()) for i, row in rows.items()}

    parameters = EpochParameters(
        tempo_blocks=draw(st.integers(0, 20)),
        activity_cutoff_blocks=draw(st.integers(1, 20)),
        max_validators=draw(st.integers(0, n + 1)),
        kappa_u16=draw(U16),
        bonds_penalty_u16=draw(U16),
        bonds_moving_average_ppm=draw(
            st.one_of(
                st.sampled_from([0, 1, 900_000, 999_999, 1_000_000, 1_000_001, 2**64 - 1]),
                st.integers(0, 1_000_000),
            )
        ),
        stake_threshold_rao=draw(st.sampled_from([0, 0, 1, 100])),
    )
    equal = draw(st.booleans())
    return EpochInput(
        block=draw(HEIGHT),
        last_step_block=draw(HEIGHT),
        emission_rao=draw(st.one_of(st.just(2**64 - 1), st.integers(0, 10**12))),
        stakes_q64=[draw(STAKE)] * n if equal else vector(STAKE),
        last_updates=vector(HEIGHT),
        registered_at=vector(HEIGHT),
        permits=vector(st.booleans()),
        weights=matrix(),
        bonds=matrix(),
        owner_uid=draw(st.one_of(st.none(), st.integers(0, n))),
        commit_blocks=draw(st.none()) if draw(st.booleans()) else vector(st.none() | HEIGHT),
        parameters=parameters,
    )


def plain(outcome: EpochOutput) -> dict[str, Any]:
    fields = dict(vars(outcome))
    fields["bonds"] = {uid: pairs_of(row) for uid, row in outcome.bonds.items()}
    return fields


@settings(max_examples=250, deadline=None)
@given(epochs())
def test_fast_kernel_equals_the_clear_one(epoch: EpochInput) -> None:
    assert plain(kernel_fast.run_epoch(epoch)) == plain(kernel.run_epoch(epoch))


def random_subnet(seed: int, validators: int, miners: int) -> EpochInput:
    """A busy subnet with noisy weights and standing bonds."""
    rng = np.random.default_rng(seed)
    n = validators + miners
    stakes = [int(s) << 64 for s in rng.integers(10**9, 10**15, validators)] + [0] * miners
    columns = np.arange(validators, n, dtype=np.uint16)

    def matrix() -> dict[int, Any]:
        values = rng.integers(0, 65_536, (validators, miners), dtype=np.uint16)
        return {i: np.stack((columns, values[i]), axis=1) for i in range(validators)}

    return EpochInput(
        block=10_000,
        last_step_block=9_900,
        emission_rao=10**11,
        stakes_q64=stakes,
        last_updates=[int(b) for b in rng.integers(9_000, 10_000, n)],
        registered_at=[int(b) for b in rng.integers(0, 9_500, n)],
        permits=[uid < validators for uid in range(n)],
        weights=matrix(),
        bonds=matrix(),
        owner_uid=0,
    )


def test_fast_kernel_equals_the_clear_one_at_size() -> None:
    for seed, beta in enumerate((0, 12_345, 65_535)):
        epoch = random_subnet(seed, validators=48, miners=100)
        epoch = replace(epoch, parameters=EpochParameters(bonds_penalty_u16=beta))
        assert plain(kernel_fast.run_epoch(epoch)) == plain(kernel.run_epoch(epoch))


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
