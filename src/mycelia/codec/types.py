"""From Python annotations to SCALE: the types in which pallets declare storage, calls, events and views.

`scale(annotation)` gives the compiled codec, the same object each time. Annotations are ordinary Python:

    U8 ... U128, I8 ... I128, bool, str, Bytes        primitives
    AccountId, Tao, Alpha, NetUid, Uid, BlockNumber    the project's own names
    H256, H160, FixedBytes(n)                          byte arrays
    Compact[T], T | None, tuple[A, B]                  as in Rust: Compact<T>, Option<T>, (A, B)
    tuple[T, ...] or list[T], dict[K, V]               Vec<T>, BTreeMap<K, V>
    U16Vec, U32Vec, U64Vec, BoolVec, PairVec           Vec as a read-only numpy array
    I32F32, U64F64, ...                                fixed point, raw bits as int
    class X(Record, path="a::X")                       struct
    class E(Enumeration, path="a::E"); class V(E, index=0)    enum and its cases

Fields carry the names of their types: people read the unit of money from `TaoBalance` and `AlphaBalance`.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    NewType,
    Self,
    TypeAlias,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
)

import numpy as np
import numpy.typing as npt

from mycelia.codec import scale as s
from mycelia.codec.scale import DecodeError, EncodeError, Field, Scale, TypeShape, VariantCase
from mycelia.primitives import AccountId, Alpha, BlockNumber, NetUid, Tao, Uid

T = TypeVar("T")

U8 = NewType("U8", int)
U16 = NewType("U16", int)
U32 = NewType("U32", int)
U64 = NewType("U64", int)
U128 = NewType("U128", int)
I8 = NewType("I8", int)
I16 = NewType("I16", int)
I32 = NewType("I32", int)
I64 = NewType("I64", int)
I128 = NewType("I128", int)
H160 = NewType("H160", bytes)
H256 = NewType("H256", bytes)
Bytes: TypeAlias = bytes
BoundedBytes = Annotated[bytes, s.Named(s.BYTES, "bounded_collections::bounded_vec::BoundedVec")]
"""Bytes with a most length, which the rules check: clients unpack such a type once more than `Bytes`."""

I32F32 = NewType("I32F32", int)
U32F32 = NewType("U32F32", int)
U64F64 = NewType("U64F64", int)
I64F64 = NewType("I64F64", int)
I96F32 = NewType("I96F32", int)
U96F32 = NewType("U96F32", int)

_COMPACT: Final = "compact"
Compact: TypeAlias = Annotated[T, _COMPACT]

BoolVec = Annotated[npt.NDArray[np.bool_], s.Vector(s.BOOL, "?")]
U8Vec = Annotated[npt.NDArray[np.uint8], s.Vector(s.U8, "u1")]
U16Vec = Annotated[npt.NDArray[np.uint16], s.Vector(s.U16, "<u2")]
U32Vec = Annotated[npt.NDArray[np.uint32], s.Vector(s.U32, "<u4")]
U64Vec = Annotated[npt.NDArray[np.uint64], s.Vector(s.U64, "<u8")]
Bytes4 = Annotated[bytes, s.ByteArray(4)]
Bytes8 = Annotated[bytes, s.ByteArray(8)]
Bytes16 = Annotated[bytes, s.ByteArray(16)]
Bytes32 = Annotated[bytes, s.ByteArray(32)]
PairVec = Annotated[npt.NDArray[np.uint16], s.PairVector()]


@dataclass_transform(frozen_default=True)
class Record:
    """A struct: subclass with annotated fields; instances are frozen dataclasses.

    Class keywords: `path` is its name in the registry, `tuple_like` drops the field names on the wire.
    """

    scale_path: ClassVar[str] = ""
    tuple_like: ClassVar[bool] = False

    def __init_subclass__(cls, *, path: str = "", tuple_like: bool = False) -> None:
        super().__init_subclass__()
        dataclasses.dataclass(frozen=True)(cls)
        cls.scale_path = path
        cls.tuple_like = tuple_like

    def but(self, **changes: Any) -> Self:
        """A copy with other values in some fields; a third of the time of `dataclasses.replace`."""
        fields = vars(self)
        if not changes.keys() <= fields.keys():
            raise TypeError(f"{type(self).__name__} has no {sorted(changes.keys() - fields)}.")
        copy = object.__new__(type(self))
        vars(copy).update(fields, **changes)
        return copy


@dataclass_transform(frozen_default=True)
class Enumeration:
    """An enum: subclass it once for the enum, then once per case with `index=`.

    Cases carry annotated fields; `tuple_like` drops their names on the wire, `name` overrides the class's. `params` are
    the type parameters that the registry lists, by name, where clients look at them.
    """

    scale_path: ClassVar[str] = ""
    cases: ClassVar[dict[int, type[Any]]] = {}
    params: ClassVar[tuple[tuple[str, Any], ...]] = ()
    index: ClassVar[int] = -1
    wire_name: ClassVar[str] = ""
    tuple_like: ClassVar[bool] = False

    def __init_subclass__(
        cls,
        *,
        path: str = "",
        params: tuple[tuple[str, Any], ...] = (),
        index: int | None = None,
        name: str = "",
        tuple_like: bool = False,
    ) -> None:
        super().__init_subclass__()
        if index is None:
            cls.scale_path, cls.params, cls.cases = path, params, {}
            return
        if index in cls.cases:
            raise TypeError(
                f"{cls.__name__}: index {index} is taken by {cls.cases[index].__name__}."
            )
        dataclasses.dataclass(frozen=True)(cls)
        cls.index, cls.wire_name, cls.tuple_like = index, name or cls.__name__, tuple_like
        cls.cases[index] = cls


def record_fields(cls: type[Any]) -> tuple[tuple[str, Any], ...]:
    """(name, annotation) of a record's own wire fields, in order; a trailing underscore is not part of the name."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return tuple((f.name, hints[f.name]) for f in dataclasses.fields(cls))


