"""Yuma consensus on arrays: the same function as `kernel.run_epoch`, bit for bit.

Read `kernel` first; names and steps are the same here. Only rows that can matter are laid out, as
dense blocks of (validators, neurons). In Yuma 2 an absent entry and a zero one act alike, so a
block needs no mask of presence.

All shares here lie in [0, 1] = [0, 2^32], which makes unsigned 64-bit arithmetic exact:

- a product needs 65 bits only where both factors are one, so one factor is split at bit 32 before
  multiplying;
- a quotient of shares is taken in two steps, of 30 bits and of 2;
- sums of shares fit for 2^30 neurons, sums of 16-bit weights and bonds for any number of them.

Outside of those bounds, which a sane subnet never leaves, the clear kernel answers instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mycelia.pallets.subtensor.epoch import kernel
from mycelia.pallets.subtensor.epoch.types import EpochInput, EpochOutput, SparseRow
from mycelia.primitives.fixed import ONE_Q32, U16_MAX, q32_of_u16_share

U64 = NDArray[np.uint64]
Bools = NDArray[np.bool_]

SHIFT = np.uint64(32)
LOW = np.uint64(ONE_Q32 - 1)
FIRST_SHIFT, SECOND_SHIFT = np.uint64(30), np.uint64(2)
MAX_ROWS = 2**15 - 1
"""Beyond it the original's column sums of stored bonds may saturate."""


def run_epoch(epoch: EpochInput) -> EpochOutput:
    """Decide the outcome of one epoch by the rules of Yuma 2."""
    parameters = epoch.parameters
    n = len(epoch.stakes_q64)
    if n == 0 or parameters.bonds_moving_average_ppm > 1_000_000:
        return kernel.run_epoch(epoch)

    # 1. Who speaks.
    stake = kernel.normalized_stake(epoch)
    active = kernel.active_neurons(epoch)
    permits = kernel.new_permits(epoch, stake)
    speakers = kernel.with_owner(epoch.permits, epoch.owner_uid)
    active_stake = kernel.normalized(
        [s if active[i] and speakers[i] else 0 for i, s in enumerate(stake)]
    )
    rows = [
        i
        for i in range(n)
        if (speakers[i] and len(epoch.weights.get(i, ())))
        or len(epoch.bonds.get(i, ()))
        or active_stake[i]
    ]
    if len(rows) > MAX_ROWS:
        return kernel.run_epoch(epoch)
    held_stake = np.array([active_stake[i] for i in rows], dtype=np.uint64)
    registered = np.array(epoch.registered_at, dtype=np.uint64)
    weights = rows_normalized(admitted_weights(epoch, rows, speakers, registered))

    # 2. Consensus.
    consensus = weighted_medians(held_stake, weights, q32_of_u16_share(parameters.kappa_u16))
    clipped = np.minimum(weights, consensus)

    # 3. Incentive.
    incentive = normalized(mul(clipped, held_stake[:, None]).sum(axis=0))

    # 4. Bonds and dividends.
    backed = interpolated(weights, clipped, q32_of_u16_share(parameters.bonds_penalty_u16))
    bonds, dividends = yuma2_bonds(epoch, rows, registered, backed, held_stake, incentive)

    # 5. Emission.
    dividends = scattered(dividends, rows, n)
    validator_trust = scattered(clipped.sum(axis=1), rows, n)
    servers, validators, combined = emission_shares(
        incentive, dividends, np.array(active_stake if any(active_stake) else stake, np.uint64)
    )
    return EpochOutput(
        active=tuple(active),
        permits=tuple(permits),
        stake_weights_u16=kernel.shares_u16(stake),
        consensus_u16=shares_u16(consensus),
        incentives_u16=shares_u16(incentive),
        dividends_u16=shares_u16(dividends),
        validator_trust_u16=shares_u16(validator_trust),
        server_emissions_rao=amounts(servers, epoch.emission_rao),
        validator_emissions_rao=amounts(validators, epoch.emission_rao),
        emissions_rao=amounts(combined, epoch.emission_rao),
        bonds=stored_rows(bonds, rows, permits),
    )


# 1. Who speaks


def admitted_weights(
    epoch: EpochInput, rows: Sequence[int], speakers: Sequence[bool], registered: U64
) -> U64:
    """The weights that count, as whole 16-bit numbers; zero where left out."""
    weights = block_of(epoch.weights, [i if speakers[i] else -1 for i in rows], len(registered))
    others = [at for at, uid in enumerate(rows) if uid != epoch.owner_uid]
    weights[others, [rows[at] for at in others]] = 0
    updated = np.array([epoch.last_updates[i] for i in rows], dtype=np.uint64)
    weights[updated[:, None] <= registered] = 0
    if epoch.commit_blocks is not None:
        commits = [epoch.commit_blocks[i] for i in rows]
        never = 2**64 - 1
        blocks = np.array([never if c is None else c for c in commits], dtype=np.uint64)
        weights[blocks[:, None] < registered] = 0
    return weights


def block_of(entries: Mapping[int, SparseRow], rows: Sequence[int], n: int) -> U64:
    """The named rows laid out densely; columns beyond n are dropped, rows -1 stay zero."""
    block = np.zeros((len(rows), n), dtype=np.uint64)
    for at, uid in enumerate(rows):
        row = entries.get(uid, ())
        if len(row):
            pairs = np.array(row, dtype=np.int64)
            pairs = pairs[pairs[:, 0] < n]
            block[at, pairs[:, 0]] = pairs[:, 1]
    return block


