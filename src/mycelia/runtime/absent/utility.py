"""Absent rows of Utility. Source: subtensor@14bc6f9 `pallets/utility/src/lib.rs`."""

from __future__ import annotations

from typing import Final

from mycelia.codec import U16, U32
from mycelia.frame import Call, Weight
from mycelia.frame.dispatch import Failure, Outcome
from mycelia.runtime.absent.declare import Absent, call, constant, errors, event, in_order
from mycelia.runtime.absent.substrate import ORIGIN

UTILITY: Final = Absent(
    "Utility",
    11,
    calls=(
        call(0, "batch", calls=tuple[Call, ...]),
        call(1, "as_derivative", index=U16, call=Call),
        call(2, "batch_all", calls=tuple[Call, ...]),
        call(3, "dispatch_as", as_origin=ORIGIN, call=Call),
        call(4, "force_batch", calls=tuple[Call, ...]),
        call(5, "with_weight", call=Call, weight=Weight),
        call(6, "if_else", main=Call, fallback=Call),
        call(7, "dispatch_as_fallible", as_origin=ORIGIN, call=Call),
    ),
    events=(
        event(0, "BatchInterrupted", index=U32, error=Failure),
        event(1, "BatchCompleted"),
        event(2, "BatchCompletedWithErrors"),
        event(3, "ItemCompleted"),
        event(4, "ItemFailed", error=Failure),
        event(5, "DispatchedAs", result=Outcome),
        event(6, "IfElseMainSuccess"),
        event(7, "IfElseFallbackCalled", main_error=Failure),
    ),
    errors=errors(in_order("TooManyCalls InvalidDerivedAccount")),
    constants=(constant("batched_calls_limit", U32, 10_922),),
    doc="Several calls as one.",
)
