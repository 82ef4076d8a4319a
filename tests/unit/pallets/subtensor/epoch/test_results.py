"""Vectors grow with the subnet, forget who left, and are never changed in place."""

from __future__ import annotations

import numpy as np
import pytest

from mycelia.frame import State
from mycelia.pallets.subtensor.epoch import EpochInput, EpochOutput, kernel
from mycelia.pallets.subtensor.epoch.mechanisms import Mechanisms, combined
from mycelia.pallets.subtensor.epoch.results import Results, storage_index
from mycelia.pallets.subtensor.hyperparameters.table import Hyperparameters
from mycelia.primitives import BlockNumber, NetUid, Uid
from mycelia.state import MemoryStore, Overlay

NETUID = NetUid(7)
INDEX = storage_index(NETUID)


@pytest.fixture
def results() -> Results:
    state = State(Overlay(MemoryStore().head()))
    parameters = Hyperparameters(state)
    results = Results(state, mechanisms=Mechanisms(state, parameters=parameters))
    for uid in range(3):
        results.append_neuron(NETUID, BlockNumber(5 + uid))
    return results


def outcome() -> EpochOutput:
    """Validator 0 backs miners 1 and 2 alike."""
    return kernel.run_epoch(
        EpochInput(
            block=100,
            last_step_block=50,
            emission_rao=10**9,
            stakes_q64=[10**9 << 64, 0, 0],
            last_updates=[99, 5, 5],
            registered_at=[1, 1, 1],
            permits=[True, False, False],
            weights={0: [(1, 65_535), (2, 65_535)]},
            bonds={},
        )
    )


def keep(results: Results) -> None:
    """Store the outcome as that of the subnet's only mechanism."""
    results.keep_mechanism(INDEX, outcome())
    results.keep(NETUID, combined([outcome()], [10**9]))


def test_a_new_neuron_gets_an_entry_in_every_vector(results: Results) -> None:
    assert results.active[NETUID].tolist() == [True] * 3
    assert results.validator_permit[NETUID].tolist() == [False] * 3
    assert results.last_update[INDEX].tolist() == [5, 6, 7]
    assert results.emission[NETUID] == (0, 0, 0)
    for vector in (results.consensus, results.dividends, results.validator_trust):
        assert vector[NETUID].tolist() == [0, 0, 0]
    assert results.incentive[INDEX].tolist() == [0, 0, 0]


def test_an_outcome_is_kept(results: Results) -> None:
    keep(results)
    assert results.incentive[INDEX].tolist() == [0, 32_767, 32_767]
    assert results.dividends[NETUID].tolist() == [65_535, 0, 0]
    assert results.validator_permit[NETUID].tolist() == [True, False, False]
    assert results.emission[NETUID] == (500_000_000, 250_000_000, 250_000_000)
    assert results.bonds[INDEX, Uid(0)].tolist() == [[1, 65_535], [2, 65_535]]
    assert results.bonds[INDEX, Uid(1)].tolist() == []
    assert (INDEX, Uid(1)) in results.bonds


def test_a_new_holder_of_a_uid_starts_clean(results: Results) -> None:
    keep(results)
    results.clear_neuron(NETUID, Uid(0), BlockNumber(200))
    assert results.dividends[NETUID].tolist() == [0, 0, 0]
    assert results.validator_permit[NETUID].tolist() == [False] * 3
    assert results.emission[NETUID] == (0, 250_000_000, 250_000_000)
    assert results.stake_weight[NETUID].tolist() == [0, 0, 0]
    assert results.last_update[INDEX].tolist() == [200, 6, 7]
    assert (INDEX, Uid(0)) not in results.bonds


def test_setting_weights_is_noted(results: Results) -> None:
    results.set_last_update(NETUID, Uid(1), BlockNumber(42))
    assert results.last_update[INDEX].tolist() == [5, 42, 7]


def test_stored_vectors_cannot_be_changed(results: Results) -> None:
    keep(results)
    for stored in (results.active[NETUID], results.bonds[INDEX, Uid(0)], results.consensus[NETUID]):
        assert isinstance(stored, np.ndarray)
        with pytest.raises(ValueError, match="read-only"):
            stored[0] = stored[0]


def test_mechanisms_have_their_own_index() -> None:
    assert storage_index(NetUid(3)) == 3
    assert storage_index(NetUid(3), 2) == 8_195


def test_the_number_of_a_mechanism_that_cannot_be_saturates() -> None:
    assert [storage_index(NetUid(3), mechanism) for mechanism in (0, 1, 15, 16, 255)] == [
        3,
        4_099,
        61_443,
        65_535,
        65_535,
    ]
