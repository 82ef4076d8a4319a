"""Several calls as one: in order, by the same caller, for one fee that covers all of them.

Source: subtensor@14bc6f9 `pallets/utility/src/{lib,weights}.rs`.
Differs: the weight has no part per item (at most 3 rao each), and a `batch_all` may stand in another. Calls that act
for other origins are absent.
"""

from __future__ import annotations

from typing import Final, Protocol

from mycelia.codec import U32, U64
from mycelia.frame import (
    BadOrigin,
    Call,
    Constant,
    Error,
    Event,
    Origin,
    Pallet,
    State,
    Weight,
    call,
    ensure,
)
from mycelia.frame.dispatch import ROOT, Failed, Failure, Outcome

MAX_CALLS: Final = U32(10_922)


class Dispatcher(Protocol):
    """Makes a call inside a call, all of it or nothing: `perform` raises its error, `dispatch` gives it."""

    def dispatch(self, call: Call, origin: Origin) -> Outcome: ...
    def perform(self, call: Call, origin: Origin) -> None: ...


class BatchInterrupted(Event, index=0):
    """A call of a batch failed; those before it stand, those after it were not made."""

    index_: U32
    error: Failure


class BatchCompleted(Event, index=1):
    """All calls of a batch succeeded."""


class BatchCompletedWithErrors(Event, index=2):
    """All calls of a batch were made; some failed."""


class ItemCompleted(Event, index=3):
    """A call of a batch succeeded."""


class ItemFailed(Event, index=4):
    """A call of a batch failed."""

    error: Failure


class IfElseMainSuccess(Event, index=6):
    """The first of two calls succeeded."""


class IfElseFallbackCalled(Event, index=7):
    """The first of two calls failed, the second succeeded."""

    main_error: Failure


class TooManyCalls(Error, index=0):
    """The batch has more calls than `batched_calls_limit`. Split it."""


class Utility(Pallet, name="Utility"):
    """Several calls as one."""

    events = (
        BatchInterrupted,
        BatchCompleted,
        BatchCompletedWithErrors,
        ItemCompleted,
        ItemFailed,
        IfElseMainSuccess,
        IfElseFallbackCalled,
    )
    errors = (TooManyCalls,)

    batched_calls_limit = Constant(
        U32, MAX_CALLS, doc="Most calls of one batch.", name="batched_calls_limit"
    )

    dispatcher: Dispatcher

    def __init__(self, state: State, *, dispatcher: Dispatcher) -> None:
        super().__init__(state, dispatcher=dispatcher)

    @call(
        index=0,
        weight=Weight(U64(69_446_696), U64(3_983)),
        emits=(BatchInterrupted, BatchCompleted, ItemCompleted),
        fails=(TooManyCalls,),
    )
    def batch(self, origin: Origin, calls: tuple[Call, ...]) -> None:
        """Make calls until one fails. It succeeds either way, and tells which failed."""
        self._check(origin, calls)
        for index, each in enumerate(calls):
            outcome = self.dispatcher.dispatch(each, origin)
            if isinstance(outcome, Failed):
                self.deposit(BatchInterrupted(U32(index), outcome.error))
                return
            self.deposit(ItemCompleted())
        self.deposit(BatchCompleted())

    @call(
        index=2,
        weight=Weight(U64(63_428_230), U64(3_983)),
        emits=(BatchCompleted, ItemCompleted),
        fails=(TooManyCalls,),
    )
    def batch_all(self, origin: Origin, calls: tuple[Call, ...]) -> None:
        """Make all calls or none: it fails with the error of the first that does."""
        self._check(origin, calls)
        for each in calls:
            self.dispatcher.perform(each, origin)
            self.deposit(ItemCompleted())
        self.deposit(BatchCompleted())

    @call(
        index=4,
        weight=Weight(U64(62_134_867), U64(3_983)),
        emits=(BatchCompleted, BatchCompletedWithErrors, ItemCompleted, ItemFailed),
        fails=(TooManyCalls,),
    )
    def force_batch(self, origin: Origin, calls: tuple[Call, ...]) -> None:
        """Make all calls, whichever fail."""
        self._check(origin, calls)
        failed = False
        for each in calls:
            outcome = self.dispatcher.dispatch(each, origin)
            if isinstance(outcome, Failed):
                failed = True
                self.deposit(ItemFailed(outcome.error))
            else:
                self.deposit(ItemCompleted())
        self.deposit(BatchCompletedWithErrors() if failed else BatchCompleted())

    @call(index=5, weight=Weight(U64(0)))
    def with_weight(self, origin: Origin, call: Call, weight: Weight) -> None:
        """Make a call as root, whatever it weighs. Root."""
        del weight
        origin.root()
        self.dispatcher.perform(call, ROOT)

    @call(
        index=6,
        weight=Weight(U64(71_831_000), U64(3_983)),
        emits=(IfElseMainSuccess, IfElseFallbackCalled),
    )
    def if_else(self, origin: Origin, main: Call, fallback: Call) -> None:
        """Make a call, and another if it fails; it fails with the second's error."""
        self._check(origin, ())
        outcome = self.dispatcher.dispatch(main, origin)
        if not isinstance(outcome, Failed):
            self.deposit(IfElseMainSuccess())
            return
        self.dispatcher.perform(fallback, origin)
        self.deposit(IfElseFallbackCalled(outcome.error))

    def _check(self, origin: Origin, calls: tuple[Call, ...]) -> None:
        ensure(origin.is_root or origin.account is not None, BadOrigin)
        ensure(len(calls) <= MAX_CALLS, TooManyCalls)
