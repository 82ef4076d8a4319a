"""The rules of an epoch, one at a time, in both kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mycelia.pallets.subtensor.epoch import (
    EpochInput,
    EpochOutput,
    EpochParameters,
    kernel,
    kernel_fast,
    pairs_of,
)
from mycelia.pallets.subtensor.epoch.bonds import bonds_alpha
from mycelia.primitives.fixed import q32_of_u16_share

Kernel = Callable[[EpochInput], EpochOutput]

both_kernels = pytest.mark.parametrize(
    "run_epoch", [kernel.run_epoch, kernel_fast.run_epoch], ids=["clear", "fast"]
)


def subnet(stakes: list[int], **changed: Any) -> EpochInput:
    """Everybody with stake has a permit and spoke just now; all registered long ago."""
    parameters = changed.pop("parameters", EpochParameters())
    given: dict[str, Any] = {
        "block": 1_000,
        "last_step_block": 900,
        "emission_rao": 10**9,
        "stakes_q64": [stake << 64 for stake in stakes],
        "last_updates": [999] * len(stakes),
        "registered_at": [10] * len(stakes),
        "permits": [stake > 0 for stake in stakes],
        "weights": {},
        "bonds": {},
        "parameters": parameters,
    }
    return EpochInput(**(given | changed))


@both_kernels
def test_half_against_half_is_a_consensus_or_none(run_epoch: Kernel) -> None:
    divided = {0: [(2, 65_535)], 1: [(3, 65_535)]}

    def consensus(kappa: int) -> tuple[int, ...]:
        parameters = EpochParameters(kappa_u16=kappa)
        epoch = subnet([5, 5, 0, 0], weights=divided, parameters=parameters)
        return run_epoch(epoch).consensus_u16

    assert consensus(32_767) == (0, 0, 65_535, 65_535)
    assert consensus(32_768) == (0, 0, 0, 0)


@both_kernels
def test_a_minority_cannot_pay_its_friend(run_epoch: Kernel) -> None:
    weights = {0: [(2, 65_535)], 1: [(3, 65_535)]}
    outcome = run_epoch(subnet([6, 4, 0, 0], weights=weights))
    assert outcome.incentives_u16 == (0, 0, 65_535, 0)
    assert outcome.dividends_u16 == (65_535, 0, 0, 0)
    assert outcome.validator_trust_u16 == (65_535, 0, 0, 0)


@both_kernels
def test_an_exaggerated_weight_is_cut_to_the_consensus(run_epoch: Kernel) -> None:
    weights = {0: [(2, 65_535), (3, 65_535)], 1: [(2, 65_535)]}
    outcome = run_epoch(subnet([6, 4, 0, 0], weights=weights))
    assert outcome.consensus_u16 == (0, 0, 32_767, 32_767)
    assert outcome.validator_trust_u16[1] == 32_767
    assert outcome.incentives_u16[2] == 40_959  # 0.5 of the stake's 1.0 beside 0.5 of its 0.6


@both_kernels
def test_the_penalty_decides_how_much_exaggeration_buys(run_epoch: Kernel) -> None:
    weights = {0: [(2, 65_535), (3, 65_535)], 1: [(2, 65_535)]}

    def dividends(beta: int) -> int:
        parameters = EpochParameters(bonds_penalty_u16=beta)
        epoch = subnet([6, 4, 0, 0], weights=weights, parameters=parameters)
        return run_epoch(epoch).dividends_u16[1]

    assert dividends(65_535) < dividends(32_768) < dividends(0)


@both_kernels
def test_stake_below_the_threshold_counts_only_for_the_owner(run_epoch: Kernel) -> None:
    parameters = EpochParameters(stake_threshold_rao=10)
    outcome = run_epoch(subnet([9, 9, 10], owner_uid=1, parameters=parameters))
    assert outcome.permits == (False, True, True)
    assert outcome.stake_weights_u16[0] == 0
    assert outcome.stake_weights_u16[1] > 0


@both_kernels
def test_of_equal_stakes_the_higher_uids_get_the_permits(run_epoch: Kernel) -> None:
    parameters = EpochParameters(max_validators=2)
    outcome = run_epoch(subnet([7, 7, 7, 0], parameters=parameters))
    assert outcome.permits == (False, True, True, False)


@both_kernels
def test_a_permit_counts_from_the_next_epoch(run_epoch: Kernel) -> None:
    weights = {0: [(1, 65_535)]}
    outcome = run_epoch(subnet([5, 0], weights=weights, permits=[False, False]))
    assert outcome.permits == (True, False)
    assert outcome.incentives_u16 == (0, 0)
    assert outcome.validator_emissions_rao == (10**9, 0)


@both_kernels
def test_only_the_owner_may_weigh_itself(run_epoch: Kernel) -> None:
    weights = {0: [(0, 65_535), (1, 65_535)]}
    assert run_epoch(subnet([5, 0], weights=weights)).incentives_u16 == (0, 65_535)
    owned = run_epoch(subnet([5, 0], weights=weights, owner_uid=0))
    assert owned.incentives_u16 == (32_767, 32_767)


@both_kernels
def test_what_was_said_of_a_former_holder_does_not_count(run_epoch: Kernel) -> None:
    weights = {0: [(1, 65_535), (2, 65_535)]}
    bonds = {0: [(1, 65_535), (2, 65_535)]}
    outcome = run_epoch(subnet([5, 0, 0], weights=weights, bonds=bonds, registered_at=[1, 999, 1]))
    assert outcome.incentives_u16 == (0, 0, 65_535)
    assert [uid for uid, _ in pairs_of(outcome.bonds[0])] == [2]


@both_kernels
def test_what_was_committed_on_a_former_holder_does_not_count(run_epoch: Kernel) -> None:
    weights = {0: [(1, 65_535), (2, 65_535)]}
    commits = [500, None, None]
    outcome = run_epoch(
        subnet([5, 0, 0], weights=weights, commit_blocks=commits, registered_at=[1, 501, 500])
    )
    assert outcome.incentives_u16 == (0, 0, 65_535)


@both_kernels
def test_the_silent_have_no_say(run_epoch: Kernel) -> None:
    weights = {0: [(2, 65_535)], 1: [(3, 65_535)]}
    parameters = EpochParameters(activity_cutoff_blocks=100)
    epoch = subnet(
        [6, 4, 0, 0], weights=weights, last_updates=[899, 900, 900, 900], parameters=parameters
    )
    outcome = run_epoch(epoch)
    assert outcome.active == (False, True, True, True)
    assert outcome.incentives_u16 == (0, 0, 0, 65_535)


@both_kernels
def test_without_anybody_nothing_happens(run_epoch: Kernel) -> None:
    assert run_epoch(subnet([])).emissions_rao == ()
    assert run_epoch(subnet([0, 0])).emissions_rao == (0, 0)


@both_kernels
def test_where_all_are_silent_stake_decides(run_epoch: Kernel) -> None:
    parameters = EpochParameters(activity_cutoff_blocks=1)
    outcome = run_epoch(subnet([1, 3], last_updates=[1, 1], parameters=parameters))
    assert outcome.validator_emissions_rao == (250_000_000, 750_000_000)
    assert outcome.server_emissions_rao == (0, 0)


def test_raw_values_of_the_defaults() -> None:
    assert q32_of_u16_share(32_767) == 2_147_450_879
    assert bonds_alpha(900_000) == 429_496_730
