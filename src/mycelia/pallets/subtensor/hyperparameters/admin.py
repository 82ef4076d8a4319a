"""AdminUtils: the calls that change parameters. Most follow from the tables; a few have rules of their own.

Who may call: root always; the owner of the subnet where the row names a rate limit for it. Owners mostly wait
`OwnerHyperparamRateLimit` epochs between two changes of one parameter, and nobody changes a frozen parameter within
`AdminFreezeWindow` blocks of the subnet's epoch.

Source: subtensor@14bc6f9 `pallets/admin-utils/src/lib.rs`, `utils/misc.rs::ensure_sn_owner_or_root_with_limits`.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from typing import Any, Final

from mycelia.codec import U16
from mycelia.frame import BadOrigin, Origin, Pallet, State, call, ensure
from mycelia.pallets.subtensor.cost import cost
from mycelia.pallets.subtensor.epoch.schedule import Schedule
from mycelia.pallets.subtensor.errors import (
    AdminActionProhibitedDuringWeightsWindow,
    AlphaHighTooLow,
    AlphaLowOutOfRange,
    LiquidAlphaDisabled,
    TempoOutOfBounds,
    TooManyUIDsPerMechanism,
    TxRateLimitExceeded,
)
from mycelia.pallets.subtensor.hyperparameters import errors
from mycelia.pallets.subtensor.hyperparameters.parameter import (
    UNLIMITED,
    VERSION_KEY,
    Admin,
    GlobalParameter,
    Parameter,
)
from mycelia.pallets.subtensor.hyperparameters.table import (
    MAX_TEMPO,
    MAX_UIDS,
    MIN_TEMPO,
    Hyperparameters,
    NetworkParameters,
    TempoSet,
)
from mycelia.pallets.subtensor.needs import Choices
from mycelia.pallets.subtensor.registration.neurons import Neurons
from mycelia.pallets.subtensor.subnets.limits import (
    SET_TEMPO,
    SET_WEIGHTS_VERSION_KEY,
    RateLimits,
)
from mycelia.pallets.subtensor.subnets.pallet import Subnets
from mycelia.pallets.subtensor.types import OwnerHyperparamUpdate, parameter_id
from mycelia.primitives import AccountId, NetUid

SET: Final = cost(260_000_000, 4_400)
ALPHA_LEAST_U16: Final = 1_638
FAST_LIMIT_BLOCKS: Final = 1
"""How long owners of a fast network wait between two actions."""
Check = Callable[["Authority", NetUid, int], None]


class Authority:
    """What the calls need to decide and to act; not part of the state."""

    def __init__(
        self,
        *,
        parameters: Hyperparameters,
        network: NetworkParameters,
        subnets: Subnets,
        neurons: Neurons,
        limits: RateLimits,
        schedule: Schedule,
        rules: Choices,
    ) -> None:
        self.parameters, self.network, self.subnets = parameters, network, subnets
        self.neurons = neurons
        self.limits, self.schedule, self.rules = limits, schedule, rules

    def owner_or_root(self, origin: Origin, netuid: NetUid) -> AccountId | None:
        """The owner, if it calls; None for root; `BadOrigin` for anybody else."""
        if origin.is_root:
            return None
        ensure(origin.signed() == self.subnets.owner_of(netuid), BadOrigin)
        return origin.signed()

    def check_window(self, netuid: NetUid) -> None:
        """Refuse changes shortly before the subnet's epoch."""
        remaining = self.schedule.blocks_until_epoch(netuid)
        ensure(
            remaining is None or remaining >= self.network.admin_freeze_window,
            AdminActionProhibitedDuringWeightsWindow,
        )

    def check_owner_limit(self, owner: AccountId | None, netuid: NetUid, row: str) -> None:
        """`TxRateLimitExceeded` where the owner changed the parameter too recently. Root never waits."""
        if owner is None or row == UNLIMITED:
            return
        tempo = self.parameters.tempo[netuid]
        if row == VERSION_KEY:
            limit = tempo * self.network.weights_version_key_rate_limit
            passes = self.limits.owner_passes(owner, netuid, SET_WEIGHTS_VERSION_KEY, limit)
        else:
            limit = tempo * self.network.owner_hyperparam_rate_limit
            passes = self.limits.passes(OwnerHyperparamUpdate(netuid, parameter_id(row)), limit)
        ensure(passes, TxRateLimitExceeded)

    def mark_owner(self, owner: AccountId | None, netuid: NetUid, row: str) -> None:
        """Remember that the owner changed the parameter now."""
        if owner is None or row == UNLIMITED:
            return
        if row == VERSION_KEY:
            self.limits.mark_owner(owner, netuid, SET_WEIGHTS_VERSION_KEY)
        else:
            self.limits.mark(OwnerHyperparamUpdate(netuid, parameter_id(row)))

    def begin_owner_action(
        self, origin: Origin, netuid: NetUid, what: U16, limit_blocks: int
    ) -> AccountId | None:
        """Check who acts on a subnet, how often and when; the owner, if it does. Root never waits."""
        owner = self.owner_or_root(origin, netuid)
        if owner is not None:
            limit = FAST_LIMIT_BLOCKS if self.rules.is_fast() else limit_blocks
            passes = self.limits.owner_passes(owner, netuid, what, limit)
            ensure(passes, TxRateLimitExceeded)
        self.check_window(netuid)
        return owner

    def end_owner_action(self, owner: AccountId | None, netuid: NetUid, what: U16) -> None:
        """Remember what the owner did."""
        if owner is not None:
            self.limits.mark_owner(owner, netuid, what)

    def set_parameter(
        self, origin: Origin, netuid: NetUid, row: Parameter[Any], admin: Admin, value: Any
    ) -> None:
        """Check and change one parameter of a subnet."""
        # CHECK
        owner = None
        if admin.owner:
            owner = self.owner_or_root(origin, netuid)
            self.check_owner_limit(owner, netuid, admin.owner)
        else:
            origin.root()
        if admin.frozen:
            self.check_window(netuid)
        ensure(self.subnets.exists(netuid), errors.SubnetDoesNotExist)
        ensure(not (admin.not_on_root and netuid == 0), errors.NotPermittedOnRootSubnet)
        for bounds in (admin.bounds, *((admin.owner_bounds,) if owner else ())):
            bounds.check(value)
        if check := CHECKS.get(row.attribute):
            check(self, netuid, value)
        # CHANGE
        self.parameters.handles[row.attribute][netuid] = value
        self.mark_owner(owner, netuid, admin.owner)
        # TELL
        if admin.event:
            self.parameters.deposit(admin.event(netuid, value))

    def set_global(
        self, origin: Origin, row: GlobalParameter[Any], admin: Admin, value: Any
    ) -> None:
        """Check and change one parameter of the network. Root."""
        # CHECK
        origin.root()
        # CHANGE
        setattr(self.network, row.attribute, value)
        # TELL
        if admin.event:
            self.network.deposit(admin.event(value))


