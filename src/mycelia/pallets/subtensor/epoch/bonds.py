"""Step 4 of Yuma consensus: what validators own of miners, and what that earns them.

A bond B_ij says how strongly validator i has backed miner j, averaged over epochs. There are three
ways to keep bonds and to let them earn:

- *Yuma 2*: a bond is the share of a miner that the validator's stake has bought. Each epoch sells
  shares anew, by weight times stake; the average over epochs is stored. D_i = sum_j B_ij I_j.
- *Yuma 3*: a bond is the average of the validator's own weights, and stake counts once, at the end:
  with N the bonds scaled to columns of sum one, D_i is in proportion to A_i sum_j N_ij I_j. Small
  validators can be early, too. Two weaknesses come with it. N knows no stake, so a crowd of
  validators without stake takes most of N from the others, and what it takes is shared out by
  stake once more: to those whom the crowd left alone. And under liquid alpha a bond is gone at once
  where its weight is not named, or was cut to nothing by the others.
- *mycelia*: bonds as in Yuma 3, earned by stake in each column. A miner's incentive is spread over
  the bonds on it, each counted with its holder's stake, which gives a bond a price:
  p_j = I_j / sum_i A_i E_ij, and D_i = A_i sum_j E_ij p_j. Split a validator into parts, and the
  parts earn together what the whole did; add one of no stake, and nobody earns less. What is not
  named decays like a weight of zero, so an epoch of absence costs at most the share alpha.

Numbers are I32F32 (`_q32`); `_q48` has 48 fraction bits.
Source: paths in this file are in subtensor's `pallets/subtensor/src`, spec 425 (the sparse path).
"""

from __future__ import annotations

from dataclasses import dataclass

from mycelia.pallets.subtensor.epoch.alpha import Speeds, liquid_alpha, speeds_of
from mycelia.pallets.subtensor.epoch.matrices import (
    Matrix,
    Row,
    Vector,
    columns_normalized,
    columns_upscaled,
    normalized,
    stake_in_columns,
)
from mycelia.pallets.subtensor.epoch.types import EpochInput, pairs_of
from mycelia.primitives.fixed import (
    I64_MAX,
    I64_MIN,
    ONE_Q32,
    U16_MAX,
    add_q32,
    clamped,
    mul_q32,
    sub_q32,
    trunc_div,
)


@dataclass(frozen=True)
class BondSteps:
    """From the bonds of the last epoch to dividends, in order. Matrices are validators by miners.

    `held` are the stored bonds as shares, `bought` what they move to, `alphas` how fast each does,
    one number if all do alike, and `averaged` the bonds of this epoch. `owned` are these as they
    count for pay, `rates` what a whole one of them on each miner pays, `earned` the sum of it with
    the validator's stake where that is still to count, and `dividends` the same as shares of all.
    `stored` is what the next epoch will find, before it is cut to 16 bits.
    """

    held: Matrix
    bought: Matrix
    alphas: Matrix | int
    averaged: Matrix
    owned: Matrix
    rates: Vector
    earned: Vector
    dividends: Vector
    stored: Matrix