def wire_fields(cls: type[Any], *, tuple_like: bool) -> tuple[Field, ...]:
    """The fields of a record or case as the registry lists them."""
    return tuple(
        Field(None if tuple_like else name.rstrip("_"), scale(hint), type_name_of(hint))
        for name, hint in record_fields(cls)
    )


class RecordScale(Scale[Any]):
    """Codec of a `Record`."""

    def __init__(self, cls: type[Record]) -> None:
        self.cls = cls
        self._parts: tuple[tuple[str, Scale[Any]], ...] | None = None

    def parts(self) -> tuple[tuple[str, Scale[Any]], ...]:
        # Resolved on first use: a record may name types defined after it.
        if self._parts is None:
            self._parts = tuple((name, scale(hint)) for name, hint in record_fields(self.cls))
            self.min_bytes = sum(part.min_bytes for _, part in self._parts)
        return self._parts

    def put(self, value: Any, out: bytearray) -> None:
        if not isinstance(value, self.cls):
            raise EncodeError(f"{value!r} is no {self.cls.__name__}.")
        for name, part in self.parts():
            part.put(getattr(value, name), out)

    def take(self, data: bytes, at: int) -> tuple[Any, int]:
        values = []
        for _, part in self.parts():
            value, at = part.take(data, at)
            values.append(value)
        return self.cls(*values), at

    def shape(self) -> TypeShape:
        path = (
            tuple(self.cls.scale_path.split("::")) if self.cls.scale_path else (self.cls.__name__,)
        )
        return TypeShape(
            "composite", path, fields=wire_fields(self.cls, tuple_like=self.cls.tuple_like)
        )


class EnumerationScale(Scale[Any]):
    """Codec of an `Enumeration`: one byte of index, then the case's fields."""

    min_bytes = 1

    def __init__(self, cls: type[Enumeration]) -> None:
        self.cls = cls
        self._parts: dict[int, tuple[tuple[str, Scale[Any]], ...]] = {}

    def _parts_of(self, case: type[Any]) -> tuple[tuple[str, Scale[Any]], ...]:
        parts = self._parts.get(case.index)
        if parts is None:
            parts = tuple((name, scale(hint)) for name, hint in record_fields(case))
            self._parts[case.index] = parts
        return parts

    def put(self, value: Any, out: bytearray) -> None:
        if not isinstance(value, self.cls):
            raise EncodeError(f"{value!r} is no {self.cls.__name__}.")
        out.append(value.index)
        for name, part in self._parts_of(type(value)):
            part.put(getattr(value, name), out)

    def take(self, data: bytes, at: int) -> tuple[Any, int]:
        index, at = s.U8.take(data, at)
        case = self.cls.cases.get(index)
        if case is None:
            raise DecodeError(f"{self.cls.__name__} has no case {index} (offset {at - 1}).")
        values = []
        for _, part in self._parts_of(case):
            value, at = part.take(data, at)
            values.append(value)
        return case(*values), at

    def shape(self) -> TypeShape:
        path = (
            tuple(self.cls.scale_path.split("::")) if self.cls.scale_path else (self.cls.__name__,)
        )
        cases = tuple(
            VariantCase(
                case.wire_name, index, wire_fields(case, tuple_like=case.tuple_like), docs_of(case)
            )
            for index, case in sorted(self.cls.cases.items())
        )
        params = tuple((name, scale(hint)) for name, hint in self.cls.params)
        return TypeShape("variant", path, params, cases=cases)


def docs_of(cls: type[Any]) -> tuple[str, ...]:
    """A class docstring as metadata lines; none when a dataclass wrote it."""
    doc = cls.__dict__.get("__doc__") or ""
    if doc.startswith(f"{cls.__name__}("):
        return ()
    return tuple(line.strip() for line in doc.strip().splitlines())


