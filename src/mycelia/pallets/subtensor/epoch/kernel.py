"""Yuma consensus: what validators say about miners becomes what everybody is paid.

Each validator i, holding stake S_i, publishes weights W_ij: how it would split the reward among
miners j. Yuma turns many such opinions, some of them dishonest, into one payment, in five steps:

1. *Who speaks.* Stake counts only where its holder has a permit and has spoken lately: S becomes
   the active stake A. Weights are kept only where they can have been meant: by permitted
   validators, not for oneself, and for the neuron that still holds the uid. Each validator's row
   then sums to one.
2. *Consensus* C_j: the largest weight for j that at least a share kappa of the active stake
   supports. What one validator claims beyond it is cut off, Wc_ij = min(W_ij, C_j), so a minority
   cannot pay its friends.
3. *Incentive* I_j: the stake-weighted sum of the clipped weights. It is what miner j earns.
4. *Bonds* B_ij: an average over time of how strongly i has backed j, so that whoever saw early what
   later became consensus owns the larger part of j's success. Dividend D_i = sum_j B_ij I_j is what
   validator i earns.
5. *Emission*: miners share one half by I, validators the other half by D.

This version is for reading; `kernel_fast` is the same function on arrays. Numbers are I32F32
(`_q32`), see `fixed`; the order of operations and each rounding are part of the rules. Everything
is rounded down, so no step creates reward, and at most a few rao of an epoch's emission per neuron
stay unpaid.

A matrix is a list of rows, a row a dict from column to value. In these rules an absent entry and a
zero one act alike.

Terms: kappa, beta (bonds penalty), alpha (speed of the bonds' average), permit, tempo:
docs/units.md.
Source: paths in this file are in subtensor's `pallets/subtensor/src`, spec 425 (the sparse path);
symbols follow its `docs/consensus.md`.
"""

from __future__ import annotations

from collections.abc import Sequence

from mycelia.pallets.subtensor.epoch.types import EpochInput, EpochOutput, SparseRow, pairs_of
from mycelia.primitives.fixed import (
    ONE_Q32,
    add_q32,
    clamped,
    div_q32,
    mul_q32,
    q32_of_u16_share,
    sub_q32,
    trunc_div,
    u16_share_of_q32,
    u64_of_q32,
)

Vector = list[int]
Row = dict[int, int]
Matrix = list[Row]


def run_epoch(epoch: EpochInput) -> EpochOutput:
    """Decide the outcome of one epoch by the rules of Yuma 2.

    Source: epoch/run_epoch.rs::epoch_mechanism
    """
    parameters = epoch.parameters
    n = len(epoch.stakes_q64)

    # 1. Who speaks.
    stake = normalized_stake(epoch)
    active = active_neurons(epoch)
    permits = new_permits(epoch, stake)
    speakers = with_owner(epoch.permits, epoch.owner_uid)
    active_stake = normalized([s if active[i] and speakers[i] else 0 for i, s in enumerate(stake)])
    weights = rows_normalized(admitted_weights(epoch, speakers))

    # 2. Consensus.
    kappa = q32_of_u16_share(parameters.kappa_u16)
    consensus = weighted_medians(active_stake, weights, n, kappa)
    clipped = clipped_weights(weights, consensus)
    validator_trust = [sum(row.values()) for row in clipped]

    # 3. Incentive.
    incentive = normalized(stake_weighted_sums(clipped, active_stake, n))

    # 4. Bonds and dividends.
    beta = q32_of_u16_share(parameters.bonds_penalty_u16)
    backed = interpolated(weights, clipped, beta)
    bonds, dividends = yuma2_bonds(epoch, backed, active_stake, incentive)

    # 5. Emission.
    fallback = active_stake if any(active_stake) else stake
    servers, validators, combined = emission_shares(incentive, dividends, fallback)

    return EpochOutput(
        active=tuple(active),
        permits=tuple(permits),
        stake_weights_u16=shares_u16(stake),
        consensus_u16=shares_u16(consensus),
        incentives_u16=shares_u16(incentive),
        dividends_u16=shares_u16(dividends),
        validator_trust_u16=shares_u16(validator_trust),
        server_emissions_rao=amounts(servers, epoch.emission_rao),
        validator_emissions_rao=amounts(validators, epoch.emission_rao),
        emissions_rao=amounts(combined, epoch.emission_rao),
        bonds={i: stored_row(bonds[i]) for i in range(n) if permits[i]},
    )


# 1. Who speaks


def active_neurons(epoch: EpochInput) -> list[bool]:
    """Who has set weights within the activity cutoff.

    Source: epoch/run_epoch.rs::epoch_mechanism, `inactive`
    """
    cutoff = epoch.parameters.activity_cutoff_blocks
    return [updated + cutoff >= epoch.block for updated in epoch.last_updates]


