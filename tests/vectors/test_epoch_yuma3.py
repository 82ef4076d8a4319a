"""Yuma 3 gives the tables and raw numbers of the original, in both kernels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mycelia.pallets.subtensor.epoch import (
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
from mycelia.pallets.subtensor.epoch.bonds import (
    bonds_alpha,
    liquid_alphas,
    liquid_average,
    moving_average,
)
from mycelia.primitives.fixed import ONE_Q32, q32_of_u16_share
from tests.vectors.epoch_subnet import Kernel, Subnet

DATA = Path(__file__).parent / "data"
YUMA3_TABLES = json.loads((DATA / "epoch_yuma3.json").read_text())
RAW = json.loads((DATA / "epoch_raw.json").read_text())
COMMITS = json.loads((DATA / "epoch_commits.json").read_text())

both_kernels = pytest.mark.parametrize(
    "run_epoch", [kernel.run_epoch, kernel_fast.run_epoch], ids=["clear", "fast"]
)
RAW_SPEEDS = {
    name: RAW[name] for name in ("alpha_low_u16", "alpha_high_u16", "alpha_steepness_percent")
}


def named(records: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("record", records, ids=lambda record: record["name"])


@both_kernels
@pytest.mark.parametrize("rules", [YUMA3, YUMA3_DENSE], ids=["sparse", "dense"])
@named(YUMA3_TABLES["tables"])
def test_table(record: dict[str, Any], rules: EpochRules, run_epoch: Kernel) -> None:
    tolerance, floored = YUMA3_TABLES["tolerance"], floored_cells(record)
    subnet = Subnet(
        stakes=list(record["stakes"]),
        registered_at=[1] * len(record["stakes"]),
        parameters=EpochParameters(
            liquid_alpha=record["liquid_alpha"], **YUMA3_TABLES["parameters"]
        ),
        rules=rules,
        block=2,
    )
    subnet.run_epoch(run_epoch)
    miners = range(3, len(record["stakes"]))
    for number, step in enumerate(record["epochs"]):
        for uid, weights in enumerate(step.get("weights", ())):
            subnet.set_weights(uid, list(zip(miners, weights, strict=True)))
        if "reset_bonds" in step:
            subnet.reset_bonds(step["reset_bonds"])
        subnet.block += 1
        outcome = subnet.run_epoch(run_epoch)
        for uid, dividend in enumerate(step.get("dividends", ())):
            assert outcome.dividends_u16[uid] / 65_535 == pytest.approx(dividend, abs=tolerance)
        for uid, row in enumerate(step.get("bonds", ())):
            bonds = dict(pairs_of(outcome.bonds[uid]))
            for j, bond in zip(miners, row, strict=True):
                if grown := floored.get((number, uid, j)):
                    check_floored(bonds[j], bond, grown)
                else:
                    assert bonds.get(j, 0) / 65_535 == pytest.approx(bond, abs=tolerance)


def floored_cells(record: dict[str, Any]) -> dict[tuple[int, int, int], int]:
    return {
        (cell["epoch"], cell["uid"], cell["miner"]): cell["grown"]
        for cell in record.get("floored", ())
    }


def check_floored(found_u16: int, published: float, grown: int) -> None:
    """A bond that is further from its table than four decimals explain: by 1.12e-4 at most.

    As a real number it has the table's decimals; rounded down to 16 bits after each epoch, as the
    chain does, it is what we find.
    """
    alpha = liquid_alpha(0, 0, 0, speeds_of(EpochParameters(**RAW_SPEEDS))) / ONE_Q32
    real, stored_u16 = 0.0, 0
    for _ in range(grown):
        real = real + alpha * (1 - real)
        stored_u16 = int(stored_u16 + alpha * (65_535 - stored_u16))
    assert round(real, 4) == published
    assert found_u16 == stored_u16
    assert 1.1e-4 < published - found_u16 / 65_535 < 1.12e-4


def test_raw_values() -> None:
    assert q32_of_u16_share(RAW["kappa_u16"]) == RAW["kappa_q32"]
    assert bonds_alpha(RAW["bonds_moving_average_ppm"]) == RAW["bonds_alpha_q32"]
    for case in RAW["exponentials"]:
        assert exponential(case["exponent_q32"]) == case["value_q32"]
    speeds = speeds_of(EpochParameters(**RAW_SPEEDS))
    for case in RAW["liquid_alphas"]:
        assert liquid_alpha(0, case["ahead_q32"], 0, speeds) == case["alpha_q32"]
        assert liquid_alpha(0, case["ahead_q32"], case["ahead_q32"], speeds) == case["alpha_q32"]
        assert liquid_alpha(ONE_Q32, 0, case["ahead_q32"], speeds) == case["alpha_q32"]


@both_kernels
@pytest.mark.parametrize("case", RAW["ties"])
def test_a_tie_is_decided_by_one_unit_of_kappa(case: dict[str, Any], run_epoch: Kernel) -> None:
    outcome = run_epoch(
        epoch_of([5, 5, 0, 0], {0: [(2, 65_535)], 1: [(3, 65_535)]}, kappa_u16=case["kappa_u16"])
    )
    assert list(outcome.consensus_u16[2:]) == case["consensus_u16"]
    assert list(outcome.incentives_u16[2:]) == case["incentive_u16"]


@both_kernels
@pytest.mark.parametrize("case", RAW["absences"])
def test_an_absence(case: dict[str, Any], run_epoch: Kernel) -> None:
    before, after = bonds_around_an_absence(case, YUMA3, run_epoch)
    assert before[0] == case["before"]
    assert after[0] == case["after"]
    if "others_after" in case:
        assert after[1:] == [case["others_after"]] * 2


@both_kernels
@pytest.mark.parametrize("case", [case for case in RAW["absences"] if case["liquid"]])
def test_an_absence_on_full_matrices(case: dict[str, Any], run_epoch: Kernel) -> None:
    _, after = bonds_around_an_absence(case, YUMA3_DENSE, run_epoch)
    assert after[0] == RAW["absences_dense_after"]


def bonds_around_an_absence(
    case: dict[str, Any], rules: EpochRules, run_epoch: Kernel
) -> tuple[list[int], list[int]]:
    """Stored bonds of three validators on miner 3 before and after the largest one leaves it."""

    def play(bonds: Any) -> EpochOutput:
        return run_epoch(
            epoch_of(
                [6, 3, 1, 0, 0],
                weights,
                rules=rules,
                bonds=bonds,
                liquid_alpha=case["liquid"],
                bonds_penalty_u16=case["penalty_u16"],
                **RAW_SPEEDS,
            )
        )

    weights = {uid: [(3, 65_535), (4, 32_767)] for uid in range(3)}
    outcome = play({})
    for _ in range(RAW["epochs"] - 1):
        outcome = play(outcome.bonds)
    before = [dict(pairs_of(outcome.bonds[uid])).get(3, 0) for uid in range(3)]
    weights[0] = [(3, 0), (4, 65_535)] if case["named"] else [(4, 65_535)]
    outcome = play(outcome.bonds)
    return before, [dict(pairs_of(outcome.bonds[uid])).get(3, 0) for uid in range(3)]


def epoch_of(stakes: list[int], weights: Any, **changed: Any) -> EpochInput:
    """Everybody with stake has a permit and spoke just now; all registered long ago."""
    rules, bonds = changed.pop("rules", YUMA3), changed.pop("bonds", {})
    return EpochInput(
        block=1_000,
        last_step_block=900,
        emission_rao=10**9,
        stakes_q64=[stake << 64 for stake in stakes],
        last_updates=[999] * len(stakes),
        registered_at=[10] * len(stakes),
        permits=[stake > 0 for stake in stakes],
        weights=weights,
        bonds=bonds,
        parameters=EpochParameters(**changed),
        rules=rules,
    )


def test_one_speed_for_all_is_the_plain_average() -> None:
    case = RAW["equal_speeds"]

    def rows(name: str) -> list[dict[int, int]]:
        return [{j: round(v * ONE_Q32) for j, v in enumerate(row)} for row in case[name]]

    weights, bonds = rows("weights"), rows("bonds")
    consensus = [round(share * ONE_Q32) for share in case["consensus"]]
    alpha = case["alpha_u16"]
    speeds = speeds_of(EpochParameters(alpha_low_u16=alpha, alpha_high_u16=alpha))
    alphas = liquid_alphas(weights, bonds, consensus, speeds, absent_decay=True)
    liquid = liquid_average(weights, bonds, alphas)
    plain = moving_average(weights, bonds, bonds_alpha(900_000))
    for liquid_row, plain_row in zip(liquid, plain, strict=True):
        assert liquid_row.keys() == plain_row.keys()
        for j, bond in liquid_row.items():
            assert bond / ONE_Q32 == pytest.approx(plain_row[j] / ONE_Q32, abs=case["tolerance"])


@both_kernels
@named(COMMITS["records"])
def test_what_was_committed_before_a_uid_changed_hands(
    record: dict[str, Any], run_epoch: Kernel
) -> None:
    outcome = run_epoch(
        EpochInput(
            block=record["block"],
            last_step_block=0,
            emission_rao=1_000,
            stakes_q64=[stake << 64 for stake in record["stakes"]],
            last_updates=[record["voted_at"], *record["registered_at"][1:]],
            registered_at=record["registered_at"],
            permits=record["permits"],
            weights={0: [(j, weight) for j, weight in record["weights"]]},
            bonds={},
            commit_blocks=record["commit_blocks"],
            parameters=EpochParameters(max_validators=record["max_validators"]),
        )
    )
    for uid, paid in record["paid"].items():
        assert (outcome.incentives_u16[int(uid)] > 0) == paid
