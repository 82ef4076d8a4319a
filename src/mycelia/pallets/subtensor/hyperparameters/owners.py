"""AdminUtils: what owners do to their subnets besides setting parameters - mechanisms, slots, their own hotkey.

Source: subtensor@14bc6f9 `pallets/admin-utils/src/lib.rs`, `subnets/{mechanism,subnet}.rs`, `utils/rate_limiting.rs`.
"""

from __future__ import annotations

from typing import Final

from mycelia.codec import U8, U16
from mycelia.frame import Origin, Pallet, State, call, ensure
from mycelia.pallets.subtensor.epoch.mechanisms import MAX_MECHANISMS, Mechanisms
from mycelia.pallets.subtensor.epoch.results import Results, storage_index
from mycelia.pallets.subtensor.errors import (
    AdminActionProhibitedDuringWeightsWindow,
    CannotUseSystemAccount,
    InvalidValue,
    MechanismDoesNotExist,
    SubnetNotExists,
    TooManyUIDsPerMechanism,
    TrimmingWouldExceedMaxImmunePercentage,
    TxRateLimitExceeded,
)
from mycelia.pallets.subtensor.events import SubnetOwnerHotkeySet
from mycelia.pallets.subtensor.hyperparameters.admin import SET, Authority
from mycelia.pallets.subtensor.hyperparameters.table import MAX_UIDS
from mycelia.pallets.subtensor.registration.trimming import Trimming
from mycelia.pallets.subtensor.subnets.kernel import netuid_of_account
from mycelia.pallets.subtensor.subnets.limits import MECHANISM_COUNT, MECHANISM_SPLIT, TRIM
from mycelia.pallets.subtensor.types import SetSNOwnerHotkey
from mycelia.pallets.subtensor.weights.rows import Rows
from mycelia.primitives import AccountId, NetUid
from mycelia.primitives.fixed import U16_MAX

MECHANISM_LIMIT_BLOCKS: Final = 7_200
TRIM_LIMIT_BLOCKS: Final = 30 * 7_200
OWNER_HOTKEY_LIMIT_BLOCKS: Final = 50_400


