"""What a call costs with the calls inside it.

Source: subtensor@14bc6f9 `pallets/utility/src/lib.rs::weight_and_dispatch_class`.
Differs: in another call, one that does something many times weighs as much for each; there, as if it were once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final, get_args

from mycelia.codec import U64
from mycelia.frame import Call, CallSpec, Weight
from mycelia.frame import dispatch as d
from mycelia.primitives import InvalidTransaction
from mycelia.primitives.fixed import U64_MAX

_LISTING: Final = {
    "batch_set_weights": "netuids",
    "batch_commit_weights": "netuids",
    "batch_reveal_weights": "uids_list",
}
"""Calls that do one thing many times, and the argument that has an item for each time."""


class TooHeavy(InvalidTransaction):
    """The call weighs more than an extrinsic may. Split it."""

    def __init__(self) -> None:
        super().__init__("Transaction would exhaust the block limits")


def weight_of(call: Call) -> Weight:
    """The weight of a call and of all calls inside it."""
    if not _carriers(call.spec):
        return _times(call.spec.weight, times_of(call))
    time, proof = call.spec.weight.ref_time, call.spec.weight.proof_size
    for inner in calls_inside(call):
        weight = weight_of(inner)
        time, proof = U64(time + weight.ref_time), U64(proof + weight.proof_size)
    return Weight(U64(min(time, U64_MAX)), U64(min(proof, U64_MAX)))


def times_of(call: Call) -> int:
    """How many times a call does what it does: 1 but for some calls of SubtensorModule, with a list of items."""
    listed = _LISTING.get(call.spec.name)
    return max(1, len(call.args[listed])) if listed else 1


def _times(weight: Weight, times: int) -> Weight:
    if times == 1:
        return weight
    time, proof = weight.ref_time * times, weight.proof_size * times
    return Weight(U64(min(time, U64_MAX)), U64(min(proof, U64_MAX)))


def pays(call: Call) -> bool:
    """Whether the signer pays a fee: not for a free call, and not for free calls put together."""
    inside = list(calls_inside(call))
    return call.spec.pays and (not inside or any(pays(inner) for inner in inside))


def calls_inside(call: Call) -> Iterator[Call]:
    """The calls among a call's arguments."""
    for name in _carriers(call.spec):
        argument = call.args[name]
        if isinstance(argument, Call):
            yield argument
        elif argument is not None:
            yield from argument


def dispatch_info(call: Call, *, is_inherent: bool = False) -> d.DispatchInfo:
    """What result events and fee queries say of a call's cost."""
    if not _carriers(call.spec):
        return _plain_info(call.spec, is_inherent=is_inherent)
    return _info(call.spec, weight_of(call), is_inherent=is_inherent, is_paid=pays(call))


@cache
def _plain_info(spec: CallSpec, *, is_inherent: bool) -> d.DispatchInfo:
    """The same for every extrinsic with a call that carries no others."""
    return _info(spec, spec.weight, is_inherent=is_inherent, is_paid=spec.pays)


def _info(spec: CallSpec, weight: Weight, *, is_inherent: bool, is_paid: bool) -> d.DispatchInfo:
    by_spec = d.Operational() if spec.operational else d.Normal()
    kind = d.Mandatory() if is_inherent else by_spec
    return d.DispatchInfo(weight, kind, d.PaysYes() if is_paid else d.PaysNo())


@cache
def _carriers(spec: CallSpec) -> tuple[str, ...]:
    """Names of the arguments that are calls, lists of calls, or calls that may be missing."""
    return tuple(name for name, of in spec.arguments if _holds_call(of))


def _holds_call(annotation: Any) -> bool:
    return annotation is Call or any(map(_holds_call, get_args(annotation)))
