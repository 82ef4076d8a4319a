"""Yuma consensus on arrays: the same function as `kernel.run_epoch`, bit for bit.

Read `kernel` first; names and steps are the same here. Only rows that can matter are laid out, as a
block or as entries: see `layouts`. Arithmetic is unsigned: see `arrays`.

Outside of the bounds in which that is exact, which a sane subnet never leaves, the clear kernel
answers instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mycelia.pallets.subtensor.epoch import kernel
from mycelia.pallets.subtensor.epoch.alpha import speeds_of
from mycelia.pallets.subtensor.epoch.arrays import (
    LOW,
    ONE,
    SHIFT,
    U64,
    div,
    liquid_alphas,
    mul,
    normalized,
)
from mycelia.pallets.subtensor.epoch.bonds import bonds_alpha, bonds_count_before
from mycelia.pallets.subtensor.epoch.layouts import Layout, Named, layout_for, named
from mycelia.pallets.subtensor.epoch.matrices import normalized as normalized_list
from mycelia.pallets.subtensor.epoch.types import EpochInput, EpochOutput, SparseRow
from mycelia.primitives.fixed import ONE_Q32, U16_MAX, q32_of_u16_share

MAX_ROWS: Final = 2**15 - 1
"""Beyond it the original's column sums of stored bonds may saturate."""
MAX_STEEPNESS_PERCENT: Final = 2**15
NEVER: Final = 2**64 - 1

Layouts = Callable[..., Layout]


class _Unbounded(Exception):
    """A number would leave the bounds in which this kernel is exact."""


@dataclass(frozen=True)
class Said:
    """What counts of an epoch's input, laid out: `weights` and `bonds` are cells of 16 bits.

    `uids` has the uid of each row, `stake` its active stake; the entries keep the order in which
    rows name them, which matters where absent entries do not decay.
    """

    layout: Layout
    uids: list[int]
    stake: U64
    weight_entries: Named
    bond_entries: Named
    weights: U64
    bonds: U64


def run_epoch(epoch: EpochInput, layouts: Layouts = layout_for) -> EpochOutput:
    """Decide the outcome of one epoch. Tests hand in a layout; otherwise the size decides."""
    if _is_plain(epoch):
        try:
            return _run_epoch(epoch, layouts)
        except _Unbounded:
            pass
    return kernel.run_epoch(epoch)


def _is_plain(epoch: EpochInput) -> bool:
    """Whether shares stay shares under the subnet's parameters."""
    parameters = epoch.parameters
    return (
        len(epoch.stakes_q64) > 0
        and parameters.bonds_moving_average_ppm <= 1_000_000
        and parameters.alpha_low_u16 <= parameters.alpha_high_u16
        and abs(parameters.alpha_steepness_percent) <= MAX_STEEPNESS_PERCENT
    )


def _run_epoch(epoch: EpochInput, layouts: Layouts) -> EpochOutput:
    parameters = epoch.parameters
    n = len(epoch.stakes_q64)

    # 1. Who speaks.
    stake = kernel.normalized_stake(epoch)
    active = kernel.active_neurons(epoch)
    permits = kernel.new_permits(epoch, stake)
    speakers = kernel.with_owner(epoch.permits, epoch.owner_uid)
    active_stake = normalized_list(
        [s if active[i] and speakers[i] else 0 for i, s in enumerate(stake)]
    )
    said = laid_out(epoch, speakers, active_stake, layouts)
    layout = said.layout
    weights = rows_normalized(said)

    # 2. Consensus.
    kappa = q32_of_u16_share(parameters.kappa_u16)
    votes = normalized(said.stake)
    consensus = layout.medians(votes, weights, int(votes.sum()) - kappa)
    clipped = np.minimum(weights, layout.by_column(consensus))

    # 3. Incentive.
    incentive = normalized(layout.column_sums(mul(clipped, layout.by_row(said.stake))))

    # 4. Bonds and dividends.
    backed = interpolated(weights, clipped, q32_of_u16_share(parameters.bonds_penalty_u16))
    if epoch.rules.bonds_without_stake:
        bonds, order = averaged_weights(epoch, said, weights, backed, consensus)
        dividends = earned(epoch, said, bonds, incentive)
    else:
        bonds, dividends = yuma2_bonds(epoch, said, backed, incentive)
        order = None

    # 5. Emission.
    dividends = scattered(dividends, said.uids, n)
    validator_trust = scattered(layout.row_sums(clipped), said.uids, n)
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
        bonds=stored_rows(said, bonds, permits, order),
    )