_RATIOS: Final = "substrate_fixed"
_BY_ANNOTATION: dict[Any, Scale[Any]] = {
    U8: s.U8,
    U16: s.U16,
    U32: s.U32,
    U64: s.U64,
    U128: s.U128,
    I8: s.I8,
    I16: s.I16,
    I32: s.I32,
    I64: s.I64,
    I128: s.I128,
    bool: s.BOOL,
    bytes: s.BYTES,
    str: s.TEXT,
    type(None): s.UNIT,
    H160: s.ByteArray(20, "primitive_types::H160"),
    H256: s.ByteArray(32, "primitive_types::H256"),
    AccountId: s.ByteArray(32, "sp_core::crypto::AccountId32"),
    # Plain numbers in the registry, as the chain's own: the 10.x line reads a newtype as a list of one.
    Tao: s.U64,
    Alpha: s.U64,
    NetUid: s.U16,
    Uid: s.U16,
    BlockNumber: s.U32,
    I32F32: s.FixedPoint(s.I64, f"{_RATIOS}::FixedI64"),
    U32F32: s.FixedPoint(s.U64, f"{_RATIOS}::FixedU64"),
    I64F64: s.FixedPoint(s.I128, f"{_RATIOS}::FixedI128"),
    U64F64: s.FixedPoint(s.U128, f"{_RATIOS}::FixedU128"),
    I96F32: s.FixedPoint(s.I128, f"{_RATIOS}::FixedI128"),
    U96F32: s.FixedPoint(s.U128, f"{_RATIOS}::FixedU128"),
}
_TYPE_NAMES: Final = {Tao: "TaoBalance", Alpha: "AlphaBalance", AccountId: "T::AccountId"}


def scale(annotation: Any, late: Mapping[Any, Scale[Any]] | None = None) -> Scale[Any]:
    """The codec of an annotation; `TypeError` when it is no SCALE type. See the module's table.

    `late` gives codecs that only a finished runtime knows, such as that of any call; results that may hold one are
    not kept.
    """
    if late:
        return late[annotation] if annotation in late else _build(annotation, late)
    found = _BY_ANNOTATION.get(annotation) if _hashable(annotation) else None
    if found is None:
        found = _build(annotation)
        if _hashable(annotation):
            _BY_ANNOTATION[annotation] = found
    return found


def _hashable(annotation: Any) -> bool:
    return getattr(annotation, "__hash__", None) is not None


def _build(annotation: Any, late: Mapping[Any, Scale[Any]] | None = None) -> Scale[Any]:
    if isinstance(annotation, Scale):
        return annotation
    if late and _hashable(annotation) and annotation in _BY_ANNOTATION:
        return _BY_ANNOTATION[annotation]
    if isinstance(annotation, type):
        if issubclass(annotation, Record):
            return RecordScale(annotation)
        if issubclass(annotation, Enumeration):
            return EnumerationScale(annotation)
    if get_origin(annotation) is Annotated:
        found = _build_annotated(annotation, late)
    else:
        found = _build_generic(get_origin(annotation), get_args(annotation), late)
    if found is None:
        raise TypeError(f"{annotation!r} has no SCALE form. Use the types of mycelia.codec.")
    return found


_Late = Mapping[Any, Scale[Any]] | None


def _build_annotated(annotation: Any, late: _Late) -> Scale[Any] | None:
    inner, *extras = get_args(annotation)
    for extra in extras:
        if isinstance(extra, Scale):
            return extra
        if extra == _COMPACT:
            return s.Compact(scale(inner, late))
    return None


def _build_generic(origin: Any, args: tuple[Any, ...], late: _Late) -> Scale[Any] | None:
    if origin in (typing.Union, types.UnionType):
        inner = [arg for arg in args if arg is not type(None)]
        is_option = len(inner) == 1 and len(args) > 1
        return s.Option(scale(inner[0], late)) if is_option else None
    if origin is list or (origin is tuple and args[1:] == (Ellipsis,)):
        return s.Sequence(scale(args[0], late))
    if origin is tuple:
        return s.Tuple(*(scale(arg, late) for arg in args))
    if origin is dict:
        return s.OrderedMap(scale(args[0], late), scale(args[1], late))
    return None


def type_name_of(annotation: Any) -> str:
    """How the type is spelled in call, event and struct fields: the SDK reads a money argument's unit from it."""
    if _hashable(annotation) and annotation in _TYPE_NAMES:
        return _TYPE_NAMES[annotation]
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_name_of(parts[0])
    if origin in (typing.Union, types.UnionType):
        return f"Option<{type_name_of(parts[0])}>"
    if origin is tuple and parts[1:] == (...,):
        return f"Vec<{type_name_of(parts[0])}>"
    if origin is tuple:
        return f"({', '.join(map(type_name_of, parts))})"
    name = getattr(annotation, "__name__", None) or str(annotation)
    return name.lower() if name[:1] in "UI" and name[1:].isdigit() else name
