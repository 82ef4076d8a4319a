"""Trimming: an owner takes slots away; the neurons that earn least lose theirs, the others move up.

Source: subtensor@14bc6f9 `subnets/uids.rs::trim_to_max_allowed_uids`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any, Final

import numpy as np

from mycelia.codec import U8, U16, scale
from mycelia.codec.scale import Named
from mycelia.frame import BoundMap, Constant, Pallet, State, ensure
from mycelia.pallets.subtensor.emission.payout import Payout
from mycelia.pallets.subtensor.epoch.mechanisms import Mechanisms
from mycelia.pallets.subtensor.epoch.results import fixed
from mycelia.pallets.subtensor.errors import (
    InvalidValue,
    SubnetNotExists,
    TrimmingWouldExceedMaxImmunePercentage,
)
from mycelia.pallets.subtensor.registration.pallet import Registration
from mycelia.pallets.subtensor.serving.pallet import Serving
from mycelia.pallets.subtensor.weights.rows import Rows
from mycelia.primitives import NetUid, Uid

MAX_IMMUNE_PERCENT: Final = 80
Percent = Annotated[U8, Named(scale(U8), "sp_arithmetic::per_things::Percent")]


def kept_uids(emissions_rao: Sequence[int], spared: Collection[int], slots: int) -> list[int]:
    """The uids that stay, ascending: all but those with the least emission, of equals the highest first.

    `spared` are never taken.
    """
    leaving: set[int] = set()
    surplus = len(emissions_rao) - slots
    for uid in sorted(range(len(emissions_rao)), key=lambda uid: (emissions_rao[uid], -uid)):
        if len(leaving) < surplus and uid not in spared:
            leaving.add(uid)
    return [uid for uid in range(len(emissions_rao)) if uid not in leaving]


class Trimming(Pallet, name="SubtensorModule"):
    """An owner takes slots away."""

    max_immune_uids_percentage = Constant(
        Percent,
        U8(MAX_IMMUNE_PERCENT),
        doc="Immune slots must stay below this share of a subnet's.",
    )

    registration: Registration
    mechanisms: Mechanisms
    rows: Rows
    serving: Serving
    payout: Payout

    def __init__(
        self,
        state: State,
        *,
        registration: Registration,
        mechanisms: Mechanisms,
        rows: Rows,
        serving: Serving,
        payout: Payout,
    ) -> None:
        super().__init__(
            state,
            registration=registration,
            mechanisms=mechanisms,
            rows=rows,
            serving=serving,
            payout=payout,
        )

    def trim(self, netuid: NetUid, slots: U16) -> None:
        """Allow that many slots, and take the surplus away."""
        registration = self.registration
        chosen = registration.subnets.parameters
        # CHECK
        ensure(registration.subnets.exists(netuid), SubnetNotExists)
        low, high = chosen.min_allowed_uids[netuid], chosen.max_allowed_uids[netuid]
        ensure(low <= slots <= high, InvalidValue)
        count = registration.neurons.size(netuid)
        if count > slots:
            owners = registration.immortal(netuid)
            spared = [
                uid
                for uid in range(count)
                if uid in owners or registration.is_immune(netuid, Uid(uid))
            ]
            percent = len(spared) * 100 // max(1, slots)
            ensure(percent < MAX_IMMUNE_PERCENT, TrimmingWouldExceedMaxImmunePercentage)
            # CHANGE
            self._keep(netuid, kept_uids(registration.results.emission[netuid], spared, slots))
        chosen.max_allowed_uids[netuid] = slots

    def _keep(self, netuid: NetUid, kept: list[int]) -> None:
        registration, results = self.registration, self.registration.results
        for hotkey in registration.neurons.keep(netuid, kept):
            self.serving.forget(netuid, hotkey)
            del self.payout.alpha_dividends_per_subnet[netuid, hotkey]
        for column in (
            results.active,
            results.consensus,
            results.dividends,
            results.validator_trust,
            results.validator_permit,
            results.stake_weight,
        ):
            _shorten(column, netuid, kept)
        emission = results.emission[netuid]
        results.emission[netuid] = tuple(emission[uid] for uid in kept)
        for index in self.mechanisms.indexes(netuid):
            _shorten(results.incentive, index, kept)
            _shorten(results.last_update, index, kept)
            self._renumber(self.rows.weights, index, kept)
            self._renumber(results.bonds, index, kept)

    @staticmethod
    def _renumber(rows: BoundMap[Any, Any], index: int, kept: list[int]) -> None:
        """Move rows to the new uids of their setters; what they say of lost uids goes."""
        new_uid = {old: new for new, old in enumerate(kept)}
        former = dict(rows.under(index))
        rows.clear(index)
        for setter, row in former.items():
            if setter in new_uid:
                pairs = [(new_uid[uid], value) for uid, value in row.tolist() if uid in new_uid]
                moved = np.array(pairs, np.uint16).reshape(-1, 2)
                rows[index, Uid(new_uid[setter])] = fixed(moved)


def _shorten(column: BoundMap[Any, Any], key: Any, kept: list[int]) -> None:
    """Leave a column's values of the kept uids; a column that is too short has zeros."""
    values = column[key]
    longest = np.zeros(max(len(values), kept[-1] + 1 if kept else 0), values.dtype)
    longest[: len(values)] = values
    column[key] = fixed(longest[kept])