# 1. Who speaks


def laid_out(
    epoch: EpochInput, speakers: Sequence[bool], active_stake: Sequence[int], layouts: Layouts
) -> Said:
    """The rows that can matter, with the weights and bonds that count."""
    n = len(speakers)
    spoke = [i for i in epoch.weights if i < n and speakers[i] and len(epoch.weights[i])]
    hold = [i for i in epoch.bonds if i < n and len(epoch.bonds[i])]
    staked = [i for i, s in enumerate(active_stake) if s]
    uids = sorted({*spoke, *hold, *staked})
    if len(uids) > MAX_ROWS:
        raise _Unbounded
    registered = np.array(epoch.registered_at, dtype=np.uint64)
    weights = admitted_weights(epoch, uids, speakers, registered)
    bonds = named(epoch.bonds, uids, n)
    bonds = bonds.where(registered[bonds.columns] < np.uint64(bonds_count_before(epoch)))
    layout = layouts(len(uids), n, weights, bonds)
    return Said(
        layout=layout,
        uids=uids,
        stake=np.array([active_stake[i] for i in uids], dtype=np.uint64),
        weight_entries=weights,
        bond_entries=bonds,
        weights=layout.cells(weights),
        bonds=layout.cells(bonds),
    )


def admitted_weights(
    epoch: EpochInput, uids: Sequence[int], speakers: Sequence[bool], registered: U64
) -> Named:
    """The weights that count."""
    weights = named(epoch.weights, [i if speakers[i] else -1 for i in uids], len(registered))
    since = registered[weights.columns]
    updated = np.array([epoch.last_updates[i] for i in uids], dtype=np.uint64)
    own = np.array([-1 if i == epoch.owner_uid else i for i in uids], dtype=np.intp)
    counts = (own[weights.rows] != weights.columns) & (updated[weights.rows] > since)
    if epoch.commit_blocks is not None:
        commits = [epoch.commit_blocks[i] for i in uids]
        blocks = np.array([NEVER if c is None else c for c in commits], dtype=np.uint64)
        counts &= blocks[weights.rows] >= since
    return weights.where(counts)


def rows_normalized(said: Said) -> U64:
    """Whole numbers to shares of their row's sum."""
    totals = np.maximum(said.layout.row_sums(said.weights), np.uint64(1))
    shares: U64 = (said.weights << SHIFT) // said.layout.by_row(totals)
    return shares


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


def yuma2_bonds(epoch: EpochInput, said: Said, backed: U64, incentive: U64) -> tuple[U64, U64]:
    """The bonds to store and the dividends they earn, both for the rows only."""
    layout = said.layout
    purchased = columns_normalized(layout, mul(backed, layout.by_row(said.stake)))
    totals = np.maximum(layout.column_sums(said.bonds), np.uint64(1))
    held = (said.bonds << SHIFT) // layout.by_column(totals)
    bonds = columns_normalized(layout, moving_average(epoch, purchased, held))
    dividends = normalized(layout.row_sums(mul(bonds, layout.by_column(incentive))))
    return div(bonds, layout.by_column(layout.column_peaks(bonds))), dividends


def averaged_weights(
    epoch: EpochInput, said: Said, weights: U64, backed: U64, consensus: U64
) -> tuple[U64, Named | None]:
    """The held bonds moved toward the weights, all at one speed or each at its own.

    Also in which order to store them, where it is not that of columns.
    """
    held = (said.bonds << SHIFT) // np.uint64(U16_MAX)
    if not (epoch.parameters.liquid_alpha and consensus.any()):
        return moving_average(epoch, backed, held), None
    layout = said.layout
    stay, seen, seen_held, order = (backed | held) != 0, backed, held, None
    if not epoch.rules.absent_entries_decay:
        entries = still_named(epoch, said, weights, backed)
        stay = layout.marks(entries)
        seen, seen_held = met(layout, entries, backed), met(layout, said.bond_entries, held)
        order = entries if seen is not backed else None
    reference = np.broadcast_to(layout.by_column(consensus), held.shape)
    alphas = liquid_alphas(
        reference[stay], seen[stay], seen_held[stay], speeds_of(epoch.parameters)
    )
    bonds = np.zeros_like(held)
    bonds[stay] = np.minimum(mul(held[stay], ONE - alphas) + mul(backed[stay], alphas), ONE)
    return bonds, order


