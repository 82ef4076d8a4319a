"""What Yuma 3 is known to allow, and that our own rules do not: the same worlds under each.

The figures for Yuma 3 document how the compatible rules behave; they are no aims.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

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

Kernel = Callable[[EpochInput], EpochOutput]

MINERS = 20
LIKED_BY_THE_ATTACKER = 9
UNIT = 10**12


def world(
    rules: EpochRules,
    stakes: list[int],
    rows: list[list[int]],
    bonds: Any = (),
    **parameters: Any,
) -> EpochInput:
    """Validators with these stakes and weights, then miners; all are active and permitted."""
    validators, n = len(stakes), len(stakes) + len(rows[0])
    weights = [[(validators + j, w) for j, w in enumerate(row) if w] for row in rows]
    return EpochInput(
        block=1_000,
        last_step_block=900,
        emission_rao=2 * UNIT,
        stakes_q64=[stake << 64 for stake in stakes] + [0] * (n - validators),
        last_updates=[999] * n,
        registered_at=[10] * n,
        permits=[uid < validators for uid in range(n)],
        weights=dict(enumerate(weights)),
        bonds=dict(bonds),
        parameters=EpochParameters(max_validators=validators, **parameters),
        rules=rules,
    )


def dividend(outcome: EpochOutput, uids: range) -> float:
    """Share of all dividends; validators together get half of the emission."""
    return sum(outcome.validator_emissions_rao[uid] for uid in uids) / UNIT


def attack(rules: EpochRules, beta_u16: int, *, dust: int, parts: int = 1) -> tuple[float, float]:
    """Ten honest validators of 8 % weigh all miners alike. An attacker of 20 %, in some parts,
    weighs nine only, and dust of 0.01 % each weighs the others, where it dilutes the honest.

    Returns the attacker's share of dividends and its share of stake, without the dust.
    """
    liked = [65_535] * LIKED_BY_THE_ATTACKER + [0] * (MINERS - LIKED_BY_THE_ATTACKER)
    others = [65_535 - w for w in liked]
    stakes = [80_000] * 10 + [200_000 // parts] * parts + [100] * dust
    rows = [[65_535] * MINERS] * 10 + [liked] * parts + [others] * dust
    outcome = kernel_fast.run_epoch(world(rules, stakes, rows, bonds_penalty_u16=beta_u16))
    return dividend(outcome, range(10, 10 + parts)), 200_000 / sum(stakes)


@pytest.mark.parametrize(
    ("rules", "beta_u16", "without", "with_dust"),
    [
        (YUMA3, 0, 0.202, 0.332),
        (YUMA3, 65_535, 0.108, 0.175),
        (YUMA2, 65_535, 0.101, 0.101),
    ],
)
def test_under_yuma3_dust_lifts_whom_it_leaves_alone(
    rules: EpochRules, beta_u16: int, without: float, with_dust: float
) -> None:
    assert attack(rules, beta_u16, dust=0)[0] == pytest.approx(without, abs=1e-3)
    assert attack(rules, beta_u16, dust=50)[0] == pytest.approx(with_dust, abs=1e-3)


@pytest.mark.parametrize("beta_u16", [0, 32_768, 65_535])
@pytest.mark.parametrize("dust", [1, 10, 50, 100])
def test_under_mycelia_dust_lifts_nobody(beta_u16: int, dust: int) -> None:
    earned, stake = attack(MYCELIA, beta_u16, dust=0)
    earned_then, stake_then = attack(MYCELIA, beta_u16, dust=dust)
    assert earned_then / stake_then == pytest.approx(earned / stake, rel=0.01)


def dividends_when_all_follow(dust_rao: int, bonds_penalty_u16: int) -> float:
    """The dust's share of dividends when all others turn to the miner that it has backed alone."""
    stakes, bonds = [500_000, 490_000, dust_rao], {}
    for followed in (False, True):
        rows = [[0, 65_535] if followed else [65_535, 0]] * 2 + [[0, 65_535]]
        epochs = 1 if followed else 60
        for _ in range(epochs):
            epoch = world(MYCELIA, stakes, rows, bonds, bonds_penalty_u16=bonds_penalty_u16)
            outcome = kernel_fast.run_epoch(epoch)
            bonds = {uid: pairs_of(row) for uid, row in outcome.bonds.items()}
    return dividend(outcome, range(2, 3))


def test_under_mycelia_dust_is_paid_for_being_early_only_without_the_penalty() -> None:
    """A hundredth of the stake that all others follow holds a whole bond where they hold a tenth."""
    dust_rao = 10_000
    assert dividends_when_all_follow(dust_rao, 65_535) == pytest.approx(0.01, abs=1e-4)
    assert dividends_when_all_follow(dust_rao, 0) == pytest.approx(0.0916, abs=1e-3)


def test_under_yuma3_parts_of_a_validator_earn_less_than_the_whole() -> None:
    shares = [attack(YUMA3, 0, dust=0, parts=parts)[0] for parts in (1, 2, 5, 20)]
    assert shares == pytest.approx([0.202, 0.187, 0.153, 0.081], abs=1e-3)


