"""Arithmetic of lent stake: what counts for whom, and who is paid for it."""

from hypothesis import given
from hypothesis import strategies as st

from mycelia.pallets.subtensor.children.kernel import (
    Parent,
    contribution_q32,
    inherited_rao,
    kept_part_q32,
    parted_dividend,
    share_q32,
)
from mycelia.primitives.fixed import ONE_Q32, U64_MAX

A, B = b"a" * 32, b"b" * 32
RAO = st.integers(0, 21 * 10**15)


def test_a_proportion_is_a_share_of_the_largest_number():
    assert share_q32(U64_MAX) == ONE_Q32
    assert share_q32(U64_MAX // 2) == ONE_Q32 // 2 - 1  # rounded down
    assert share_q32(0) == 0


def test_what_is_lent_counts_for_the_child():
    half = U64_MAX // 2
    assert inherited_rao(1_000, [], []) == 1_000
    assert inherited_rao(1_000, [U64_MAX], []) == 0
    assert inherited_rao(1_000, [half], []) == 500
    assert inherited_rao(0, [], [(U64_MAX, 1_000)]) == 1_000
    assert inherited_rao(200, [half], [(half, 1_000), (U64_MAX, 7)]) == 100 + 500 + 7 - 1
    assert kept_part_q32([half, half]) == 2  # two halves, each rounded down
    assert kept_part_q32([U64_MAX]) == 0


def test_a_dividend_follows_the_stake_that_earned_it():
    """Own 100, parent 300 of another owner, take 50 %: 3/4 to the parent, of which the child keeps half."""
    parent = Parent(A, 300 << 32, same_owner=False)
    assert parted_dividend(1_000, 100, [parent], 32_768) == ([374], 625)
    own = Parent(A, 300 << 32, same_owner=True)
    assert parted_dividend(1_000, 100, [own], 32_768) == ([750], 250)
    assert parted_dividend(1_000, 0, [parent], 0) == ([1_000], 0)
    assert parted_dividend(1_000, 100, [], 65_535) == ([], 1_000)


def test_a_contribution_weighs_root_tao():
    assert contribution_q32(1_000, 500, ONE_Q32, ONE_Q32 // 2) == 1_250 << 32
    assert contribution_q32(1_000, 500, ONE_Q32 // 2, 0) == 500 << 32


@given(
    own=RAO,
    dividend=RAO,
    parents=st.lists(st.tuples(RAO, st.booleans()), max_size=6),
    take=st.integers(0, 65_535),
)
def test_no_dividend_grows_by_being_parted(own, dividend, parents, take):
    lenders = [Parent(A, stake << 32, same_owner=same) for stake, same in parents]
    shares, rest = parted_dividend(dividend, own, lenders, take)
    paid = sum(shares) + rest
    assert dividend - len(lenders) - 1 <= paid <= dividend
    assert min([rest, *shares]) >= 0


@given(stake=RAO, cuts=st.lists(st.integers(0, U64_MAX), max_size=5))
def test_no_stake_grows_by_being_lent(stake, cuts):
    lent = []
    for cut in cuts:
        lent.append(min(cut, U64_MAX - sum(lent)))
    kept = inherited_rao(stake, lent, [])
    given_away = sum(inherited_rao(0, [], [(share, stake)]) for share in lent)
    assert stake - 2 * len(lent) - 1 <= kept + given_away <= stake
