"""How much honest utility keeps honest stake: the published thresholds, found again.

Two teams of 512 neurons share a subnet. Honest validators hold 60 % of the stake and give the honest
team the weight it deserves, its utility; a cabal of the others gives its own team whatever serves it
best. Both weigh noisily. The threshold is the least utility at which the honest team earns at least
its share of stake. Source: subtensor `docs/consensus.md`, sections on subjectivity, bonds penalty,
majority and validator rewards; `tests/epoch.rs::split_graph` for how such a subnet is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from mycelia.pallets.subtensor.epoch import EpochInput, EpochParameters, kernel_fast

Floats = NDArray[np.float64]

NEURONS, VALIDATORS = 512, 64
SERVERS = NEURONS - VALIDATORS
CABAL_WEIGHTS = (0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SEEDS = (0, 1, 2)
PUBLISHED_WITHIN = 0.015


@dataclass(frozen=True)
class Game:
    """`stake`: the honest share; `noise`: of weights, as a share of their mean; `reward`: the part of
    emission that goes to validators.
    """

    stake: float = 0.6
    noise: float = 0.4
    penalty: float = 1.0
    kappa: float = 0.5
    reward: float = 0.5

    def honest_emission(self, utility: float, cabal_weight: float, seed: int) -> float:
        """What the honest team earns of it all, in one epoch without earlier bonds."""
        rng = np.random.default_rng(seed)
        voters = max(1, min(VALIDATORS - 1, int(self.stake * VALIDATORS)))
        servers = max(1, min(SERVERS - 1, int(self.stake * SERVERS)))
        stakes = np.concatenate(
            (
                _shares(rng, 0.3, (1, voters)) * self.stake,
                _shares(rng, 0.3, (1, VALIDATORS - voters)) * (1 - self.stake),
            ),
            axis=1,
        )[0]
        to_honest = np.where(np.arange(VALIDATORS) < voters, utility, 1 - cabal_weight)[:, None]
        weights = np.concatenate(
            (
                _shares(rng, self.noise, (VALIDATORS, servers)) * to_honest,
                _shares(rng, self.noise, (VALIDATORS, SERVERS - servers)) * (1 - to_honest),
            ),
            axis=1,
        )
        weights_u16 = np.rint(weights / weights.max(axis=1, keepdims=True) * 65_535)
        outcome = kernel_fast.run_epoch(self._epoch(stakes, weights_u16.astype(np.uint16)))
        miners = np.array(outcome.server_emissions_rao[VALIDATORS:])
        validators = np.array(outcome.validator_emissions_rao[:VALIDATORS])
        earned = (1 - self.reward) * miners[:servers].sum() / max(1, miners.sum())
        earned += self.reward * validators[:voters].sum() / max(1, validators.sum())
        return float(earned)

    def _epoch(self, stakes: Floats, weights_u16: NDArray[np.uint16]) -> EpochInput:
        columns = np.arange(VALIDATORS, NEURONS, dtype=np.uint16)
        return EpochInput(
            block=1_000,
            last_step_block=900,
            emission_rao=10**15,
            stakes_q64=[int(stake * 2.1e16) << 64 for stake in stakes] + [0] * SERVERS,
            last_updates=[999] * NEURONS,
            registered_at=[10] * NEURONS,
            permits=[uid < VALIDATORS for uid in range(NEURONS)],
            weights={i: np.stack((columns, row), axis=1) for i, row in enumerate(weights_u16)},
            bonds={},
            parameters=EpochParameters(
                max_validators=VALIDATORS,
                kappa_u16=int(self.kappa * 65_535),
                bonds_penalty_u16=int(self.penalty * 65_535),
            ),
        )

    def keeps(self, utility: float) -> bool:
        """Whether the honest team keeps its share whatever the cabal claims, on the mean of seeds."""
        return all(
            np.mean([self.honest_emission(utility, weight, seed) for seed in SEEDS]) >= self.stake
            for weight in reversed(CABAL_WEIGHTS)
        )

    def threshold(self) -> float:
        """The least utility that keeps the stake, to a tenth of a point; more than one if none does."""
        low, high = 500, 1_001
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.keeps(middle / 1_000) else (middle + 1, high)
        return low / 1_000


def _shares(rng: np.random.Generator, noise: float, shape: tuple[int, int]) -> Floats:
    """Rows of positive numbers around one mean, each with the sum of one."""
    drawn = np.maximum(1 + noise * rng.standard_normal(shape), 0)
    return drawn / drawn.sum(axis=1, keepdims=True)


@cache
def threshold(game: Game) -> float:
    return game.threshold()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("game", "published"),
    [
        (Game(noise=0.0), 0.60),
        (Game(noise=0.2), 0.67),
        (Game(noise=0.4), 0.73),
        (Game(penalty=0.0), 0.78),
        (Game(penalty=0.5), 0.76),
        (Game(penalty=1.0), 0.73),
        (Game(reward=0.0), 0.82),
        (Game(reward=0.25), 0.78),
        (Game(reward=0.5), 0.73),
    ],
    ids=str,
)
def test_published_threshold(game: Game, published: float) -> None:
    assert threshold(game) == pytest.approx(published, abs=PUBLISHED_WITHIN)


@pytest.mark.slow
@pytest.mark.parametrize("stake", [0.51, 0.55])
def test_with_kappa_above_the_honest_stake_nothing_keeps_it(stake: float) -> None:
    game = Game(stake=stake, kappa=0.6)
    assert not game.keeps(1.0)


def test_the_honest_lose_nothing_at_full_utility() -> None:
    assert Game().honest_emission(1.0, 1.0, seed=0) >= 0.6