def _check_max_uids(authority: Authority, netuid: NetUid, value: int) -> None:
    least = authority.parameters.min_allowed_uids[netuid]
    ensure(value >= least, errors.MaxAllowedUidsLessThanMinAllowedUids)
    ensure(authority.neurons.size(netuid) <= value, errors.MaxAllowedUIdsLessThanCurrentUIds)
    mechanisms = authority.parameters.mechanism_count_current[netuid]
    ensure(value * mechanisms <= MAX_UIDS, TooManyUIDsPerMechanism)


def _check_min_uids(authority: Authority, netuid: NetUid, value: int) -> None:
    slots = authority.parameters.max_allowed_uids[netuid]
    ensure(value < slots, errors.MinAllowedUidsGreaterThanMaxAllowedUids)
    ensure(value < authority.neurons.size(netuid), errors.MinAllowedUidsGreaterThanCurrentUids)


def _check_validators(authority: Authority, netuid: NetUid, value: int) -> None:
    slots = authority.parameters.max_allowed_uids[netuid]
    ensure(value <= slots, errors.MaxValidatorsLargerThanMaxUIds)


def _check_min_burn(authority: Authority, netuid: NetUid, value: int) -> None:
    ensure(value < authority.parameters.max_burn[netuid], errors.ValueNotInBounds)


