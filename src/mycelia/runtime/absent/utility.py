"""Absent rows of Utility: calls that act for other origins. Source: subtensor@14bc6f9 `pallets/utility/src/lib.rs`."""

from __future__ import annotations

from typing import Final

from mycelia.codec import U16
from mycelia.frame import Call
from mycelia.frame.dispatch import Outcome
from mycelia.runtime.absent.declare import Absent, call, errors, event
from mycelia.runtime.absent.substrate import ORIGIN

UTILITY: Final = Absent(
    "Utility",
    11,
    calls=(
        call(1, "as_derivative", index=U16, call=Call),
        call(3, "dispatch_as", as_origin=ORIGIN, call=Call),
        call(7, "dispatch_as_fallible", as_origin=ORIGIN, call=Call),
    ),
    events=(event(5, "DispatchedAs", result=Outcome),),
    errors=errors({1: "InvalidDerivedAccount"}),
)
