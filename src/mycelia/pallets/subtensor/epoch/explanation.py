"""Why a neuron was paid what it was paid: each step of one epoch, seen from one uid.

All of it comes out of the clear kernel, so a third party that has the same input finds the same
numbers, and can follow any of them by hand: with / and * as `fixed` rounds them,

- `stake` is `counted_rao_q64` / `counted_total_rao_q64`, and `active_stake` is that of those who
  are active and had a permit: stake / `active_total`;
- a weight is what was set / `row_total`, of what counts in the row;
- `consensus` is the weighted median of the votes' weights: the first in rising order at which the
  votes so far exceed `minority`;
- `rank` is the sum over votes of stake * clipped, and `incentive` is rank / `ranks_total`;
- each bond is (1 - alpha) * held + alpha * bought, and pays owned * rate; Yuma 2 and 3 make `owned`
  of it by dividing by the sum of such bonds on that miner, `bonds_total`;
- `earned` is the sum of what bonds pay, under rules without stake in bonds times `active_stake`, and
  `dividend` is earned / `earned_total`;
- `server_share` is incentive / `combined_total`, `validator_share` is dividend / `combined_total`,
  and an emission is its share * the epoch's emission.

Units: everything is a share with 32 fraction bits, except uids, flags, `set_u16` and `row_total` as
weights are set, `bond_u16` as it is stored, and what is in rao.
Source: `kernel` and `bonds`.
"""

from __future__ import annotations

from dataclasses import dataclass

from mycelia.pallets.subtensor.epoch.bonds import BondSteps
from mycelia.pallets.subtensor.epoch.kernel import (
    Steps,
    admitted_weights,
    amounts,
    counted_stake,
    steps_of,
)
from mycelia.pallets.subtensor.epoch.matrices import Matrix, Row, column_sums, normalized
from mycelia.pallets.subtensor.epoch.types import EpochInput
from mycelia.primitives.fixed import (
    ONE_Q32,
    mul_q32,
    q32_of_u16_share,
    sub_q32,
    u16_share_of_q32,
)


@dataclass(frozen=True)
class Vote:
    """What one validator with active stake says of the neuron. Without a weight it says zero."""

    validator: int
    stake: int
    vote: int
    set_u16: int
    row_total: int
    weight: int
    clipped: int
    rank: int


@dataclass(frozen=True)
class Bond:
    """What the neuron says of one miner and owns of it, and what that pays.

    `weight` is what was set as a share of the row; `clipped` within the consensus; `bought` what its bond
    moves to, at the speed `alpha`.
    """

    miner: int
    set_u16: int
    weight: int
    clipped: int
    bought: int
    held: int
    alpha: int
    averaged: int
    bonds_total: int
    owned: int
    rate: int
    pay: int
    bond_u16: int


@dataclass(frozen=True)
class Explanation:
    """One neuron's epoch, step by step. `votes` speak of it as a miner, `bonds` as a validator."""

    uid: int
    emission_rao: int
    counted_rao_q64: int
    counted_total_rao_q64: int
    stake: int
    is_active: bool
    had_permit: bool
    has_permit: bool
    active_total: int
    active_stake: int
    votes: tuple[Vote, ...]
    minority: int
    consensus: int
    rank: int
    ranks_total: int
    incentive: int
    row_total: int
    bonds: tuple[Bond, ...]
    validator_trust: int
    earned: int
    earned_total: int
    dividend: int
    combined_total: int
    server_share: int
    validator_share: int
    server_emission_rao: int
    validator_emission_rao: int