@pytest.mark.parametrize("beta_u16", [0, 32_768, 65_535])
def test_under_mycelia_parts_earn_what_the_whole_did(beta_u16: int) -> None:
    whole = attack(MYCELIA, beta_u16, dust=0)[0]
    for parts in (2, 5, 20, 100):
        assert attack(MYCELIA, beta_u16, dust=0, parts=parts)[0] == pytest.approx(whole, rel=1e-6)


FLEEING = {"liquid_alpha": True, "alpha_low_u16": 6_553, "alpha_high_u16": 19_660}


def bonds_after_the_largest_left(rules: EpochRules, **parameters: Any) -> list[int]:
    """All bonds on a miner are 41913 when the largest of three validators stops naming it."""
    bonds = {uid: [(3, 41_913), (4, 20_956)] for uid in range(3)}
    rows = [[0, 65_535], [65_535, 32_767], [65_535, 32_767]]
    outcome = kernel_fast.run_epoch(world(rules, [6, 3, 1], rows, bonds, **parameters))
    return [dict(pairs_of(outcome.bonds[uid])).get(3, 0) for uid in range(3)]


def test_under_yuma3_one_absence_of_the_largest_takes_all_bonds_from_all() -> None:
    assert bonds_after_the_largest_left(YUMA3, **FLEEING) == [0, 0, 0]


@pytest.mark.parametrize("beta_u16", [0, 1, 32_768, 65_534, 65_535])
def test_under_mycelia_an_absence_costs_no_more_than_the_fastest_speed(beta_u16: int) -> None:
    bonds = bonds_after_the_largest_left(MYCELIA, bonds_penalty_u16=beta_u16, **FLEEING)
    assert bonds[0] == 31_003
    assert min(bonds) >= 41_913 * (65_535 - 19_660) // 65_535
    plain = bonds_after_the_largest_left(MYCELIA, bonds_penalty_u16=beta_u16)
    assert min(plain) >= 41_913 * 9 // 10


def backwards(epoch: EpochInput) -> EpochInput:
    """The same epoch with rows that name their miners from last to first."""
    weights = {uid: list(reversed(pairs_of(row))) for uid, row in epoch.weights.items()}
    return EpochInput(**{**vars(epoch), "weights": weights})


@pytest.mark.parametrize(("rules", "matters"), [(YUMA2, False), (YUMA3, True), (MYCELIA, False)])
def test_in_which_order_a_row_names_its_miners(rules: EpochRules, matters: bool) -> None:
    bonds = {uid: [(3, 60_000), (4, 1_000)] for uid in range(3)}
    rows = [[20_000, 65_535], [65_535, 32_767], [65_535, 32_767]]
    epoch = world(rules, [6, 3, 1], rows, bonds, **FLEEING)
    forth, back = kernel_fast.run_epoch(epoch), kernel_fast.run_epoch(backwards(epoch))
    sorted_back = {uid: sorted(pairs_of(row)) for uid, row in back.bonds.items()}
    differ = sorted_back != {uid: pairs_of(row) for uid, row in forth.bonds.items()}
    assert differ == matters


both_kernels = pytest.mark.parametrize(
    "run_epoch", [kernel.run_epoch, kernel_fast.run_epoch], ids=["clear", "fast"]
)


@both_kernels
def test_rows_are_read_forward_only_and_stored_as_named(run_epoch: Kernel) -> None:
    """Yuma 3 with liquid alpha: the speed of a smaller uid named after a larger one is found as if
    it had no weight and no bond; it is bought all the same.
    """
    bonds = {0: [(4, 1_000), (3, 60_000)]}
    row = [20_000, 65_535]
    epoch = backwards(world(YUMA3, [6, 3, 1], [row] * 3, bonds, bonds_penalty_u16=0, **FLEEING))
    ordered = world(
        YUMA3, [6, 3, 1], [row] * 3, {0: bonds[0][::-1]}, bonds_penalty_u16=0, **FLEEING
    )
    found = pairs_of(run_epoch(epoch).bonds[0])
    assert [j for j, _ in found] == [4, 3]
    slow = 60_000 + (65_535 * 20_000 // 85_535 - 60_000) * 435_213_075 / 2**32
    assert dict(found)[3] == pytest.approx(slow, abs=1)
    fast = dict(pairs_of(run_epoch(ordered).bonds[0]))
    assert fast[3] < dict(found)[3] - 5_000
    assert fast[4] == dict(found)[4]


@both_kernels
@pytest.mark.parametrize("rules", [YUMA3, YUMA3_DENSE, MYCELIA])
def test_a_whole_bond_stays_whole(rules: EpochRules, run_epoch: Kernel) -> None:
    for liquid in (False, True):
        epoch = world(rules, [5], [[65_535]], {0: [(1, 65_535)]}, liquid_alpha=liquid)
        assert pairs_of(run_epoch(epoch).bonds[0]) == [(1, 65_535)]


def test_a_price_beyond_all_bounds_is_still_exact() -> None:
    """Bonds that stand still, on a miner that only dust holds: the fast kernel gives way."""
    epoch = world(
        MYCELIA,
        [2**40, 300],
        [[0, 65_535], [65_535, 0]],
        {0: [(2, 1)], 1: [(3, 1)]},
        bonds_moving_average_ppm=1_000_000,
    )
    outcome = kernel_fast.run_epoch(epoch)
    assert outcome.validator_emissions_rao == kernel.run_epoch(epoch).validator_emissions_rao
    assert outcome.dividends_u16[:2] == (0, 65_535)