class OwnerActions(Pallet, name="AdminUtils"):
    """What owners do to their subnets besides setting parameters."""

    authority: Authority
    trimming: Trimming
    mechanisms: Mechanisms
    results: Results
    rows: Rows

    def __init__(
        self,
        state: State,
        *,
        authority: Authority,
        trimming: Trimming,
        mechanisms: Mechanisms,
        results: Results,
        rows: Rows,
    ) -> None:
        super().__init__(
            state,
            authority=authority,
            trimming=trimming,
            mechanisms=mechanisms,
            results=results,
            rows=rows,
        )

    @call(
        index=64,
        weight=SET,
        emits=(SubnetOwnerHotkeySet,),
        fails=(SubnetNotExists, TxRateLimitExceeded, CannotUseSystemAccount),
    )
    def sudo_set_subnet_owner_hotkey(
        self, origin: Origin, netuid: NetUid, hotkey: AccountId
    ) -> None:
        """Name the owner's hotkey on a subnet; the same as `sudo_set_sn_owner_hotkey`. Root or owner."""
        self.sudo_set_sn_owner_hotkey(origin, netuid, hotkey)

    @call(
        index=67,
        weight=SET,
        emits=(SubnetOwnerHotkeySet,),
        fails=(SubnetNotExists, TxRateLimitExceeded, CannotUseSystemAccount),
    )
    def sudo_set_sn_owner_hotkey(self, origin: Origin, netuid: NetUid, hotkey: AccountId) -> None:
        """Name the owner's hotkey on a subnet, once a week. Root or owner."""
        # CHECK
        self.authority.owner_or_root(origin, netuid)
        ensure(self.authority.subnets.exists(netuid), SubnetNotExists)
        key = SetSNOwnerHotkey(netuid)
        passes = self.authority.limits.passes(key, OWNER_HOTKEY_LIMIT_BLOCKS)
        ensure(passes, TxRateLimitExceeded)
        ensure(netuid_of_account(hotkey) is None, CannotUseSystemAccount)
        # CHANGE
        self.authority.limits.mark(key)
        # TELL
        self.authority.subnets.set_owner_hotkey(netuid, hotkey)

    @call(
        index=76,
        weight=SET,
        fails=(
            AdminActionProhibitedDuringWeightsWindow,
            TxRateLimitExceeded,
            MechanismDoesNotExist,
            InvalidValue,
            TooManyUIDsPerMechanism,
        ),
    )
    def sudo_set_mechanism_count(self, origin: Origin, netuid: NetUid, mechanism_count: U8) -> None:
        """Choose how many mechanisms a subnet runs, once a day; a change makes shares equal. Root or owner."""
        # CHECK
        owner = self.authority.begin_owner_action(
            origin, netuid, MECHANISM_COUNT, MECHANISM_LIMIT_BLOCKS
        )
        ensure(self.authority.subnets.exists(netuid), MechanismDoesNotExist)
        ensure(0 < mechanism_count <= self.authority.network.max_mechanism_count, InvalidValue)
        slots = self.authority.parameters.max_allowed_uids[netuid]
        ensure(slots * mechanism_count <= MAX_UIDS, TooManyUIDsPerMechanism)
        # CHANGE
        self._change_count(netuid, mechanism_count)
        self.authority.end_owner_action(owner, netuid, MECHANISM_COUNT)

    @call(
        index=77,
        weight=SET,
        fails=(
            AdminActionProhibitedDuringWeightsWindow,
            TxRateLimitExceeded,
            MechanismDoesNotExist,
            InvalidValue,
        ),
    )
    def sudo_set_mechanism_emission_split(
        self, origin: Origin, netuid: NetUid, maybe_split: tuple[U16, ...] | None
    ) -> None:
        """Choose the mechanisms' shares, which add up to 65535, once a day; None for equal ones. Root or owner."""
        # CHECK
        owner = self.authority.begin_owner_action(
            origin, netuid, MECHANISM_SPLIT, MECHANISM_LIMIT_BLOCKS
        )
        ensure(self.authority.subnets.exists(netuid), MechanismDoesNotExist)
        if maybe_split is not None:
            ensure(0 < len(maybe_split) <= self.mechanisms.count(netuid), InvalidValue)
            ensure(sum(maybe_split) == U16_MAX, InvalidValue)
        # CHANGE
        self.mechanisms.set_split(netuid, maybe_split)
        self.authority.end_owner_action(owner, netuid, MECHANISM_SPLIT)

    @call(
        index=78,
        weight=SET,
        fails=(
            AdminActionProhibitedDuringWeightsWindow,
            TxRateLimitExceeded,
            SubnetNotExists,
            InvalidValue,
            TrimmingWouldExceedMaxImmunePercentage,
        ),
    )
    def sudo_trim_to_max_allowed_uids(self, origin: Origin, netuid: NetUid, max_n: U16) -> None:
        """Take slots away, those of the least earning neurons first, once a month. Root or owner."""
        owner = self.authority.begin_owner_action(origin, netuid, TRIM, TRIM_LIMIT_BLOCKS)
        self.trimming.trim(netuid, max_n)
        self.authority.end_owner_action(owner, netuid, TRIM)

    @call(index=88, weight=SET, fails=(InvalidValue,))
    def sudo_set_max_mechanism_count(self, origin: Origin, max_mechanism_count: U8) -> None:
        """Choose how many mechanisms a subnet may run. Root."""
        origin.root()
        ensure(0 < max_mechanism_count <= MAX_MECHANISMS, InvalidValue)
        self.authority.network.max_mechanism_count = max_mechanism_count

    def _change_count(self, netuid: NetUid, count: U8) -> None:
        """Make room for new mechanisms, or forget all of those with the highest numbers."""
        before = self.mechanisms.count(netuid)
        for index in (storage_index(netuid, each) for each in range(count, before)):
            self.results.remove_mechanism(index)
            self.rows.remove_mechanism(index)
        for index in (storage_index(netuid, each) for each in range(before, count)):
            self.results.add_mechanism(index, self.authority.neurons.size(netuid))
        if count != before:
            self.mechanisms.set_count(netuid, count)
