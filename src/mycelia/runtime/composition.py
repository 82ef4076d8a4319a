"""Pallets put together: one numbered list from which dispatch, events and errors are told apart on the wire.

Several classes may share one wire name (`SubtensorModule` is split by subject); their parts merge here, together with
what the pallet declares without rules (`runtime.absent`). A repeated item, call, event or error is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

from mycelia.codec import U8, DecodeError, EncodeError, Scale, scale
from mycelia.codec.scale import Field, TypeShape, VariantCase
from mycelia.codec.types import docs_of, record_fields, wire_fields
from mycelia.frame import BadOrigin, Call, CallSpec, Error, Overflow, Pallet, TokenError
from mycelia.frame import dispatch as d
from mycelia.frame.address import LookupFailed
from mycelia.frame.pallet import Constant, ViewSpec
from mycelia.frame.storage import StorageSpec
from mycelia.primitives import Bug, DispatchError
from mycelia.runtime.absent import Absent, AbsentEvent
from mycelia.runtime.absent.shapes import type_name

MAX_CALL_DEPTH = 8
"""How deep calls may nest in calls; deeper ones are refused while decoding."""
MAX_CALLS = 16_384
"""How many calls may be inside one another, at all depths together; more are refused while decoding."""


@dataclass(frozen=True)
class Group:
    """All parts of one wire pallet, with its index, and what it declares without rules."""

    name: str
    index: int
    parts: tuple[type[Pallet], ...]
    absent: Absent

    def __post_init__(self) -> None:
        told = [event.index for event in self.events] + [row.index for row in self.absent.events]
        raised = [error.index for error in self.errors] + [row.index for row in self.absent.errors]
        for kind, names in (
            ("storage item", [spec.name for spec in self.storage]),
            ("call", [spec.name for spec in self.calls]),
            ("call index", [str(spec.index) for spec in self.calls]),
            ("event index", [str(index) for index in told]),
            ("error index", [str(index) for index in raised]),
            ("constant", [constant.entry for constant in self.constants]),
        ):
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:
                raise TypeError(
                    f"{self.name}: {kind} {repeated} declared twice. What has rules now has no row in "
                    "`runtime.absent` any more."
                )

    @cached_property
    def storage(self) -> tuple[StorageSpec, ...]:
        own = (spec for part in self.parts for _, spec in part.spec.storage)
        return (*own, *self.absent.storage)

    @cached_property
    def calls(self) -> tuple[CallSpec, ...]:
        own = (spec for part in self.parts for spec in part.spec.calls)
        return tuple(sorted((*own, *self.absent.calls), key=lambda spec: spec.index))

    @cached_property
    def events(self) -> tuple[type[Any], ...]:
        """The events that may be told."""
        return tuple(sorted(self._unique("events"), key=lambda e: e.index))

    @cached_property
    def errors(self) -> tuple[type[Error], ...]:
        """The errors that may be raised."""
        return tuple(sorted(self._unique("errors"), key=lambda e: e.index))

    def _unique(self, kind: str) -> list[Any]:
        # Parts of one pallet may declare that they raise the same error or tell the same event.
        found: dict[Any, None] = {}
        for part in self.parts:
            for declared in getattr(part.spec, kind):
                found[declared] = None
        return list(found)

    @cached_property
    def constants(self) -> tuple[Constant[Any], ...]:
        own = (constant for part in self.parts for constant in part.spec.constants)
        return (*own, *self.absent.constants)

    @cached_property
    def docs(self) -> tuple[str, ...]:
        return self.parts[0].spec.docs if self.parts else (self.absent.doc,)


class Composition:
    """The pallets of a runtime, by index, with the codecs that only the whole list determines."""

    def __init__(
        self,
        groups: Sequence[tuple[int, Sequence[type[Pallet]]]],
        absent: Sequence[Absent] = (),
    ) -> None:
        """`absent` is what pallets, those of the list or others, declare without rules."""
        rows = {each.pallet: each for each in absent}
        named = [(parts[0].spec.name, index, tuple(parts)) for index, parts in groups]
        names = {name for name, _, _ in named}
        named += [(each.pallet, each.index, ()) for each in absent if each.pallet not in names]
        self.groups = tuple(
            Group(name, index, parts, rows.get(name) or Absent(name, index))
            for name, index, parts in sorted(named, key=lambda row: row[1])
        )
        self.call_scale = CallScale(self)
        self.event_scale = EventScale(self)
        self.late: dict[Any, Scale[Any]] = {Call: self.call_scale}
        self._codecs: dict[Any, Scale[Any]] = {}
        self._error_at = {
            error: (group.index, error.index) for group in self.groups for error in group.errors
        }

    def codec(self, annotation: Any) -> Scale[Any]:
        """The codec of an annotation that may mention what only this composition determines, such as a call."""
        found = self.late.get(annotation) or self._codecs.get(annotation)
        if found is None:
            found = scale(annotation, self.late) if self._is_late(annotation) else scale(annotation)
            self._codecs[annotation] = found
        return found

    def _is_late(self, annotation: Any) -> bool:
        return annotation in self.late or any(map(self._is_late, get_args(annotation)))

    def views(self) -> Iterator[ViewSpec]:
        """All runtime API methods of the pallets."""
        for group in self.groups:
            for part in group.parts:
                yield from part.spec.views

    def failure(self, error: DispatchError) -> d.Failure:
        """A dispatch error as events tell it."""
        if isinstance(error, Error):
            at = self._error_at.get(type(error))
            if at is None:
                raise Bug(f"{type(error).__name__} is raised but in no pallet's `errors`.")
            return d.Module(d.ModuleError(U8(at[0]), bytes((at[1], 0, 0, 0))))
        if isinstance(error, BadOrigin):
            return d.BadOriginCase()
        if isinstance(error, TokenError):
            return d.Token(_case(d.TokenErrorCase, error.case))
        if isinstance(error, Overflow):
            return d.Arithmetic(_case(d.ArithmeticCase, "Overflow"))
        if isinstance(error, LookupFailed):
            return error.case
        return d.Other()


def _case(enumeration: Any, name: str) -> Any:
    return next(case for case in enumeration.cases.values() if case.wire_name == name)()


class _PalletCalls(Scale[Any]):
    """The calls of one pallet, for the metadata; `CallScale` does the bytes."""

    def __init__(self, group: Group, composition: Composition) -> None:
        self.group, self.composition = group, composition

    def shape(self) -> TypeShape:
        cases = tuple(
            VariantCase(
                spec.name,
                spec.index,
                tuple(
                    Field(name.rstrip("_"), self.composition.codec(hint), type_name(hint))
                    for name, hint in spec.arguments
                ),
                spec.docs,
            )
            for spec in self.group.calls
        )
        return TypeShape(
            "variant", (f"pallet_{self.group.name.lower()}", "pallet", "Call"), cases=cases
        )


class CallScale(Scale[Call]):
    """Any call: pallet index, call index, arguments."""

    min_bytes = 2

    def __init__(self, composition: Composition) -> None:
        self._composition = composition
        self._depth = 0
        self._met = 0
        self._codecs: dict[tuple[int, int], tuple[tuple[str, Scale[Any]], ...]] = {}

    @cached_property
    def pallet_calls(self) -> dict[str, Scale[Any]]:
        """By pallet, the type of its calls; pallets without calls are left out."""
        of = self._composition
        return {g.name: _PalletCalls(g, of) for g in of.groups if g.calls}

    @cached_property
    def _table(self) -> dict[tuple[int, int], tuple[Group, CallSpec]]:
        return {
            (group.index, spec.index): (group, spec)
            for group in self._composition.groups
            for spec in group.calls
        }

    def _arguments(self, key: tuple[int, int]) -> tuple[tuple[str, Scale[Any]], ...]:
        """Name and codec of a call's arguments; made when the call is first met."""
        found = self._codecs.get(key)
        if found is None:
            of = self._composition
            arguments = self._table[key][1].arguments
            found = tuple((name, of.codec(hint)) for name, hint in arguments)
            self._codecs[key] = found
        return found

    @cached_property
    def _index_of(self) -> dict[str, int]:
        return {group.name: group.index for group in self._composition.groups}

    def put(self, value: Call, out: bytearray) -> None:
        key = (self._index_of.get(value.pallet, -1), value.spec.index)
        if key not in self._table:
            raise EncodeError(f"{value} is no call of this runtime.")
        out += bytes(key)
        for name, codec in self._arguments(key):
            codec.put(value.args[name], out)

    def take(self, data: bytes, at: int) -> tuple[Call, int]:
        if at + 2 > len(data):
            raise DecodeError("the call is missing.")
        key = (data[at], data[at + 1])
        found = self._table.get(key)
        if found is None:
            raise DecodeError(f"no call {data[at]}.{data[at + 1]} in this runtime.")
        group, spec = found
        if self._depth >= MAX_CALL_DEPTH:
            raise DecodeError(f"calls nested deeper than {MAX_CALL_DEPTH}.")
        self._met = self._met + 1 if self._depth else 1
        if self._met > MAX_CALLS:
            raise DecodeError(f"more than {MAX_CALLS} calls in one. Split it.")
        args: dict[str, Any] = {}
        at += 2
        self._depth += 1
        try:
            for name, codec in self._arguments(key):
                args[name], at = codec.take(data, at)
        finally:
            self._depth -= 1
        return Call(group.name, spec, args), at

    def build(self, pallet: str, name: str, **args: Any) -> Call:
        """A call by name; `KeyError` if there is none."""
        for group in self._composition.groups:
            if group.name == pallet:
                for spec in group.calls:
                    if spec.name == name:
                        return Call(pallet, spec, args)
        raise KeyError(f"{pallet}.{name}")

    def shape(self) -> TypeShape:
        calls = self.pallet_calls
        cases = tuple(
            VariantCase(g.name, g.index, (Field(None, calls[g.name]),))
            for g in self._composition.groups
            if g.name in calls
        )
        return TypeShape("variant", ("node_subtensor_runtime", "RuntimeCall"), cases=cases)