def still_named(epoch: EpochInput, said: Said, weights: U64, backed: U64) -> Named:
    """The weights whose bonds stay, in the order in which they are read.

    What was cut to nothing is gone. A zero that was set stays, unless weights were mixed; those
    come out in the order of columns.
    """
    entries, beta = said.weight_entries, epoch.parameters.bonds_penalty_u16
    if beta == 0:
        return entries
    if beta == U16_MAX:
        return entries.where(said.layout.picked((backed != 0) | (weights == 0), entries))
    return entries.where(said.layout.picked(backed != 0, entries)).in_order()


def met(layout: Layout, entries: Named, cells: U64) -> U64:
    """The cells, without what a reader passes that goes forward only; usually all of them."""
    forward = entries.met(layout.shape[1])
    if forward.all():
        return cells
    return np.where(layout.marks(entries.where(forward)), cells, np.uint64(0))


def moving_average(epoch: EpochInput, new: U64, old: U64) -> U64:
    """The sum alpha new + (1 - alpha) old, products rounded down."""
    alpha = bonds_alpha(epoch.parameters.bonds_moving_average_ppm)
    return mul(new, np.uint64(alpha)) + mul(old, np.uint64(ONE_Q32 - alpha))


def earned(epoch: EpochInput, said: Said, bonds: U64, incentive: U64) -> U64:
    """Dividends where stake counts at the end, for the rows only."""
    layout = said.layout
    if epoch.rules.stake_weighted_columns:
        prices = bond_prices(said, bonds, incentive)
        pay = mul(layout.by_column(prices), bonds)
    else:
        pay = mul(columns_normalized(layout, bonds), layout.by_column(incentive))
    return normalized(mul(layout.row_sums(pay), said.stake))


def bond_prices(said: Said, bonds: U64, incentive: U64) -> U64:
    """p_j = I_j / sum_i A_i E_ij, the sum with 48 fraction bits."""
    layout = said.layout
    stake = layout.by_row(said.stake)
    half = np.uint64(16)
    backing = layout.column_sums(
        ((stake >> SHIFT) * bonds << half) + ((stake & LOW) * bonds >> half)
    )
    paid = (incentive > 0) & (backing > 0)
    prices = np.zeros_like(incentive)
    if paid.any():
        highest = (int(incentive[paid].max()) << 48) // int(backing[paid].min())
        if highest * int(layout.row_sums(bonds).max()) >= 2**95:
            raise _Unbounded
        prices[paid] = div(incentive[paid], backing[paid], shift=48)
    return prices


def stored_rows(
    said: Said, bonds: U64, permits: Sequence[bool], order: Named | None
) -> dict[int, SparseRow]:
    """Rows of permit holders in 16 bits, rounded down; what is zero before that is absent."""
    kind: type[np.unsignedinteger[Any]] = np.uint16 if len(permits) <= 2**16 else np.uint32
    empty = np.zeros((0, 2), dtype=kind)
    stored: dict[int, SparseRow] = {uid: empty for uid, held in enumerate(permits) if held}
    for row, uid in enumerate(said.uids):
        if permits[uid]:
            columns = None if order is None else order.columns[order.rows == row]
            columns, values = said.layout.row(bonds, row, columns)
            stored[uid] = kept = np.empty((len(columns), 2), dtype=kind)
            kept[:, 0], kept[:, 1] = columns, values * np.uint64(U16_MAX) >> SHIFT
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


# Vectors and cells


def columns_normalized(layout: Layout, cells: U64) -> U64:
    """Each column with a sum scaled to the sum of one."""
    return div(cells, layout.by_column(layout.column_sums(cells)))


def scattered(values: U64, uids: Sequence[int], n: int) -> U64:
    """Values of the rows at their uids, zero elsewhere."""
    vector = np.zeros(n, dtype=np.uint64)
    vector[list(uids)] = values
    return vector