def bonds_and_dividends(
    epoch: EpochInput, backed: Matrix, active_stake: Vector, consensus: Vector, incentive: Vector
) -> BondSteps:
    """The bonds of this epoch and what they earn, by the epoch's rules.

    Source: epoch/run_epoch.rs::epoch_mechanism, `Yuma3On`
    """
    if not epoch.rules.bonds_without_stake:
        return yuma2_bonds(epoch, backed, active_stake, incentive)
    held = [
        {j: (bond << 32) // U16_MAX for j, bond in row.items()} for row in admitted_bonds(epoch)
    ]
    alphas = bonds_alphas(epoch, backed, held, consensus)
    averaged = average(backed, held, alphas)
    if epoch.rules.stake_weighted_columns:
        owned, rates = averaged, bond_prices(averaged, active_stake, incentive)
    else:
        owned, rates = columns_normalized(averaged), incentive
    earned = [
        mul_q32(pay, stake) for pay, stake in zip(paid(owned, rates), active_stake, strict=True)
    ]
    return BondSteps(
        held=held,
        bought=backed,
        alphas=alphas,
        averaged=averaged,
        owned=owned,
        rates=rates,
        earned=earned,
        dividends=normalized(earned),
        stored=averaged,
    )


def yuma2_bonds(
    epoch: EpochInput, backed: Matrix, active_stake: Vector, incentive: Vector
) -> BondSteps:
    """A bond averages the share of a miner that stake has bought, epoch by epoch.

    Source: epoch/run_epoch.rs::epoch_mechanism, the branch without Yuma3On
    """
    purchased = columns_normalized(stake_in_columns(backed, active_stake))
    held = columns_normalized(
        [{j: bond << 32 for j, bond in row.items()} for row in admitted_bonds(epoch)]
    )
    alpha = bonds_alpha(epoch.parameters.bonds_moving_average_ppm)
    averaged = moving_average(purchased, held, alpha)
    owned = columns_normalized(averaged)
    earned = paid(owned, incentive)
    return BondSteps(
        held=held,
        bought=purchased,
        alphas=alpha,
        averaged=averaged,
        owned=owned,
        rates=incentive,
        earned=earned,
        dividends=normalized(earned),
        stored=columns_upscaled(owned),
    )


def admitted_bonds(epoch: EpochInput) -> Matrix:
    """The stored bonds, 0..65535, without those on neurons that registered since the last epoch.

    Before the first epoch the block one tempo ago stands in for it.

    Source: epoch/math.rs::scalar_vec_mask_sparse_matrix
    """
    n = len(epoch.registered_at)
    last_epoch = bonds_count_before(epoch)
    admitted: Matrix = [{} for _ in range(n)]
    for i in range(n):
        for j, bond_u16 in pairs_of(epoch.bonds.get(i, ())):
            if j < n and epoch.registered_at[j] < last_epoch:
                admitted[i][j] = bond_u16
    return admitted


def bonds_count_before(epoch: EpochInput) -> int:
    """The block from which on a registration makes older bonds void.

    Source: epoch/run_epoch.rs::epoch_mechanism, `last_tempo`
    """
    if epoch.last_step_block:
        return epoch.last_step_block + 1
    return max(0, epoch.block - epoch.parameters.tempo_blocks)


# Averages


def bonds_alpha(moving_average_ppm: int) -> int:
    """The share of a new observation in the bonds' average: one minus the configured memory.

    The memory is rounded down from 64 to 32 fraction bits, so alpha comes out a unit of 2^-32 high
    at most.

    Source: epoch/run_epoch.rs::compute_ema_bonds_normal_sparse
    """
    memory = clamped(trunc_div(moving_average_ppm << 64, 1_000_000) >> 32, I64_MIN, I64_MAX)
    return sub_q32(ONE_Q32, memory)


def bonds_alphas(
    epoch: EpochInput, backed: Matrix, held: Matrix, consensus: Vector
) -> Matrix | int:
    """How fast bonds move toward weights: each at its own speed under liquid alpha, else all alike.

    Without any consensus there is nothing to be bold against, and the one speed applies.

    Source: epoch/run_epoch.rs::compute_bonds_sparse
    """
    parameters = epoch.parameters
    if parameters.liquid_alpha and any(consensus):
        decay = epoch.rules.absent_entries_decay
        return liquid_alphas(backed, held, consensus, speeds_of(parameters), absent_decay=decay)
    return bonds_alpha(parameters.bonds_moving_average_ppm)


def average(new: Matrix, old: Matrix, alphas: Matrix | int) -> Matrix:
    """E_ij = alpha W_ij + (1 - alpha) B_ij, at one speed or at many.

    Source: epoch/run_epoch.rs::compute_bonds_sparse
    """
    if isinstance(alphas, int):
        return moving_average(new, old, alphas)
    return liquid_average(new, old, alphas)


def moving_average(new: Matrix, old: Matrix, alpha: int) -> Matrix:
    """The sum alpha new + (1 - alpha) old, products rounded down; only what is positive stays.

    Source: epoch/math.rs::mat_ema_sparse
    """
    rest = sub_q32(ONE_Q32, alpha)
    averaged: Matrix = []
    for new_row, old_row in zip(new, old, strict=True):
        row = {j: mul_q32(alpha, value) for j, value in new_row.items()}
        for j, value in old_row.items():
            row[j] = add_q32(row.get(j, 0), mul_q32(rest, value))
        averaged.append({j: row[j] for j in sorted(row) if row[j] > 0})
    return averaged


def liquid_alphas(
    new: Matrix, old: Matrix, consensus: Vector, speeds: Speeds, *, absent_decay: bool
) -> Matrix:
    """The speed of each bond that will stay.

    Where absent entries do not decay, only what `new` names stays, and the speeds are found by
    readers that never turn back.

    Source: epoch/run_epoch.rs::compute_liquid_alpha_values_sparse, and compute_liquid_alpha_values
    where absent entries decay
    """
    alphas: Matrix = []
    for new_row, old_row in zip(new, old, strict=True):
        if absent_decay:
            columns, weights, bonds = sorted(new_row | old_row), new_row, old_row
        else:
            columns, weights, bonds = list(new_row), forward_only(new_row), forward_only(old_row)
        alphas.append(
            {
                j: liquid_alpha(consensus[j], weights.get(j, 0), bonds.get(j, 0), speeds)
                for j in columns
            }
        )
    return alphas


def liquid_average(new: Matrix, old: Matrix, alphas: Matrix) -> Matrix:
    """As `moving_average`, with a speed for each bond that stays, and one at most.

    Source: epoch/math.rs::mat_ema_alpha_sparse, and mat_ema_alpha where absent entries decay
    """
    averaged: Matrix = []
    for new_row, old_row, speeds in zip(new, old, alphas, strict=True):
        row = {}
        for j, alpha in speeds.items():
            kept = mul_q32(sub_q32(ONE_Q32, alpha), old_row.get(j, 0))
            row[j] = min(ONE_Q32, kept + mul_q32(alpha, new_row.get(j, 0)))
        averaged.append({j: bond for j, bond in row.items() if bond > 0})
    return averaged


def forward_only(row: Row) -> Row:
    """What a reader meets that asks for the columns in rising order and never turns back.

    That is all, save where a row names a smaller column after a larger one.

    Source: epoch/run_epoch.rs::compute_liquid_alpha_values_sparse, `peekable`
    """
    met: Row = {}
    furthest = -1
    for j, value in row.items():
        if j > furthest:
            met[j], furthest = value, j
    return met


# Earnings


def bond_prices(bonds: Matrix, stake: Vector, incentive: Vector) -> Vector:
    """p_j = I_j / sum_i A_i E_ij: what a whole bond on each miner pays per whole stake, rounded down.

    The sum has 48 fraction bits, for bonds of little stake have weight together. A bond that nobody
    with stake holds has no price.

    Differs: our own rule; see the module.
    """
    backing_q48 = [0] * len(incentive)
    for i, row in enumerate(bonds):
        for j, bond in row.items():
            backing_q48[j] += stake[i] * bond >> 16
    return [
        min((share << 48) // backing, I64_MAX) if backing else 0
        for share, backing in zip(incentive, backing_q48, strict=True)
    ]


def paid(owned: Matrix, rates: Vector) -> Vector:
    """The sums over j of N_ij I_j, each product rounded down: what all that i owns pays.

    Source: epoch/math.rs::matmul_transpose_sparse, mat_vec_mul_sparse
    """
    return [sum(mul_q32(share, rates[j]) for j, share in row.items()) for row in owned]
