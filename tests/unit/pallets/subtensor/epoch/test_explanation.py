"""An explanation can be followed by hand, from stake and weights to the last rao."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mycelia.pallets.subtensor.epoch import (
    MYCELIA,
    YUMA2,
    YUMA3,
    YUMA3_DENSE,
    EpochInput,
    EpochParameters,
    EpochRules,
    kernel_fast,
    pairs_of,
)
from mycelia.pallets.subtensor.epoch.explanation import Explanation, explained

VALIDATORS, MINERS = 6, 9
N = VALIDATORS + MINERS
RULES = pytest.mark.parametrize(
    "rules", [YUMA2, YUMA3, YUMA3_DENSE, MYCELIA], ids=["yuma2", "yuma3", "dense", "mycelia"]
)
LIQUID = pytest.mark.parametrize("liquid", [False, True], ids=["plain", "liquid"])


def subnet(rules: EpochRules, *, liquid: bool) -> EpochInput:
    """Validators that leave out a miner here and there; one is inactive, one lost its permit."""
    rng = np.random.default_rng(7)

    def rows() -> dict[int, list[tuple[int, int]]]:
        return {
            i: [(int(j), int(rng.integers(0, 65_536))) for j in range(N) if rng.random() < 0.9]
            for i in range(VALIDATORS)
        }

    return EpochInput(
        block=10_000,
        last_step_block=9_640,
        emission_rao=360 * 10**9,
        stakes_q64=[int(s) << 64 for s in rng.integers(10**9, 10**12, VALIDATORS)] + [0] * MINERS,
        last_updates=[4_000] + [9_900] * (N - 1),
        registered_at=[100] * (N - 1) + [9_950],
        permits=[uid < VALIDATORS and uid != 1 for uid in range(N)],
        weights=rows(),
        bonds=rows(),
        owner_uid=2,
        parameters=EpochParameters(liquid_alpha=liquid, bonds_penalty_u16=50_000),
        rules=rules,
    )


def times(a: int, b: int) -> int:
    return a * b >> 32


def over(a: int, b: int) -> int:
    return (a << 32) // b if b else 0


def check_stake_and_weights(why: Explanation) -> None:
    assert why.stake == (why.counted_rao_q64 << 64) // why.counted_total_rao_q64 >> 32
    speaks = why.is_active and why.had_permit
    assert why.active_stake == (over(why.stake, why.active_total) if speaks else 0)
    for vote in why.votes:
        assert vote.weight == over(vote.set_u16 << 32, vote.row_total << 32)
    assert why.row_total == sum(bond.set_u16 for bond in why.bonds)
    for bond in why.bonds:
        assert bond.weight == over(bond.set_u16 << 32, why.row_total << 32)


def check_as_miner(why: Explanation) -> None:
    counted, median = 0, 0
    for vote in sorted(why.votes, key=lambda vote: vote.weight):
        counted, median = counted + vote.vote, vote.weight
        if counted > why.minority:
            break
    assert why.consensus == median
    for vote in why.votes:
        assert vote.clipped == min(vote.weight, why.consensus)
        assert vote.rank == times(vote.stake, vote.clipped)
    assert why.rank == sum(vote.rank for vote in why.votes)
    assert why.incentive == over(why.rank, why.ranks_total)


def check_as_validator(why: Explanation, rules: EpochRules) -> None:
    for bond in why.bonds:
        moved = times(2**32 - bond.alpha, bond.held) + times(bond.alpha, bond.bought)
        assert bond.averaged == moved
        if not rules.stake_weighted_columns:
            assert bond.owned == over(bond.averaged, bond.bonds_total)
        assert bond.pay == times(bond.owned, bond.rate)
    paid = sum(bond.pay for bond in why.bonds)
    earned = times(paid, why.active_stake) if rules.bonds_without_stake else paid
    assert why.earned == earned
    assert why.dividend == over(why.earned, why.earned_total)
    assert why.validator_trust == sum(bond.clipped for bond in why.bonds)


@RULES
@LIQUID
def test_every_step_follows_from_those_before(rules: EpochRules, liquid: bool) -> None:
    epoch = subnet(rules, liquid=liquid)
    outcome = kernel_fast.run_epoch(epoch)
    assert sum(outcome.incentives_u16) > 0
    assert sum(outcome.dividends_u16) > 0
    for uid in range(N):
        why = explained(epoch, uid)
        check_stake_and_weights(why)
        check_as_miner(why)
        check_as_validator(why, rules)
        assert why.server_share == over(why.incentive, why.combined_total)
        assert why.validator_share == over(why.dividend, why.combined_total)
        assert why.server_emission_rao == times(why.server_share, epoch.emission_rao)
        assert why.validator_emission_rao == times(why.validator_share, epoch.emission_rao)
        assert why.server_emission_rao == outcome.server_emissions_rao[uid]
        assert why.validator_emission_rao == outcome.validator_emissions_rao[uid]
        assert why.is_active == outcome.active[uid]
        assert why.has_permit == outcome.permits[uid]
        if why.has_permit:
            stored = {bond.miner: bond.bond_u16 for bond in why.bonds}
            for j, bond_u16 in pairs_of(outcome.bonds[uid]):
                assert stored[j] == bond_u16


def test_it_names_what_did_not_count() -> None:
    why = explained(subnet(YUMA2, liquid=False), 0)
    assert (why.is_active, why.had_permit, why.active_stake) == (False, True, 0)
    newcomer = explained(subnet(YUMA2, liquid=False), N - 1)
    assert [vote.weight for vote in newcomer.votes] == [0] * len(newcomer.votes)
    assert [vote.validator for vote in newcomer.votes] == [2, 3, 4, 5]


def test_without_agreement_stake_is_the_reason() -> None:
    why = explained(replace(subnet(YUMA2, liquid=False), weights={}), 2)
    assert why.combined_total == 0
    assert why.validator_share == why.active_stake
    assert why.validator_emission_rao > 0