def _check_max_burn(authority: Authority, netuid: NetUid, value: int) -> None:
    ensure(value > authority.parameters.min_burn[netuid], errors.ValueNotInBounds)


def _check_childkey_take(authority: Authority, netuid: NetUid, value: int) -> None:
    del netuid
    low, high = authority.network.min_childkey_take, authority.network.max_childkey_take
    ensure(low <= value <= high, errors.InvalidValue)


CHECKS: Final[dict[str, Check]] = {
    "max_allowed_uids": _check_max_uids,
    "min_allowed_uids": _check_min_uids,
    "max_allowed_validators": _check_validators,
    "min_burn": _check_min_burn,
    "max_burn": _check_max_burn,
    "min_childkey_take_per_subnet": _check_childkey_take,
}
"""Rules that compare a parameter with another or with the subnet, by the row's attribute."""


def _declared(row: Parameter[Any] | GlobalParameter[Any], admin: Admin) -> tuple[str, Any]:
    """The call that a row declares: its name, and the function with the row's own argument names."""
    argument = admin.argument or row.attribute
    of_subnet = isinstance(row, Parameter)

    def set_value(self: _Declared, origin: Origin, **arguments: Any) -> None:
        if isinstance(row, Parameter):
            netuid, value = arguments["netuid"], arguments[argument]
            self.authority.set_parameter(origin, netuid, row, admin, value)
            if admin.notice:
                self.deposit(admin.notice(netuid, value))
        else:
            self.authority.set_global(origin, row, admin, arguments[argument])

    name = admin.call or f"sudo_set_{row.attribute}"
    hints = {"origin": Origin, **({"netuid": NetUid} if of_subnet else {}), argument: row.value}
    names = ("self", *hints)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    set_value.__name__ = set_value.__qualname__ = name
    set_value.__annotations__ = {**hints, "return": None}
    set_value.__doc__ = f"Change: {row.doc} {'Root or owner.' if admin.owner else 'Root.'}"
    set_value.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(each, kind) for each in names]
    )
    told = tuple(event for event in (admin.event, admin.notice) if event)
    fails = _failures(row.attribute, admin) if isinstance(row, Parameter) else ()
    return name, call(index=admin.index, weight=SET, emits=told, fails=fails)(set_value)


def _failures(attribute: str, admin: Admin) -> tuple[Any, ...]:
    fails: list[Any] = [errors.SubnetDoesNotExist]
    if admin.owner and admin.owner != UNLIMITED:
        fails.append(TxRateLimitExceeded)
    if admin.frozen:
        fails.append(AdminActionProhibitedDuringWeightsWindow)
    if admin.not_on_root:
        fails.append(errors.NotPermittedOnRootSubnet)
    fails += (*admin.bounds.errors(), *admin.owner_bounds.errors())
    fails += _CHECKED.get(attribute, ())
    return tuple(dict.fromkeys(fails))


_CHECKED: Final[dict[str, tuple[Any, ...]]] = {
    "max_allowed_uids": (
        errors.MaxAllowedUidsLessThanMinAllowedUids,
        errors.MaxAllowedUIdsLessThanCurrentUIds,
        TooManyUIDsPerMechanism,
    ),
    "min_allowed_uids": (
        errors.MinAllowedUidsGreaterThanMaxAllowedUids,
        errors.MinAllowedUidsGreaterThanCurrentUids,
    ),
    "max_allowed_validators": (errors.MaxValidatorsLargerThanMaxUIds,),
    "min_burn": (errors.ValueNotInBounds,),
    "max_burn": (errors.ValueNotInBounds,),
    "min_childkey_take_per_subnet": (errors.InvalidValue,),
}