def explained(epoch: EpochInput, uid: int) -> Explanation:
    """The epoch as it went for one uid, which has to be one of the subnet's.

    Where nobody agreed on anything `combined_total` is zero, and the validators' shares are those of
    stake instead.
    """
    steps = steps_of(epoch)
    bonds, counted = steps.bonds, counted_stake(epoch)
    counting = admitted_weights(epoch, steps.speakers)
    votes = normalized([stake for stake in steps.active_stake if stake])
    combined_total = sum(steps.incentive) + sum(bonds.dividends)
    (server_rao,) = amounts([steps.servers[uid]], epoch.emission_rao)
    (validator_rao,) = amounts([steps.validators[uid]], epoch.emission_rao)
    return Explanation(
        uid=uid,
        emission_rao=epoch.emission_rao,
        counted_rao_q64=counted[uid],
        counted_total_rao_q64=sum(counted),
        stake=steps.stake[uid],
        is_active=steps.active[uid],
        had_permit=steps.speakers[uid],
        has_permit=steps.permits[uid],
        active_total=sum(
            stake
            for stake, active, spoke in zip(steps.stake, steps.active, steps.speakers, strict=True)
            if active and spoke
        ),
        active_stake=steps.active_stake[uid],
        votes=votes_on(steps, counting, uid),
        minority=sub_q32(sum(votes), q32_of_u16_share(epoch.parameters.kappa_u16)),
        consensus=steps.consensus[uid],
        rank=steps.ranks[uid],
        ranks_total=sum(steps.ranks),
        incentive=steps.incentive[uid],
        row_total=_total_u16(counting[uid]),
        bonds=bonds_of(steps, counting[uid], uid),
        validator_trust=sum(steps.clipped[uid].values()),
        earned=bonds.earned[uid],
        earned_total=sum(bonds.earned),
        dividend=bonds.dividends[uid],
        combined_total=combined_total,
        server_share=steps.servers[uid],
        validator_share=steps.validators[uid],
        server_emission_rao=server_rao,
        validator_emission_rao=validator_rao,
    )


def votes_on(steps: Steps, counting: Matrix, uid: int) -> tuple[Vote, ...]:
    """What each validator with active stake says of the uid."""
    voters = [i for i, stake in enumerate(steps.active_stake) if stake]
    votes = normalized([steps.active_stake[i] for i in voters])
    return tuple(
        Vote(
            validator=i,
            stake=steps.active_stake[i],
            vote=vote,
            set_u16=counting[i].get(uid, 0) >> 32,
            row_total=_total_u16(counting[i]),
            weight=steps.weights[i].get(uid, 0),
            clipped=(clipped := steps.clipped[i].get(uid, 0)),
            rank=mul_q32(steps.active_stake[i], clipped),
        )
        for i, vote in zip(voters, votes, strict=True)
    )


def bonds_of(steps: Steps, counting: Row, uid: int) -> tuple[Bond, ...]:
    """What the uid says of each miner, and owns of it."""
    bonds = steps.bonds
    weights, clipped = steps.weights[uid], steps.clipped[uid]
    bought, held, averaged = bonds.bought[uid], bonds.held[uid], bonds.averaged[uid]
    totals, owned, stored = column_sums(bonds.averaged), bonds.owned[uid], bonds.stored[uid]
    return tuple(
        Bond(
            miner=j,
            set_u16=counting.get(j, 0) >> 32,
            weight=weights.get(j, 0),
            clipped=clipped.get(j, 0),
            bought=bought.get(j, 0),
            held=held.get(j, 0),
            alpha=speed_of(bonds, uid, j),
            averaged=averaged.get(j, 0),
            bonds_total=totals.get(j, 0),
            owned=owned.get(j, 0),
            rate=bonds.rates[j],
            pay=mul_q32(owned.get(j, 0), bonds.rates[j]),
            bond_u16=u16_share_of_q32(stored.get(j, 0)),
        )
        for j in sorted(weights.keys() | held.keys())
    )


def speed_of(bonds: BondSteps, validator: int, miner: int) -> int:
    """The alpha of one bond: the whole where a bond goes at once."""
    if isinstance(bonds.alphas, int):
        return bonds.alphas
    return bonds.alphas[validator].get(miner, ONE_Q32)


def _total_u16(row: Row) -> int:
    """The sum of a row of weights, as they are set."""
    return sum(row.values()) >> 32