def rows_normalized(weights_u16: U64) -> U64:
    """Whole numbers to shares of their row's sum."""
    totals = weights_u16.sum(axis=1, keepdims=True)
    shares: U64 = (weights_u16 << SHIFT) // np.maximum(totals, np.uint64(1))
    return shares


# 2. Consensus


def weighted_medians(stake: U64, weights: U64, kappa: int) -> U64:
    """For each miner the largest weight that stake of at least kappa supports."""
    voters = np.flatnonzero(stake)
    if len(voters) == 0:
        return np.zeros(weights.shape[1], dtype=np.uint64)
    votes = normalized(stake[voters])
    minority = int(votes.sum()) - kappa
    scores = weights[voters]
    order = np.argsort(scores, axis=0, kind="stable")
    counted = np.cumsum(votes[order], axis=0).astype(np.int64)
    exceeds = counted > minority
    exceeds[-1] = True
    first = exceeds.argmax(axis=0)
    columns = np.arange(weights.shape[1])
    medians: U64 = scores[order[first, columns], columns]
    return medians


# 4. Bonds and dividends


def interpolated(weights: U64, clipped: U64, beta: int) -> U64:
    """W + beta (Wc - W), the product rounded down, hence away from zero."""
    if beta == 0:
        return weights
    if beta == ONE_Q32:
        return clipped
    product = (weights - clipped) * np.uint64(beta)
    taken: U64 = (product >> SHIFT) + ((product & LOW) != 0)
    return weights - taken


def yuma2_bonds(
    epoch: EpochInput,
    rows: Sequence[int],
    registered: U64,
    backed: U64,
    stake: U64,
    incentive: U64,
) -> tuple[U64, U64]:
    """The bonds to store and the dividends they earn, both for the rows only."""
    purchased = columns_normalized(mul(backed, stake[:, None]))
    held = block_of(epoch.bonds, rows, len(registered))
    last_epoch = (
        epoch.last_step_block + 1
        if epoch.last_step_block
        else max(0, epoch.block - epoch.parameters.tempo_blocks)
    )
    held[:, registered >= np.uint64(last_epoch)] = 0
    totals = np.maximum(held.sum(axis=0), np.uint64(1))
    held = (held << SHIFT) // totals
    alpha = kernel.bonds_alpha(epoch.parameters.bonds_moving_average_ppm)
    averaged = mul(purchased, np.uint64(alpha)) + mul(held, np.uint64(ONE_Q32 - alpha))
    bonds = columns_normalized(averaged)
    dividends = normalized(mul(bonds, incentive).sum(axis=1))
    return div(bonds, bonds.max(axis=0, initial=0)), dividends


def stored_rows(bonds: U64, rows: Sequence[int], permits: Sequence[bool]) -> dict[int, SparseRow]:
    """Rows of permit holders in 16 bits, rounded down; what is zero before that is absent."""
    empty = np.zeros((0, 2), dtype=np.uint16)
    stored: dict[int, SparseRow] = {uid: empty for uid, held in enumerate(permits) if held}
    bonds_u16 = bonds * np.uint64(U16_MAX) >> SHIFT
    for at, uid in enumerate(rows):
        if permits[uid]:
            columns = np.flatnonzero(bonds[at])
            stored[uid] = np.stack((columns, bonds_u16[at, columns]), axis=1).astype(np.uint16)
    return stored


# 5. Emission


def emission_shares(incentive: U64, dividends: U64, fallback: U64) -> tuple[U64, U64, U64]:
    """What servers, validators and both together get of the epoch's emission, as shares of it."""
    combined = incentive + dividends
    total = combined.sum()
    if total == 0:
        return incentive, fallback, fallback
    return div(incentive, total), div(dividends, total), div(combined, total)


def amounts(shares: U64, emission_rao: int) -> tuple[int, ...]:
    """Shares of the emission in whole rao, rounded down; the emission is split at bit 32."""
    high, low = np.uint64(emission_rao >> 32), np.uint64(emission_rao & (ONE_Q32 - 1))
    return tuple((shares * high + (shares * low >> SHIFT)).tolist())


def shares_u16(shares: U64) -> tuple[int, ...]:
    """Shares as the chain stores them: 16 bits, rounded down."""
    return tuple(np.minimum(shares * np.uint64(U16_MAX) >> SHIFT, np.uint64(U16_MAX)).tolist())


# Shares: unsigned, 32 fraction bits, at most one


def mul(a: U64, b: U64 | np.uint64) -> U64:
    """Product of shares, rounded down."""
    return (a >> SHIFT) * b + ((a & LOW) * b >> SHIFT)


def div(a: U64, b: U64 | np.uint64) -> U64:
    """Quotient rounded down; 0 for a zero divisor, which is always the sum of zero numerators.

    Shifting by 32 at once would leave 64 bits where the numerator is one or more, so it is done in
    two steps.
    """
    b = np.maximum(b, np.uint64(1))
    quotient, rest = np.divmod(a << FIRST_SHIFT, b)
    return (quotient << SECOND_SHIFT) + (rest << SECOND_SHIFT) // b


def normalized(vector: U64) -> U64:
    """Scaled to the sum of one; a zero sum leaves it as it is."""
    return div(vector, vector.sum())


def columns_normalized(matrix: U64) -> U64:
    """Each column with a sum scaled to the sum of one."""
    return div(matrix, matrix.sum(axis=0))


def scattered(values: U64, rows: Sequence[int], n: int) -> U64:
    """Values of the rows at their uids, zero elsewhere."""
    vector = np.zeros(n, dtype=np.uint64)
    vector[list(rows)] = values
    return vector
