"""The two layouts: large uids, orders of sorting, and which one is taken."""

from __future__ import annotations

import numpy as np
import pytest

from mycelia.pallets.subtensor.epoch import (
    MYCELIA,
    EpochInput,
    EpochParameters,
    kernel,
    kernel_fast,
    pairs_of,
)
from mycelia.pallets.subtensor.epoch.layouts import (
    SCORE_BITS,
    Block,
    Entries,
    Named,
    layout_for,
    named,
)


def entries_of(rng: np.random.Generator, rows: int, columns: list[int], n: int) -> Named:
    """Random weights of every row on most of the columns."""
    return named(
        {
            row: [(j, int(rng.integers(0, 65_536))) for j in columns if rng.random() < 0.8]
            for row in range(rows)
        },
        range(rows),
        n,
    )


@pytest.mark.parametrize(("rows", "n"), [(7, 50), (2**12, 2**20)])
def test_medians_of_entries_are_those_of_lists(rows: int, n: int) -> None:
    """Also where row, column and score together are too long to be sorted as one number."""
    assert (rows.bit_length() + n.bit_length() + SCORE_BITS > 64) == (n > 50)
    rng = np.random.default_rng(3)
    columns = [0, 1, 17, n - 2, n - 1]
    entries = entries_of(rng, 7, columns, n)
    votes = np.zeros(rows, dtype=np.uint64)
    votes[[0, 2, 3, 6]] = [2**30, 2**31, 2**29, 2**29]
    layout = Entries(rows, n, entries)
    said = {
        (i, j): w for i, j, w in zip(entries.rows, entries.columns, entries.values, strict=True)
    }
    for minority in (-1, 0, 2**29, 2**31, 2**31 + 1, 2**32, 2**33):
        medians = layout.medians(votes, layout.cells(entries), minority)
        for j in columns:
            scores = [int(said.get((i, j), 0)) for i in (0, 2, 3, 6)]
            stake = [int(votes[i]) for i in (0, 2, 3, 6)]
            assert medians[j] == kernel.weighted_median(stake, scores, minority)
        assert not medians[2:17].any()


def test_uids_beyond_16_bits() -> None:
    n = 2**16 + 10
    uids = [1, 2, 70, n - 1]
    epoch = EpochInput(
        block=1_000,
        last_step_block=900,
        emission_rao=10**9,
        stakes_q64=[5 << 64] + [0] * (n - 2) + [3 << 64],
        last_updates=[999] * n,
        registered_at=[10] * n,
        permits=[uid in {0, n - 1} for uid in range(n)],
        weights={0: np.array([[j, 100 + j] for j in uids]), n - 1: [(j, 1 + j % 9) for j in uids]},
        bonds={0: [(n - 1, 9), (70, 9)]},
        parameters=EpochParameters(liquid_alpha=True),
        rules=MYCELIA,
    )
    outcome = kernel_fast.run_epoch(epoch)
    expected = kernel.run_epoch(epoch)
    assert outcome.emissions_rao == expected.emissions_rao
    assert sum(outcome.emissions_rao) > 0
    for uid in (0, n - 1):
        assert pairs_of(outcome.bonds[uid]) == pairs_of(expected.bonds[uid])
    assert dict(pairs_of(outcome.bonds[0]))[n - 1] > 9


def test_large_subnets_with_gaps_are_kept_as_entries() -> None:
    few = named({0: [(1, 2)]}, range(4_000), 4_000)
    assert isinstance(layout_for(64, 256, few), Block)
    assert isinstance(layout_for(4_000, 4_000, few), Entries)
    full = Named(*(np.zeros(4_000_000, dtype=np.int64),) * 2, np.zeros(0, dtype=np.uint64))
    assert isinstance(layout_for(4_000, 4_000, full), Block)
