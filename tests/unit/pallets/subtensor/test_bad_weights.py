"""Every way in which weights can be wrong, by itself: each has its named error, or an outcome that is documented.

The table is what a validator may meet; the files beside this one test each call in full: `test_weights`,
`test_commits` and `test_timelock`, where the beacon's own failures are, too (`docs/sealed-weights.md`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mycelia.pallets.subtensor.commits.kernel import commit_hash
from mycelia.primitives import NetUid

NETUID = NetUid(1)
OWNER = "//Alice_hk1"
MOST_U16, MOST_U64 = 65_535, 2**64 - 1
SALT = [7]
TEMPO = 10


@pytest.fixture
def peopled(world: Any) -> Any:
    """The owner is uid 0, Bob uid 1; weights are set openly."""
    assert world.register("//Bob").succeeded
    assert world.admin("tempo", netuid=1, tempo=TEMPO).succeeded
    return world


@pytest.fixture
def committing(peopled: Any) -> Any:
    """The same where weights are committed first, revealed an epoch later."""
    assert peopled.admin("commit_reveal_weights_enabled", netuid=1, enabled=True).succeeded
    return peopled


def set_row(world: Any, uids: list[int], values: list[int], **changed: Any) -> Any:
    fields = {"netuid": 1, "version_key": 0} | changed
    return world.call(OWNER, "set_weights", dests=uids, weights=values, **fields)


def commit(world: Any, uids: list[int], values: list[int], version: int = 0) -> Any:
    hash_ = commit_hash(world.key(OWNER), 1, uids, values, SALT, version)
    return world.call(OWNER, "commit_weights", netuid=1, commit_hash="0x" + hash_.hex())


def reveal(world: Any, uids: list[int], values: list[int], version: int = 0) -> Any:
    return world.call(
        OWNER,
        "reveal_weights",
        netuid=1,
        uids=uids,
        values=values,
        salt=SALT,
        version_key=version,
    )


def next_epoch(world: Any, epochs: int = 1) -> None:
    schedule = world.pallets.schedule
    target = schedule.index_of(NETUID) + epochs
    while schedule.index_of(NETUID) < target:
        world.seal()


def stored(world: Any) -> list[list[int]] | None:
    rows = world.pallets.rows.rows(NETUID)
    return rows[0].tolist() if 0 in rows else None


BAD_ROWS = {
    "more uids than values": ([0, 1], [1], "WeightVecNotEqualSize"),
    "more values than uids": ([0], [1, 1], "WeightVecNotEqualSize"),
    "values without uids": ([], [1], "WeightVecNotEqualSize"),
    "fewer than are asked for": ([], [], "WeightVecLengthIsLow"),
    "more than there are neurons": ([0, 1, 2], [1, 1, 1], "UidsLengthExceedUidsInSubNet"),
    "a uid twice": ([1, 1], [1, 2], "DuplicateUids"),
    "a uid that nobody holds": ([0, 2], [1, 1], "UidVecContainInvalidOne"),
    "the largest uid there can be": ([0, MOST_U16], [1, 1], "UidVecContainInvalidOne"),
}


@pytest.mark.parametrize(("uids", "values", "error"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_refused(peopled: Any, uids: list[int], values: list[int], error: str) -> None:
    assert set_row(peopled, [0, 1], [1, 3]).succeeded
    kept = stored(peopled)
    assert set_row(peopled, uids, values).error == error
    assert stored(peopled) == kept


@pytest.mark.parametrize(("uids", "values", "error"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_refused_when_it_is_revealed(
    committing: Any, uids: list[int], values: list[int], error: str
) -> None:
    assert commit(committing, uids, values).succeeded  # a hash shows nothing of what it is of
    next_epoch(committing)
    assert reveal(committing, uids, values).error == error
    assert stored(committing) is None


@pytest.mark.parametrize(
    ("uids", "values", "becomes"),
    [
        ([0, 1], [0, 0], [[0, 0], [1, 0]]),
        ([0, 1], [0, 1], [[0, 0], [1, MOST_U16]]),
        ([0, 1], [1, MOST_U16], [[0, 1], [1, MOST_U16]]),
        ([0, 1], [MOST_U16, MOST_U16], [[0, MOST_U16], [1, MOST_U16]]),
    ],
    ids=["nothing but zeros", "a single weight", "far apart", "as large as can be"],
)
def test_extreme_rows_are_stored_and_epochs_run_over_them(
    peopled: Any, uids: list[int], values: list[int], becomes: list[list[int]]
) -> None:
    assert set_row(peopled, uids, values).succeeded
    assert stored(peopled) == becomes
    next_epoch(peopled, 2)
    paid = peopled.pallets.results.emission[NETUID]
    assert 0 <= sum(paid) <= 2 * TEMPO * 10**9


def too_early(world: Any) -> Any:
    assert commit(world, [0], [1]).succeeded
    return reveal(world, [0], [1])


def too_late(world: Any) -> Any:
    assert commit(world, [0], [1]).succeeded
    next_epoch(world, 2)
    return reveal(world, [0], [1])


def never_committed(world: Any) -> Any:
    return reveal(world, [0], [1])


def other_weights(world: Any) -> Any:
    assert commit(world, [0], [1]).succeeded
    next_epoch(world)
    return reveal(world, [0], [2])


def other_version(world: Any) -> Any:
    assert commit(world, [0], [1], MOST_U64).succeeded
    next_epoch(world)
    return reveal(world, [0], [1], MOST_U64 - 1)


def open_instead(world: Any) -> Any:
    return set_row(world, [0], [1])


REVEALS: dict[Callable[[Any], Any], str] = {
    too_early: "RevealTooEarly",
    too_late: "ExpiredWeightCommit",
    never_committed: "NoWeightsCommitFound",
    other_weights: "InvalidRevealCommitHashNotMatch",
    other_version: "InvalidRevealCommitHashNotMatch",
    open_instead: "CommitRevealEnabled",
}


@pytest.mark.parametrize(
    ("attempt", "error"), REVEALS.items(), ids=lambda value: getattr(value, "__name__", value)
)
def test_a_reveal_that_does_not_fit_is_refused(
    committing: Any, attempt: Callable[[Any], Any], error: str
) -> None:
    assert attempt(committing).error == error
    assert stored(committing) is None


def test_a_reveal_that_never_comes_leaves_the_row_that_was_there(committing: Any) -> None:
    assert commit(committing, [0, 1], [1, 1]).succeeded
    next_epoch(committing)
    assert reveal(committing, [0, 1], [1, 1]).succeeded
    kept = stored(committing)
    assert commit(committing, [0, 1], [9, 1]).succeeded
    next_epoch(committing, 3)
    assert stored(committing) == kept
    assert reveal(committing, [0, 1], [9, 1]).error == "ExpiredWeightCommit"


@pytest.mark.parametrize("round_number", [1, MOST_U64])
def test_a_round_that_never_comes_drops_the_row_with_its_epoch(
    committing: Any, round_number: int
) -> None:
    sealed = committing.call(
        OWNER,
        "commit_timelocked_weights",
        netuid=1,
        commit=b"sealed",
        reveal_round=round_number,
        commit_reveal_version=4,
    )
    assert sealed.succeeded
    queues = committing.pallets.rows.timelocked_weight_commits
    next_epoch(committing)
    assert len(list(queues.under(1))) == 1
    next_epoch(committing)
    assert list(queues.under(1)) == []
    assert stored(committing) is None


@pytest.mark.parametrize(("least", "named", "fits"), [(1, 0, False), (1, 1, True), (0, 9, True)])
def test_a_version_key_below_the_subnets_is_refused(
    peopled: Any, least: int, named: int, fits: bool
) -> None:
    assert peopled.admin("weights_version_key", netuid=1, weights_version_key=least).succeeded
    done = set_row(peopled, [0, 1], [1, 1], version_key=named)
    assert done.error == (None if fits else "IncorrectWeightVersionKey")