def normalized_stake(epoch: EpochInput) -> Vector:
    """Stake as shares of the subnet's whole, without those below the threshold, save the owner.

    Units: stake has 64 fraction bits, the shares 32; both steps round down.
    Source: epoch/run_epoch.rs::epoch_mechanism, epoch/math.rs::inplace_normalize_64
    """
    threshold_q64 = epoch.parameters.stake_threshold_rao << 64
    counted = [
        s if s >= threshold_q64 or uid == epoch.owner_uid else 0
        for uid, s in enumerate(epoch.stakes_q64)
    ]
    total = sum(counted)
    return [(s << 64) // total >> 32 for s in counted] if total else [s >> 32 for s in counted]


def new_permits(epoch: EpochInput, stake: Vector) -> list[bool]:
    """Who may set weights from the next epoch on: the largest stakes, up to the subnet's limit.

    Of equal stakes the higher uid goes first. Without stake there is no permit, save for the owner,
    who always has one.

    Source: epoch/math.rs::is_topk_nonzero
    """
    limit = epoch.parameters.max_validators
    ascending = sorted(range(len(stake)), key=lambda uid: stake[uid])
    permits = [s != 0 for s in stake]
    for uid in ascending[: max(0, len(stake) - limit)]:
        permits[uid] = False
    return with_owner(permits, epoch.owner_uid)


def with_owner(permits: Sequence[bool], owner_uid: int | None) -> list[bool]:
    """The permits and the owner's.

    Source: epoch/run_epoch.rs::epoch_mechanism, `owner_permit`
    """
    return [bool(held) or uid == owner_uid for uid, held in enumerate(permits)]


def admitted_weights(epoch: EpochInput, speakers: Sequence[bool]) -> Matrix:
    """The weights that count, in the units in which they were set.

    Left out: rows without a permit; what a validator says of itself, save the owner; what was said
    of a uid before its present holder registered; and, under commit-reveal, what was committed
    before then.

    Source: epoch/math.rs::vec_mask_sparse_matrix, mask_diag_sparse_except_index
    """
    n = len(speakers)
    admitted: Matrix = [{} for _ in range(n)]
    for i in range(n):
        if not speakers[i]:
            continue
        commit = None if epoch.commit_blocks is None else epoch.commit_blocks[i]
        for j, weight_u16 in pairs_of(epoch.weights.get(i, ())):
            if j >= n or (i == j and i != epoch.owner_uid):
                continue
            registered = epoch.registered_at[j]
            if epoch.last_updates[i] <= registered or (commit is not None and commit < registered):
                continue
            admitted[i][j] = weight_u16 << 32
    return admitted


# 2. Consensus


def weighted_medians(stake: Vector, weights: Matrix, n: int, kappa: int) -> Vector:
    """For each miner the largest weight that stake of at least kappa supports.

    Source: epoch/math.rs::weighted_median_col_sparse
    Differs: found by sorting instead of by the original's pivot search, which a property test holds
    equal.
    """
    voters = [i for i, s in enumerate(stake) if s > 0]
    votes = normalized([stake[i] for i in voters])
    minority = sub_q32(sum(votes), kappa)
    return [
        weighted_median(votes, [weights[i].get(j, 0) for i in voters], minority) for j in range(n)
    ]


def weighted_median(stake: Vector, scores: Vector, minority: int) -> int:
    """The first score, in rising order, at which the stake so far exceeds the minority.

    If none does, the last. With a tie at exactly the minority the higher score wins; no voters, no
    score.

    Source: epoch/math.rs::weighted_median
    """
    counted = score = 0
    for score, held in sorted(zip(scores, stake, strict=True)):
        counted += held
        if counted > minority:
            return score
    return score


def clipped_weights(weights: Matrix, consensus: Vector) -> Matrix:
    """Wc_ij = min(W_ij, C_j): nobody may go beyond the consensus.

    Source: epoch/math.rs::col_clip_sparse
    """
    return [{j: min(w, consensus[j]) for j, w in row.items()} for row in weights]


# 3. Incentive


def stake_weighted_sums(weights: Matrix, stake: Vector, n: int) -> Vector:
    """R_j = sum_i A_i W_ij, each product rounded down.

    Source: epoch/math.rs::matmul_sparse
    """
    sums = [0] * n
    for i, row in enumerate(weights):
        for j, weight in row.items():
            sums[j] = add_q32(sums[j], mul_q32(stake[i], weight))
    return sums


# 4. Bonds and dividends


def yuma2_bonds(
    epoch: EpochInput, backed: Matrix, active_stake: Vector, incentive: Vector
) -> tuple[Matrix, Vector]:
    """The bonds to store, and the dividends that they earn.

    A bond is an average over the epochs of the share of a miner that the validator bought in each.

    Source: epoch/run_epoch.rs::epoch_mechanism, the branch without Yuma3On
    """
    purchased = columns_normalized(stake_in_columns(backed, active_stake))
    held = columns_normalized(admitted_bonds(epoch))
    alpha = bonds_alpha(epoch.parameters.bonds_moving_average_ppm)
    bonds = columns_normalized(moving_average(purchased, held, alpha))
    dividends = [sum(mul_q32(b, incentive[j]) for j, b in row.items()) for row in bonds]
    return columns_upscaled(bonds), normalized(dividends)


def interpolated(weights: Matrix, clipped: Matrix, beta: int) -> Matrix:
    """W + beta (Wc - W): how much of a weight still buys bonds; with beta = 1, nothing beyond C.

    Source: epoch/math.rs::interpolate_sparse
    """
    if beta == 0:
        return weights
    if beta == ONE_Q32:
        return clipped
    return [
        {j: add_q32(w, mul_q32(beta, sub_q32(clipped[i].get(j, 0), w))) for j, w in row.items()}
        for i, row in enumerate(weights)
    ]


def stake_in_columns(weights: Matrix, stake: Vector) -> Matrix:
    """W_ij A_i: the bonds each validator would buy now.

    Source: epoch/math.rs::row_hadamard_sparse
    """
    return [{j: mul_q32(w, stake[i]) for j, w in row.items()} for i, row in enumerate(weights)]


def admitted_bonds(epoch: EpochInput) -> Matrix:
    """The stored bonds, without those on neurons that registered since the last epoch.

    Before the first epoch the block one tempo ago stands in for it.

    Source: epoch/math.rs::scalar_vec_mask_sparse_matrix
    """
    n = len(epoch.registered_at)
    last_epoch = (
        epoch.last_step_block + 1
        if epoch.last_step_block
        else max(0, epoch.block - epoch.parameters.tempo_blocks)
    )
    admitted: Matrix = [{} for _ in range(n)]
    for i in range(n):
        for j, bond_u16 in pairs_of(epoch.bonds.get(i, ())):
            if j < n and epoch.registered_at[j] < last_epoch:
                admitted[i][j] = bond_u16 << 32
    return admitted


def bonds_alpha(moving_average_ppm: int) -> int:
    """The share of a new observation in the bonds' average: one minus the configured memory.

    The memory is rounded down from 64 to 32 fraction bits, so alpha comes out a unit of 2^-32 high
    at most.

    Source: epoch/run_epoch.rs::compute_ema_bonds_normal_sparse
    """
    memory = clamped(trunc_div(moving_average_ppm << 64, 1_000_000) >> 32, -(2**63), 2**63 - 1)
    return sub_q32(ONE_Q32, memory)


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


def columns_upscaled(bonds: Matrix) -> Matrix:
    """Each column divided by its maximum: the form in which 16 bits store bonds best.

    Source: epoch/math.rs::inplace_col_max_upscale_sparse
    """
    largest: Row = {}
    for row in bonds:
        for j, bond in row.items():
            largest[j] = max(largest.get(j, 0), bond)
    return [{j: div_q32(bond, largest[j]) for j, bond in row.items()} for row in bonds]


def stored_row(row: Row) -> SparseRow:
    """A row of bonds in 16 bits, rounded down. Idle bonds therefore lose a unit per epoch.

    Source: epoch/math.rs::fixed_proportion_to_u16
    """
    return tuple((j, u16_share_of_q32(bond)) for j, bond in row.items())


# 5. Emission


def emission_shares(
    incentive: Vector, dividends: Vector, fallback: Vector
) -> tuple[Vector, Vector, Vector]:
    """What servers, validators and both together get of the epoch's emission, as shares of it.

    Where nobody agreed on anything the validators share by stake instead, and servers get nothing.

    Source: epoch/run_epoch.rs::epoch_mechanism, `emission_sum`
    """
    combined = [add_q32(i, d) for i, d in zip(incentive, dividends, strict=True)]
    total = sum(combined)
    if total == 0:
        return incentive, fallback, fallback
    servers = [div_q32(i, total) for i in incentive]
    validators = [div_q32(d, total) for d in dividends]
    return servers, validators, normalized(combined)


def amounts(shares: Vector, emission_rao: int) -> tuple[int, ...]:
    """Shares of the emission in whole rao, rounded down.

    Source: epoch/run_epoch.rs::epoch_mechanism, I96F32 products
    """
    return tuple(u64_of_q32(share * emission_rao) for share in shares)


def shares_u16(shares: Vector) -> tuple[int, ...]:
    """Shares as the chain stores them: 16 bits, rounded down.

    Source: epoch/math.rs::fixed_proportion_to_u16
    """
    return tuple(u16_share_of_q32(share) for share in shares)


# Vectors and matrices


def normalized(vector: Vector) -> Vector:
    """Scaled to the sum of one, rounded toward zero; a zero sum leaves it as it is.

    Source: epoch/math.rs::inplace_normalize
    """
    total = sum(vector)
    return [div_q32(value, total) for value in vector] if total else vector


def rows_normalized(matrix: Matrix) -> Matrix:
    """Each row with a positive sum scaled to the sum of one.

    Source: epoch/math.rs::inplace_row_normalize_sparse
    """
    return [dict(zip(row, normalized(list(row.values())), strict=True)) for row in matrix]


def columns_normalized(matrix: Matrix) -> Matrix:
    """Each column with a sum scaled to the sum of one.

    Source: epoch/math.rs::inplace_col_normalize_sparse
    """
    totals: Row = {}
    for row in matrix:
        for j, value in row.items():
            totals[j] = add_q32(totals.get(j, 0), value)
    return [
        {j: div_q32(v, totals[j]) if totals[j] else v for j, v in row.items()} for row in matrix
    ]