class _PalletEvents(Scale[Any]):
    """The events of one pallet, for the metadata."""

    def __init__(self, group: Group) -> None:
        self.group = group

    def shape(self) -> TypeShape:
        cases = tuple(
            VariantCase(
                event.wire_name,
                event.index,
                wire_fields(event, tuple_like=event.tuple_like),
                docs_of(event),
            )
            for event in self.group.events
        )
        rows = tuple(_absent_case(event) for event in self.group.absent.events)
        return TypeShape(
            "variant",
            (f"pallet_{self.group.name.lower()}", "pallet", "Event"),
            cases=tuple(sorted((*cases, *rows), key=lambda case: case.index)),
        )


def _absent_case(event: AbsentEvent) -> VariantCase:
    fields = tuple(Field(name, scale(of), type_name(of)) for name, of in event.fields)
    return VariantCase(event.name, event.index, fields)


class EventScale(Scale[Any]):
    """Any event as (pallet name, event): pallet index, event index, fields."""

    min_bytes = 2

    def __init__(self, composition: Composition) -> None:
        self._composition = composition

    @cached_property
    def pallet_events(self) -> dict[str, Scale[Any]]:
        """By pallet, the type of its events; pallets without events are left out."""
        groups = self._composition.groups
        return {g.name: _PalletEvents(g) for g in groups if g.events or g.absent.events}

    @cached_property
    def _by_type(self) -> dict[type, tuple[int, tuple[tuple[str, Scale[Any]], ...]]]:
        return {
            event: (
                group.index,
                tuple((name, scale(hint)) for name, hint in record_fields(event)),
            )
            for group in self._composition.groups
            for event in group.events
        }

    @cached_property
    def _by_index(self) -> dict[tuple[int, int], tuple[str, type]]:
        return {
            (group.index, event.index): (group.name, event)
            for group in self._composition.groups
            for event in group.events
        }

    def put(self, value: tuple[str, Any], out: bytearray) -> None:
        event = value[1]
        found = self._by_type.get(type(event))
        if found is None:
            raise Bug(f"{type(event).__name__} is told but in no pallet's `events`.")
        out.append(found[0])
        out.append(event.index)
        for name, codec in found[1]:
            codec.put(getattr(event, name), out)

    def take(self, data: bytes, at: int) -> tuple[tuple[str, Any], int]:
        found = self._by_index.get((data[at], data[at + 1])) if at + 2 <= len(data) else None
        if found is None:
            raise DecodeError(f"no event of this runtime at offset {at}.")
        values = []
        at += 2
        for _, codec in self._by_type[found[1]][1]:
            value, at = codec.take(data, at)
            values.append(value)
        return (found[0], found[1](*values)), at

    def shape(self) -> TypeShape:
        events = self.pallet_events
        cases = tuple(
            VariantCase(g.name, g.index, (Field(None, events[g.name]),))
            for g in self._composition.groups
            if g.name in events
        )
        return TypeShape("variant", ("node_subtensor_runtime", "RuntimeEvent"), cases=cases)


class ErrorScale(Scale[Any]):
    """The errors of one pallet, for the metadata; in events an error is an index."""

    def __init__(self, group: Group) -> None:
        self.group = group

    def shape(self) -> TypeShape:
        own = (VariantCase(e.wire_name, e.index, (), docs_of(e)) for e in self.group.errors)
        rows = (VariantCase(e.name, e.index, (), (e.doc,)) for e in self.group.absent.errors)
        return TypeShape(
            "variant",
            (f"pallet_{self.group.name.lower()}", "pallet", "Error"),
            cases=tuple(sorted((*own, *rows), key=lambda case: case.index)),
        )
