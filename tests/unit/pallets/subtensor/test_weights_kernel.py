"""Rows of weights: scaling, self weights, share limits."""

import pytest

from mycelia.pallets.subtensor.weights import kernel


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], []),
        ([0], [0]),
        ([0, 0], [0, 0]),
        ([1], [65535]),
        ([0, 1], [0, 65535]),
        ([32768], [65535]),
        ([32768, 32768], [65535, 65535]),
        ([65535], [65535]),
        ([65535, 65535], [65535, 65535]),
        ([65535, 1], [65535, 1]),
        ([1, 2, 3], [21845, 43690, 65535]),
        ([40000, 20000], [65535, 32767]),  # the ratio is rounded down before the product
    ],
)
def test_rows_are_scaled_to_the_largest(given: list[int], expected: list[int]) -> None:
    assert kernel.max_upscaled(given) == expected


def test_self_weight_is_one_entry_for_oneself() -> None:
    assert kernel.is_self_weight(3, [3])
    assert not kernel.is_self_weight(3, [2])
    assert not kernel.is_self_weight(3, [3, 4])


def test_duplicates_are_seen() -> None:
    assert kernel.has_duplicates([1, 2, 1])
    assert not kernel.has_duplicates([1, 2])


def test_share_limit_compares_the_largest_share() -> None:
    assert kernel.exceeds_share([2, 1, 1], 32_000)
    assert not kernel.exceeds_share([2, 1, 1], 32_768)
    assert not kernel.exceeds_share([0, 0], 0)
