"""What an epoch reads and what it decides: the whole border of the kernels.

Units: heights in blocks, `_rao` in rao of the subnet's alpha, `_q64` with 64 fraction bits, `_u16`
as 0..65535 for 0..1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

SparseRow = Sequence[tuple[int, int]] | NDArray[np.unsignedinteger[Any]]  # Any: of any width
"""(uid, value) pairs, each uid at most once and each value of 16 bits; as tuples or as an array of
two columns, of 32 bits where uids need them. A uid that is not named is absent."""


def pairs_of(row: SparseRow) -> list[tuple[int, int]]:
    """The entries of a row as plain ints, whichever form it has."""
    entries = row.tolist() if isinstance(row, np.ndarray) else row
    return [(j, value) for j, value in entries]


@dataclass(frozen=True)
class EpochParameters:
    """The hyperparameters of a subnet that its epoch depends on, as stored."""

    tempo_blocks: int = 360
    activity_cutoff_blocks: int = 5_000
    max_validators: int = 128
    kappa_u16: int = 32_767
    bonds_penalty_u16: int = 65_535
    bonds_moving_average_ppm: int = 900_000
    stake_threshold_rao: int = 0
    liquid_alpha: bool = False
    alpha_low_u16: int = 45_875
    alpha_high_u16: int = 58_982
    alpha_steepness_percent: int = 1_000


@dataclass(frozen=True)
class EpochRules:
    """In what the families of Yuma differ. Use one of the named sets below.

    `bonds_without_stake`: a bond averages what its validator says, whatever its stake; stake counts
    when the dividend is paid. Otherwise it averages the share of a miner that stake has bought.
    `absent_entries_decay`: under liquid alpha, a bond whose weight is not named shrinks as if the
    weight were zero. Otherwise it is gone at once.
    `stake_weighted_columns`: what a miner pays its backers is split by bond times stake. Otherwise
    first by bond alone, so that a validator of no stake takes from all others.
    The last two matter only where bonds are without stake.
    """

    bonds_without_stake: bool = False
    absent_entries_decay: bool = False
    stake_weighted_columns: bool = False


YUMA2: Final = EpochRules()
"""Yuma 2, as the compatible chain runs it by default."""

YUMA3: Final = EpochRules(bonds_without_stake=True)
"""Yuma 3, as the compatible chain runs it: on rows without absent entries."""

YUMA3_DENSE: Final = EpochRules(bonds_without_stake=True, absent_entries_decay=True)
"""Yuma 3, as the compatible chain's own tests run it beside: on full matrices."""

MYCELIA: Final = EpochRules(
    bonds_without_stake=True, absent_entries_decay=True, stake_weighted_columns=True
)
"""Yuma 3 without its known weaknesses: see `bonds`."""


@dataclass(frozen=True)
class EpochInput:
    """One subnet at the moment of its epoch. Vectors are indexed by uid and equally long.

    `last_step_block` is the block of the last successful epoch, 0 before the first. `commit_blocks`
    holds, where commit-reveal is on, the block of each neuron's earliest unexpired commit, or None
    for a neuron without one.
    """

    block: int
    last_step_block: int
    emission_rao: int
    stakes_q64: Sequence[int]
    last_updates: Sequence[int]
    registered_at: Sequence[int]
    permits: Sequence[bool]
    weights: Mapping[int, SparseRow]
    bonds: Mapping[int, SparseRow]
    owner_uid: int | None = None
    commit_blocks: Sequence[int | None] | None = None
    parameters: EpochParameters = EpochParameters()
    rules: EpochRules = YUMA2


@dataclass(frozen=True)
class EpochOutput:
    """What the epoch decided for every uid. Shares are rounded down.

    Emissions are amounts of this epoch. `bonds` has a row for each uid that holds a permit now; all
    other rows are to be emptied.
    """

    active: tuple[bool, ...]
    permits: tuple[bool, ...]
    stake_weights_u16: tuple[int, ...]
    consensus_u16: tuple[int, ...]
    incentives_u16: tuple[int, ...]
    dividends_u16: tuple[int, ...]
    validator_trust_u16: tuple[int, ...]
    server_emissions_rao: tuple[int, ...]
    validator_emissions_rao: tuple[int, ...]
    emissions_rao: tuple[int, ...]
    bonds: Mapping[int, SparseRow]


@dataclass(frozen=True)
class SubnetOutcome:
    """What an epoch decided for every uid of a subnet, over all its mechanisms: see `mechanisms`."""

    active: tuple[bool, ...]
    permits: tuple[bool, ...]
    stake_weights_u16: tuple[int, ...]
    consensus_u16: tuple[int, ...]
    dividends_u16: tuple[int, ...]
    validator_trust_u16: tuple[int, ...]
    server_emissions_rao: tuple[int, ...]
    validator_emissions_rao: tuple[int, ...]
    emissions_rao: tuple[int, ...]
