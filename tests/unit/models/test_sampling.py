"""The sampler draws from the model's distribution, and anyone can repeat it."""

import numpy as np
import pytest

from mycelia.models.sampling import NOISE_SPAN, chosen_token, noise, shortfall

ALL = np.arange(49_152, dtype=np.uint64)


def some_logits(seed: int = 1, size: int = 49_152) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 4.0, size).astype(np.float32)


def test_noise_is_what_it_was() -> None:
    # Recorded: a change of these numbers makes every miner and validator of before disagree.
    found = noise(7, 3, np.array([0, 1, 49_151], dtype=np.uint64))
    assert found == pytest.approx(
        [-0.491350155123508, 0.6791155754233186, 2.7027618349000537], abs=1e-12
    )


def test_noise_of_one_token_needs_no_other() -> None:
    one = noise(9, 2, np.array([4_711], dtype=np.uint64))
    assert one[0] == noise(9, 2, ALL)[4_711]


def test_noise_has_the_moments_of_a_gumbel_variable_and_its_stated_span() -> None:
    sample = np.concatenate([noise(1, position, ALL) for position in range(20)])
    assert sample.mean() == pytest.approx(0.5772, abs=0.01)
    assert sample.var() == pytest.approx(np.pi**2 / 6, abs=0.02)
    assert sample.max() - sample.min() < NOISE_SPAN


@pytest.mark.parametrize(("seed", "position"), [(8, 3), (7, 4)])
def test_noise_differs_by_seed_and_position(seed: int, position: int) -> None:
    assert abs(np.corrcoef(noise(7, 3, ALL), noise(seed, position, ALL))[0, 1]) < 0.03


def test_tokens_are_drawn_as_often_as_the_softmax_says() -> None:
    logits = np.array([0.0, 1.0, 2.0, 0.5], dtype=np.float32)
    temperature = 0.8
    drawn = [chosen_token(logits, seed, 0, temperature) for seed in range(8_000)]
    found = np.bincount(drawn, minlength=4) / len(drawn)
    weights = np.exp(logits / temperature)
    assert found == pytest.approx(weights / weights.sum(), abs=0.02)


def test_temperature_zero_takes_the_most_likely_token() -> None:
    logits = some_logits()
    assert {chosen_token(logits, seed, 0, 0.0) for seed in range(5)} == {int(logits.argmax())}


def test_leaving_out_unlikely_tokens_changes_nothing() -> None:
    for seed in range(50):
        logits = some_logits(seed)
        full = logits / 0.9 + noise(seed, 5, ALL)
        assert chosen_token(logits, seed, 5, 0.9) == int(full.argmax())


def test_shortfall_is_zero_for_the_winner_and_counts_in_logits_for_the_rest() -> None:
    logits, temperature = some_logits(), 0.7
    winner = chosen_token(logits, 3, 1, temperature)
    heights = logits.astype(np.float64) / temperature + noise(3, 1, ALL)
    assert shortfall(logits, winner, 3, 1, temperature) == 0.0
    for token in (0, 100, 49_151):
        expected = (heights[winner] - heights[token]) * temperature
        assert shortfall(logits, token, 3, 1, temperature) == pytest.approx(expected)
    greedy = float(logits.max() - logits[100])
    assert shortfall(logits, 100, 3, 1, 0.0) == pytest.approx(greedy)