def _rows() -> list[tuple[Parameter[Any] | GlobalParameter[Any], Admin]]:
    items = (item for part in (Hyperparameters, NetworkParameters) for item, _ in part.spec.storage)
    rows = (item for item in items if isinstance(item, Parameter | GlobalParameter))
    return [(row, row.admin) for row in rows if row.admin]


class _Declared(Pallet, name="AdminUtils"):
    """The calls that follow from the parameter tables."""

    events = tuple(admin.notice for _, admin in _rows() if admin.notice)
    errors = errors.ALL
    authority: Authority

    def __init__(self, state: State, *, authority: Authority) -> None:
        super().__init__(state, authority=authority)


SetParameters: Final[type[_Declared]] = types.new_class(
    "SetParameters",
    (_Declared,),
    {"name": "AdminUtils"},
    lambda body: body.update(
        dict(_declared(row, admin) for row, admin in _rows()), __doc__=_Declared.__doc__
    ),
)


class AdminUtils(Pallet, name="AdminUtils"):
    """The calls on parameters that have rules of their own."""

    authority: Authority

    def __init__(self, state: State, *, authority: Authority) -> None:
        super().__init__(state, authority=authority)

    @call(
        index=30,
        weight=SET,
        emits=(TempoSet,),
        fails=(
            errors.SubnetDoesNotExist,
            TempoOutOfBounds,
            AdminActionProhibitedDuringWeightsWindow,
            TxRateLimitExceeded,
        ),
    )
    def sudo_set_tempo(self, origin: Origin, netuid: NetUid, tempo: U16) -> None:
        """Change the blocks between two epochs and start counting anew. Root, or the owner within 360 to 50400."""
        # CHECK
        owner = self.authority.begin_owner_action(origin, netuid, SET_TEMPO, MIN_TEMPO)
        ensure(self.authority.subnets.exists(netuid), errors.SubnetDoesNotExist)
        ensure(owner is None or MIN_TEMPO <= tempo <= MAX_TEMPO, TempoOutOfBounds)
        # CHANGE
        self.authority.parameters.tempo[netuid] = tempo
        self.authority.schedule.restart(netuid)
        self.authority.end_owner_action(owner, netuid, SET_TEMPO)
        # TELL
        self.authority.parameters.deposit(TempoSet(netuid, tempo))

    @call(
        index=51,
        weight=SET,
        fails=(
            errors.SubnetDoesNotExist,
            LiquidAlphaDisabled,
            AlphaHighTooLow,
            AlphaLowOutOfRange,
            AdminActionProhibitedDuringWeightsWindow,
            TxRateLimitExceeded,
        ),
    )
    def sudo_set_alpha_values(
        self, origin: Origin, netuid: NetUid, alpha_low: U16, alpha_high: U16
    ) -> None:
        """Change the slowest and the fastest bond speed of liquid alpha, where it is on. Root or owner."""
        # CHECK
        owner = self.authority.owner_or_root(origin, netuid)
        self.authority.check_owner_limit(owner, netuid, "AlphaValues")
        self.authority.check_window(netuid)
        ensure(self.authority.subnets.exists(netuid), errors.SubnetDoesNotExist)
        ensure(self.authority.parameters.liquid_alpha_on[netuid], LiquidAlphaDisabled)
        ensure(alpha_high >= ALPHA_LEAST_U16, AlphaHighTooLow)
        ensure(ALPHA_LEAST_U16 <= alpha_low <= alpha_high, AlphaLowOutOfRange)
        # CHANGE
        self.authority.parameters.alpha_values[netuid] = (alpha_low, alpha_high)
        self.authority.mark_owner(owner, netuid, "AlphaValues")

    @call(index=20, weight=SET, fails=(errors.POWRegistrationDisabled,))
    def sudo_set_network_pow_registration_allowed(
        self, origin: Origin, netuid: NetUid, registration_allowed: bool
    ) -> None:
        """Refuse: proof of work does not register neurons."""
        del origin, netuid, registration_allowed
        raise errors.POWRegistrationDisabled
