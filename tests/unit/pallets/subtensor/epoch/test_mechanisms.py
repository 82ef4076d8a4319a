"""An emission in parts, and several mechanisms' decisions as one.

The parts are those of the compatible chain's own tests: `pallets/subtensor/src/tests/mechanism.rs` at 14bc6f9.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from mycelia.pallets.subtensor.epoch import EpochOutput
from mycelia.pallets.subtensor.epoch.mechanisms import combined, parted


@pytest.mark.parametrize(
    ("emission", "count", "split", "parts"),
    [
        (25, 5, None, [5, 5, 5, 5, 5]),
        (10, 4, None, [4, 2, 2, 2]),
        (19, 5, (3_450, 6_899, 10_348, 17_247, 27_594), [1, 2, 3, 5, 8]),
        (0, 3, None, [0, 0, 0]),
        (7, 1, None, [7]),
        (100, 3, (65_535,), [100, 0, 0]),
        (100, 2, (0, 65_535), [0, 100]),
        (2**64 - 1, 2, (32_767, 32_768), [9_223_231_297_218_904_063, 9_223_512_776_490_647_552]),
    ],
)
def test_an_emission_is_parted_and_the_rest_is_the_first_s(
    emission: int, count: int, split: tuple[int, ...] | None, parts: list[int]
) -> None:
    assert parted(emission, count, split) == parts
    assert sum(parts) == emission


def decided(**fields: Any) -> EpochOutput:
    """What a mechanism decided for two neurons; all zero but the given."""
    nothing: dict[str, Any] = dict.fromkeys(EpochOutput.__dataclass_fields__, (0, 0))
    return EpochOutput(**{**nothing, "active": (False,) * 2, "permits": (False,) * 2, **fields})


def test_of_one_mechanism_all_is_its_own() -> None:
    alone = decided(consensus_u16=(65_535, 1), emissions_rao=(2**64 - 1, 3), active=(True, False))
    for part in (0, 10**9):
        outcome = combined([alone], [part])
        for name in type(outcome).__dataclass_fields__:
            assert getattr(outcome, name) == getattr(alone, name)


def test_shares_are_weighed_by_the_parts_and_pay_is_added_up() -> None:
    first = decided(
        dividends_u16=(65_535, 0),
        server_emissions_rao=(1, 2),
        validator_emissions_rao=(10, 20),
        emissions_rao=(100, 0),
    )
    second = decided(
        dividends_u16=(0, 65_535),
        server_emissions_rao=(3, 4),
        validator_emissions_rao=(30, 40),
        emissions_rao=(0, 300),
    )
    outcome = combined([first, second], [100, 300])
    assert outcome.dividends_u16 == (16_383, 49_151)
    assert outcome.server_emissions_rao == (4, 6)
    assert outcome.validator_emissions_rao == (40, 60)
    assert outcome.emissions_rao == (25, 225)  # weighed once more, as the compatible chain shows it


def test_each_mechanism_rounds_down_by_itself() -> None:
    values, parts = (65_535, 65_535, 65_534), (1, 1, 1)
    outcome = combined([decided(consensus_u16=(value, 1)) for value in values], parts)
    weight = Fraction(2**64 // 3, 2**64)
    expected = 0
    for value in values:
        expected = int(expected + value * weight)
    assert outcome.consensus_u16 == (expected, 0)
    assert expected == sum(values) // 3 - 2


def test_without_emission_the_first_counts_alone() -> None:
    first, second = decided(validator_trust_u16=(7, 8)), decided(validator_trust_u16=(900, 900))
    assert combined([first, second], [0, 0]).validator_trust_u16 == (7, 8)


def test_who_is_active_or_permitted_anywhere_is() -> None:
    outcome = combined(
        [decided(active=(True, False)), decided(active=(False, False), permits=(False, True))],
        [1, 1],
    )
    assert outcome.active == (True, False)
    assert outcome.permits == (False, True)
