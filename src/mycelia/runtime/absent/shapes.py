"""Types that only metadata and the codec need: structs and enums without a class, their values plain tuples.

A struct's value is the tuple of its fields, an enum's the pair (case name, tuple of the case's fields).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from mycelia.codec import U8, DecodeError, EncodeError, Scale, scale
from mycelia.codec.scale import BYTES, Field, Named, Option, Sequence, Tuple, TypeShape, VariantCase
from mycelia.codec.scale import U64 as U64_SCALE
from mycelia.codec.types import type_name_of

Typed = Any
"""An annotation of `mycelia.codec`, or a codec. `Any`: annotations have no type of their own."""


class Struct(Scale[tuple[Any, ...]]):
    """A struct with named fields."""

    def __init__(self, path: str, /, **fields: Typed) -> None:
        self.path = tuple(path.split("::"))
        self._fields = tuple(
            Field(name.rstrip("_"), scale(of), type_name(of)) for name, of in fields.items()
        )
        self.min_bytes = sum(field.scale.min_bytes for field in self._fields)

    def put(self, value: tuple[Any, ...], out: bytearray) -> None:
        for field, part in zip(self._fields, value, strict=True):
            field.scale.put(part, out)

    def take(self, data: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        return _take_fields(self._fields, data, at)

    def shape(self) -> TypeShape:
        return TypeShape("composite", self.path, fields=self._fields)


class Choice(Scale[tuple[str, tuple[Any, ...]]]):
    """An enum. Cases come in the order of their indexes: plain names, or `case(...)` with fields."""

    min_bytes = 1

    def __init__(self, path: str, /, *cases: str | VariantCase) -> None:
        self.path = tuple(path.split("::"))
        named: list[VariantCase] = []
        for each in cases:
            rows: Iterable[VariantCase] = (
                (VariantCase(name, 0, ()) for name in each.split())
                if isinstance(each, str)
                else (each,)
            )
            for row in rows:
                named.append(VariantCase(row.name, row.index or len(named), row.fields))
        self._cases = {row.index: row for row in named}
        self._index_of = {row.name: row.index for row in named}

    def put(self, value: tuple[str, tuple[Any, ...]], out: bytearray) -> None:
        name, parts = value
        if name not in self._index_of:
            raise EncodeError(f"{'::'.join(self.path)} has no case {name}.")
        index = self._index_of[name]
        out.append(index)
        for field, part in zip(self._cases[index].fields, parts, strict=True):
            field.scale.put(part, out)

    def take(self, data: bytes, at: int) -> tuple[tuple[str, tuple[Any, ...]], int]:
        row = self._cases.get(data[at]) if at < len(data) else None
        if row is None:
            raise DecodeError(f"no case of {'::'.join(self.path)} at offset {at}.")
        parts, end = _take_fields(row.fields, data, at + 1)
        return (row.name, parts), end

    def shape(self) -> TypeShape:
        return TypeShape("variant", self.path, cases=tuple(self._cases.values()))


class Array(Scale[tuple[Any, ...]]):
    """A fixed number of one type."""

    def __init__(self, of: Typed, length: int) -> None:
        self.inner, self.length = scale(of), length
        self.min_bytes = length * self.inner.min_bytes

    def put(self, value: tuple[Any, ...], out: bytearray) -> None:
        if len(value) != self.length:
            raise EncodeError(f"{len(value)} elements where {self.length} are due.")
        for part in value:
            self.inner.put(part, out)

    def take(self, data: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        parts = []
        for _ in range(self.length):
            part, at = self.inner.take(data, at)
            parts.append(part)
        return tuple(parts), at

    def shape(self) -> TypeShape:
        return TypeShape("array", items=(self.inner,), length=self.length)


def case(name: str, /, *unnamed: Typed, at: int = 0, **named: Typed) -> VariantCase:
    """A case with fields; `at` is its index where it isn't its place in the order."""
    fields = (
        *(Field(None, scale(of), type_name(of)) for of in unnamed),
        *(Field(key.rstrip("_"), scale(of), type_name(of)) for key, of in named.items()),
    )
    return VariantCase(name, at, fields)


def optional(of: Typed) -> Scale[Any]:
    """None or one."""
    return Option(scale(of))


def many(of: Typed) -> Scale[Any]:
    """A list."""
    return Sequence(scale(of))


def bounded(of: Typed, *, weakly: bool = False) -> Scale[Any]:
    """A list with a most length, which the metadata does not tell."""
    kind = "weak_bounded_vec::WeakBoundedVec" if weakly else "bounded_vec::BoundedVec"
    return Named(BYTES if of is U8 else Sequence(scale(of)), f"bounded_collections::{kind}")


def several(*of: Typed) -> Scale[Any]:
    """A tuple."""
    return Tuple(*(scale(each) for each in of))


def newtype(path: str, of: Typed) -> Scale[Any]:
    """The same bytes under a name of its own."""
    return Named(scale(of), path)


def ordered_set(of: Typed) -> Scale[Any]:
    """A `BTreeSet`, which clients know by its one type parameter."""
    return Named(Sequence(scale(of)), "BTreeSet", (("T", scale(of)),))


def type_name(of: Typed) -> str | None:
    """How a field's type is spelled; clients read the unit of money from it."""
    if not isinstance(of, Scale):
        return type_name_of(of)
    path = of.shape().path
    return path[-1] if path else None


def _take_fields(fields: tuple[Field, ...], data: bytes, at: int) -> tuple[tuple[Any, ...], int]:
    parts = []
    for field in fields:
        part, at = field.scale.take(data, at)
        parts.append(part)
    return tuple(parts), at


BOUNDED_BYTES: Final = bounded(U8)
U256: Final = newtype("primitive_types::U256", Array(U64_SCALE, 4))
NONE_LEFT: Final = ((), 0)
"""An empty list beside a deposit of 0."""
