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
   later became consensus owns the larger part of j's success. The dividend D_i, in Yuma 2 simply
   sum_j B_ij I_j, is what validator i earns. `bonds` has the three families of this step: Yuma 2,
   Yuma 3 and our own; `alpha` has the speed at which bonds move.
5. *Emission*: miners share one half by I, validators the other half by D.

This version is for reading; `kernel_fast` is the same function on arrays. Numbers are I32F32
(`_q32`), see `fixed`; the order of operations and each rounding are part of the rules. Everything
is rounded down, so no step creates reward, and at most a few rao of an epoch's emission per neuron
stay unpaid.

A matrix is a list of rows, a row a dict from column to value. Whether an absent entry acts like a
zero one is part of the rules where it matters: see `EpochRules`.

Terms: kappa, beta (bonds penalty), alpha (speed of the bonds' average), permit, tempo:
docs/units.md.
Source: paths in this file are in subtensor's `pallets/subtensor/src`, spec 425 (the sparse path);
symbols follow its `docs/consensus.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mycelia.pallets.subtensor.epoch.bonds import BondSteps, bonds_and_dividends
from mycelia.pallets.subtensor.epoch.matrices import (
    Matrix,
    Row,
    Vector,
    normalized,
    rows_normalized,
    stake_weighted_sums,
)
from mycelia.pallets.subtensor.epoch.types import EpochInput, EpochOutput, SparseRow, pairs_of
from mycelia.primitives.fixed import (
    ONE_Q32,
    add_q32,
    div_q32,
    mul_q32,
    q32_of_u16_share,
    sub_q32,
    u16_share_of_q32,
    u64_of_q32,
)


@dataclass(frozen=True)
class Steps:
    """Everything an epoch works out, in order. Vectors by uid, matrices validators by miners."""

    stake: Vector
    active: list[bool]
    speakers: list[bool]
    permits: list[bool]
    active_stake: Vector
    weights: Matrix
    consensus: Vector
    clipped: Matrix
    ranks: Vector
    incentive: Vector
    backed: Matrix
    bonds: BondSteps
    servers: Vector
    validators: Vector
    combined: Vector


def run_epoch(epoch: EpochInput) -> EpochOutput:
    """Decide the outcome of one epoch.

    Source: epoch/run_epoch.rs::epoch_mechanism
    """
    steps = steps_of(epoch)
    return EpochOutput(
        active=tuple(steps.active),
        permits=tuple(steps.permits),
        stake_weights_u16=shares_u16(steps.stake),
        consensus_u16=shares_u16(steps.consensus),
        incentives_u16=shares_u16(steps.incentive),
        dividends_u16=shares_u16(steps.bonds.dividends),
        validator_trust_u16=shares_u16([sum(row.values()) for row in steps.clipped]),
        server_emissions_rao=amounts(steps.servers, epoch.emission_rao),
        validator_emissions_rao=amounts(steps.validators, epoch.emission_rao),
        emissions_rao=amounts(steps.combined, epoch.emission_rao),
        bonds={i: stored_row(row) for i, row in enumerate(steps.bonds.stored) if steps.permits[i]},
    )


def steps_of(epoch: EpochInput) -> Steps:
    """Yuma consensus, from who speaks to what everybody is paid.

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

    # 3. Incentive.
    ranks = stake_weighted_sums(clipped, active_stake, n)
    incentive = normalized(ranks)

    # 4. Bonds and dividends.
    beta = q32_of_u16_share(parameters.bonds_penalty_u16)
    backed = interpolated(weights, clipped, beta)
    bonds = bonds_and_dividends(epoch, backed, active_stake, consensus, incentive)

    # 5. Emission.
    fallback = active_stake if any(active_stake) else stake
    servers, validators, combined = emission_shares(incentive, bonds.dividends, fallback)
    return Steps(
        stake=stake,
        active=active,
        speakers=speakers,
        permits=permits,
        active_stake=active_stake,
        weights=weights,
        consensus=consensus,
        clipped=clipped,
        ranks=ranks,
        incentive=incentive,
        backed=backed,
        bonds=bonds,
        servers=servers,
        validators=validators,
        combined=combined,
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
    counted = counted_stake(epoch)
    total = sum(counted)
    return [(s << 64) // total >> 32 for s in counted] if total else [s >> 32 for s in counted]


def counted_stake(epoch: EpochInput) -> list[int]:
    """Stake in rao with 64 fraction bits; none for those below the threshold, save the owner."""
    threshold_q64 = epoch.parameters.stake_threshold_rao << 64
    return [
        s if s >= threshold_q64 or uid == epoch.owner_uid else 0
        for uid, s in enumerate(epoch.stakes_q64)
    ]


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
    score. Raising a score never lowers the result, raising kappa never raises it.

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

    A weight that is cut to nothing is absent from then on; one that was zero stays named.

    Source: epoch/math.rs::col_clip_sparse
    """
    return [
        {j: min(w, consensus[j]) for j, w in row.items() if consensus[j] > 0 or w == 0}
        for row in weights
    ]


# 4. What counts for bonds


def interpolated(weights: Matrix, clipped: Matrix, beta: int) -> Matrix:
    """W + beta (Wc - W): how much of a weight still buys bonds; with beta = 1, nothing beyond C.

    In between, rows come out in the order of columns, and only what is positive stays.

    Source: epoch/math.rs::interpolate_sparse
    """
    if beta == 0:
        return weights
    if beta == ONE_Q32:
        return clipped
    between: Matrix = []
    for row, cut in zip(weights, clipped, strict=True):
        mixed = {j: add_q32(w, mul_q32(beta, sub_q32(cut.get(j, 0), w))) for j, w in row.items()}
        between.append({j: mixed[j] for j in sorted(mixed) if mixed[j] > 0})
    return between


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
