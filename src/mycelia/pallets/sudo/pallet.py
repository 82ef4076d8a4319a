"""The operator's key: one account that may make any call as root. For networks that have one operator."""

from __future__ import annotations

from typing import Protocol

from mycelia.codec import U64
from mycelia.frame import (
    Call,
    Error,
    Event,
    OptionalValue,
    Origin,
    Pallet,
    State,
    Weight,
    call,
    ensure,
)
from mycelia.frame.address import Address, account_of
from mycelia.frame.dispatch import ROOT, Outcome
from mycelia.primitives import AccountId


class Dispatcher(Protocol):
    """Makes a call inside a call: its changes are kept or undone as one."""

    def dispatch(self, call: Call, origin: Origin) -> Outcome: ...


class Sudid(Event, index=0):
    """A call was made as root."""

    sudo_result: Outcome


class KeyChanged(Event, index=1):
    """The operator's key changed."""

    old: AccountId | None
    new: AccountId


class KeyRemoved(Event, index=2):
    """There is no operator's key any more."""


class SudoAsDone(Event, index=3):
    """A call was made for another account."""

    sudo_result: Outcome


class RequireSudo(Error, index=0):
    """The signer is not the operator. Sign with the operator's key."""


class Sudo(Pallet, name="Sudo"):
    """The operator's key."""

    events = (Sudid, KeyChanged, KeyRemoved, SudoAsDone)
    errors = (RequireSudo,)

    key = OptionalValue(AccountId, doc="The operator's account.")

    dispatcher: Dispatcher

    def __init__(self, state: State, *, dispatcher: Dispatcher) -> None:
        super().__init__(state, dispatcher=dispatcher)

    @call(index=0, weight=Weight(U64(10_000_000)), emits=(Sudid,), fails=(RequireSudo,), pays=False)
    def sudo(self, origin: Origin, call: Call) -> None:
        """Make a call as root. The operator."""
        self._operator(origin)
        self.deposit(Sudid(self.dispatcher.dispatch(call, ROOT)))

    @call(index=1, weight=Weight(U64(10_000_000)), emits=(Sudid,), fails=(RequireSudo,), pays=False)
    def sudo_unchecked_weight(self, origin: Origin, call: Call, weight: Weight) -> None:
        """Make a call as root, of any weight. The operator."""
        del weight
        self._operator(origin)
        self.deposit(Sudid(self.dispatcher.dispatch(call, ROOT)))

    @call(
        index=2,
        weight=Weight(U64(10_000_000)),
        emits=(KeyChanged,),
        fails=(RequireSudo,),
        pays=False,
    )
    def set_key(self, origin: Origin, new: Address) -> None:
        """Hand the operator's key on. The operator."""
        # CHECK
        self._operator(origin)
        old, account = self.key, account_of(new)
        # CHANGE
        self.key = account
        # TELL
        self.deposit(KeyChanged(old, account))

    @call(
        index=3,
        weight=Weight(U64(10_000_000)),
        emits=(SudoAsDone,),
        fails=(RequireSudo,),
        pays=False,
    )
    def sudo_as(self, origin: Origin, who: Address, call: Call) -> None:
        """Make a call for another account. The operator."""
        self._operator(origin)
        self.deposit(SudoAsDone(self.dispatcher.dispatch(call, Origin(account_of(who)))))

    @call(
        index=4,
        weight=Weight(U64(10_000_000)),
        emits=(KeyRemoved,),
        fails=(RequireSudo,),
        pays=False,
    )
    def remove_key(self, origin: Origin) -> None:
        """Give up the operator's key, for good. The operator."""
        self._operator(origin)
        self.key = None
        self.deposit(KeyRemoved())

    def _operator(self, origin: Origin) -> None:
        if origin.is_root:
            return
        ensure(origin.signed() == self.key, RequireSudo)
