"""SCALE, strictly: one compiled codec per type, no value that can be written in two ways.

A `Scale[T]` turns a Python value into bytes and back, and describes its type for the metadata. Decoding refuses what a
canonical encoder never writes: longer compacts than needed, booleans other than 0 and 1, maps out of order, trailing
bytes. Lengths are checked against the bytes that are left before anything is allocated, and nesting is bounded by the
types themselves, so hostile input costs time linear in its size.

Terms: *put* appends to a buffer, *take* reads at an offset and returns the next one.
Source: Parity's SCALE specification; scale-info's portable registry for the descriptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, Generic, TypeVar

import numpy as np

T = TypeVar("T")


class DecodeError(ValueError):
    """The bytes are not the canonical encoding of the type. Check that sender and node use the same metadata."""


class EncodeError(ValueError):
    """The value does not fit the type. Check its range and shape."""


@dataclass(frozen=True)
class Field:
    """One field of a composite or variant; `name` is None in tuple-like ones."""

    name: str | None
    scale: Scale[Any]
    type_name: str | None = None


@dataclass(frozen=True)
class VariantCase:
    """One case of an enum: its wire index, fields and docs."""

    name: str
    index: int
    fields: tuple[Field, ...]
    docs: tuple[str, ...] = ()


@dataclass(frozen=True)
class TypeShape:
    """What the portable registry says of a type.

    `kind` is composite, variant, sequence, array, tuple, primitive or compact; of the rest only what
    the kind needs is set.
    """

    kind: str
    path: tuple[str, ...] = ()
    params: tuple[tuple[str, Scale[Any] | None], ...] = ()
    fields: tuple[Field, ...] = ()
    cases: tuple[VariantCase, ...] = ()
    items: tuple[Scale[Any], ...] = ()
    length: int = 0
    primitive: str = ""
    docs: tuple[str, ...] = field(default=())


class Scale(Generic[T]):
    """Codec of one type. Subclasses give `put`, `take` and `shape`."""

    min_bytes: int = 0
    """Least encoded size; bounds how many elements a hostile length may announce."""

    def put(self, value: T, out: bytearray) -> None:
        raise NotImplementedError

    def take(self, data: bytes, at: int) -> tuple[T, int]:
        raise NotImplementedError

    def shape(self) -> TypeShape:
        raise NotImplementedError

    def encode(self, value: T) -> bytes:
        """The canonical bytes of `value`; `EncodeError` if it does not fit."""
        out = bytearray()
        self.put(value, out)
        return bytes(out)

    def decode(self, data: bytes) -> T:
        """The value whose canonical bytes are exactly `data`; `DecodeError` otherwise."""
        value, end = self.take(data, 0)
        if end != len(data):
            raise DecodeError(
                f"{len(data) - end} bytes left over after the value. Send the value alone."
            )
        return value


def _short(wanted: int, at: int, data: bytes) -> DecodeError:
    return DecodeError(f"needs {wanted} bytes at offset {at}, {max(0, len(data) - at)} are left.")


class Unsigned(Scale[int]):
    """u8 to u128, little endian."""

    def __init__(self, width_bytes: int) -> None:
        self.min_bytes = self.width = width_bytes
        self.name = f"u{8 * width_bytes}"

    def put(self, value: int, out: bytearray) -> None:
        out += self.encode(value)

    def encode(self, value: int) -> bytes:
        """The bytes without a buffer in between: numbers as keys take this way."""
        try:
            return value.to_bytes(self.width, "little")
        except (OverflowError, AttributeError) as cause:
            raise EncodeError(f"{value!r} is not a {self.name}.") from cause

    def take(self, data: bytes, at: int) -> tuple[int, int]:
        end = at + self.width
        if end > len(data):
            raise _short(self.width, at, data)
        return int.from_bytes(data[at:end], "little"), end

    def shape(self) -> TypeShape:
        return TypeShape("primitive", primitive=self.name)


class Signed(Scale[int]):
    """i8 to i128, two's complement, little endian."""

    def __init__(self, width_bytes: int) -> None:
        self.min_bytes = self.width = width_bytes
        self.name = f"i{8 * width_bytes}"

    def put(self, value: int, out: bytearray) -> None:
        try:
            out += value.to_bytes(self.width, "little", signed=True)
        except (OverflowError, AttributeError) as cause:
            raise EncodeError(f"{value!r} is not an {self.name}.") from cause

    def take(self, data: bytes, at: int) -> tuple[int, int]:
        end = at + self.width
        if end > len(data):
            raise _short(self.width, at, data)
        return int.from_bytes(data[at:end], "little", signed=True), end

    def shape(self) -> TypeShape:
        return TypeShape("primitive", primitive=self.name)


class Boolean(Scale[bool]):
    """One byte, 0 or 1."""

    min_bytes = 1

    def put(self, value: bool, out: bytearray) -> None:
        out.append(1 if value else 0)

    def take(self, data: bytes, at: int) -> tuple[bool, int]:
        if at >= len(data):
            raise _short(1, at, data)
        if data[at] > 1:
            raise DecodeError(f"{data[at]} is no boolean at offset {at}.")
        return data[at] == 1, at + 1

    def shape(self) -> TypeShape:
        return TypeShape("primitive", primitive="bool")


_ONE_BYTE: Final = 1 << 6
_TWO_BYTES: Final = 1 << 14
_FOUR_BYTES: Final = 1 << 30
_BIG: Final = 3


def put_compact(value: int, out: bytearray) -> None:
    """Append the shortest compact form of a non-negative integer."""
    if value < 0:
        raise EncodeError(f"{value} is negative; a compact integer is not.")
    if value < _ONE_BYTE:
        out.append(value << 2)
    elif value < _TWO_BYTES:
        out += (value << 2 | 1).to_bytes(2, "little")
    elif value < _FOUR_BYTES:
        out += (value << 2 | 2).to_bytes(4, "little")
    else:
        body = value.to_bytes((value.bit_length() + 7) // 8, "little")
        out.append((len(body) - 4) << 2 | _BIG)
        out += body


def take_compact(data: bytes, at: int) -> tuple[int, int]:
    """Read a compact integer; refuse one that a shorter form could hold."""
    if at >= len(data):
        raise _short(1, at, data)
    first = data[at]
    mode = first & 3
    if mode == 0:
        return first >> 2, at + 1
    width = (2, 4)[mode - 1] if mode < _BIG else (first >> 2) + 4
    start = at if mode < _BIG else at + 1
    end = start + width
    if end > len(data):
        raise _short(width, start, data)
    value = int.from_bytes(data[start:end], "little")
    if mode < _BIG:
        value >>= 2
        least = _ONE_BYTE if mode == 1 else _TWO_BYTES
    else:
        least = max(_FOUR_BYTES, 1 << 8 * (width - 1))
    if value < least:
        raise DecodeError(f"compact {value} at offset {at} is longer than needed.")
    return value, end


class Compact(Scale[int]):
    """A compact integer that must fit the unsigned type inside."""

    min_bytes = 1

    def __init__(self, inner: Scale[int]) -> None:
        self.inner = inner
        self.bound = 1 << 8 * inner.min_bytes

    def put(self, value: int, out: bytearray) -> None:
        if value >= self.bound:
            raise EncodeError(f"{value} does not fit {self.inner.shape().primitive or 'its type'}.")
        put_compact(value, out)

    def take(self, data: bytes, at: int) -> tuple[int, int]:
        value, end = take_compact(data, at)
        if value >= self.bound:
            raise DecodeError(f"compact {value} at offset {at} is beyond its type.")
        return value, end

    def shape(self) -> TypeShape:
        return TypeShape("compact", items=(self.inner,))


class Named(Scale[Any]):
    """A new type around another: same bytes, a path of its own in the metadata."""

    def __init__(
        self, inner: Scale[Any], path: str, params: tuple[tuple[str, Scale[Any]], ...] = ()
    ) -> None:
        self.inner, self.path, self.params = inner, path, params
        self.min_bytes = inner.min_bytes
        self.put = inner.put  # type: ignore[method-assign]  # no call in between: money is everywhere
        self.take = inner.take  # type: ignore[method-assign]
        self.encode = inner.encode  # type: ignore[method-assign]

    def shape(self) -> TypeShape:
        return TypeShape(
            "composite",
            tuple(self.path.split("::")),
            self.params,
            fields=(Field(None, self.inner),),
        )


class FixedPoint(Scale[int]):
    """A fixed-point number as clients read it: a composite with one integer field `bits`."""

    def __init__(self, inner: Scale[int], path: str) -> None:
        self.inner, self.path = inner, path
        self.min_bytes = inner.min_bytes

    def put(self, value: int, out: bytearray) -> None:
        self.inner.put(value, out)

    def take(self, data: bytes, at: int) -> tuple[int, int]:
        return self.inner.take(data, at)

    def shape(self) -> TypeShape:
        return TypeShape(
            "composite", tuple(self.path.split("::")), fields=(Field("bits", self.inner),)
        )


class ByteArray(Scale[bytes]):
    """[u8; N]; with a path, a composite around it such as H256."""

    def __init__(self, length: int, path: str = "") -> None:
        self.min_bytes = self.length = length
        self.path = path
        self._plain = self if not path else ByteArray(length)

    def put(self, value: bytes, out: bytearray) -> None:
        out += self.encode(value)

    def encode(self, value: bytes) -> bytes:
        """The bytes themselves: accounts as keys take this way."""
        if len(value) != self.length:
            raise EncodeError(f"{len(value)} bytes where {self.length} are due.")
        return value

    def take(self, data: bytes, at: int) -> tuple[bytes, int]:
        end = at + self.length
        if end > len(data):
            raise _short(self.length, at, data)
        return bytes(data[at:end]), end

    def shape(self) -> TypeShape:
        if self.path:
            return TypeShape(
                "composite", tuple(self.path.split("::")), fields=(Field(None, self._plain),)
            )
        return TypeShape("array", items=(U8,), length=self.length)


class ByteString(Scale[bytes]):
    """Vec<u8>."""

    min_bytes = 1

    def put(self, value: bytes, out: bytearray) -> None:
        put_compact(len(value), out)
        out += value

    def take(self, data: bytes, at: int) -> tuple[bytes, int]:
        length, start = take_compact(data, at)
        end = start + length
        if end > len(data):
            raise _short(length, start, data)
        return bytes(data[start:end]), end

    def shape(self) -> TypeShape:
        return TypeShape("sequence", items=(U8,))


class Text(Scale[str]):
    """A Rust `String`: UTF-8 with a length."""

    min_bytes = 1

    def put(self, value: str, out: bytearray) -> None:
        BYTES.put(value.encode(), out)

    def take(self, data: bytes, at: int) -> tuple[str, int]:
        raw, end = BYTES.take(data, at)
        try:
            return raw.decode(), end
        except UnicodeDecodeError as cause:
            raise DecodeError(f"no UTF-8 text at offset {at}.") from cause

    def shape(self) -> TypeShape:
        return TypeShape("primitive", primitive="str")


class Option(Scale[Any]):
    """None, or one value."""

    min_bytes = 1

    def __init__(self, inner: Scale[Any]) -> None:
        self.inner = inner

    def put(self, value: Any, out: bytearray) -> None:
        if value is None:
            out.append(0)
        else:
            out.append(1)
            self.inner.put(value, out)

    def take(self, data: bytes, at: int) -> tuple[Any, int]:
        present, at = BOOL.take(data, at)
        return self.inner.take(data, at) if present else (None, at)

    def shape(self) -> TypeShape:
        some = VariantCase("Some", 1, (Field(None, self.inner),))
        return TypeShape(
            "variant",
            ("Option",),
            params=(("T", self.inner),),
            cases=(VariantCase("None", 0, ()), some),
        )


class Sequence(Scale[tuple[Any, ...]]):
    """Vec<T>, decoded to a tuple; a `BoundedVec` with a path."""

    min_bytes = 1

    def __init__(self, inner: Scale[Any], *, bounded: bool = False) -> None:
        self.inner = inner
        self.bounded = bounded

    def put(self, value: tuple[Any, ...], out: bytearray) -> None:
        put_compact(len(value), out)
        put = self.inner.put
        for item in value:
            put(item, out)

    def take(self, data: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        length, at = take_compact(data, at)
        # Elements without bytes (unit types) would let a length alone allocate.
        if length * max(1, self.inner.min_bytes) > len(data) - at:
            raise DecodeError(f"{length} elements announced, {len(data) - at} bytes are left.")
        take = self.inner.take
        items = []
        for _ in range(length):
            item, at = take(data, at)
            items.append(item)
        return tuple(items), at

    def shape(self) -> TypeShape:
        return TypeShape("sequence", items=(self.inner,))


class Tuple(Scale[tuple[Any, ...]]):
    """A fixed tuple; the empty one is `()`."""

    def __init__(self, *items: Scale[Any]) -> None:
        self.items = items
        self.min_bytes = sum(item.min_bytes for item in items)

    def put(self, value: tuple[Any, ...], out: bytearray) -> None:
        if len(value) != len(self.items):
            raise EncodeError(f"{len(value)} values where {len(self.items)} are due.")
        for scale, item in zip(self.items, value, strict=True):
            scale.put(item, out)

    def take(self, data: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        values = []
        for scale in self.items:
            value, at = scale.take(data, at)
            values.append(value)
        return tuple(values), at

    def shape(self) -> TypeShape:
        return TypeShape("tuple", items=self.items)


class OrderedMap(Scale[Mapping[Any, Any]]):
    """BTreeMap<K, V>: pairs in ascending order of key, each key once."""

    min_bytes = 1

    def __init__(self, key: Scale[Any], value: Scale[Any]) -> None:
        self.key, self.value = key, value
        self.pairs = Sequence(Tuple(key, value))

    def put(self, value: Mapping[Any, Any], out: bytearray) -> None:
        self.pairs.put(tuple(sorted(value.items(), key=lambda pair: pair[0])), out)

    def take(self, data: bytes, at: int) -> tuple[Mapping[Any, Any], int]:
        pairs, end = self.pairs.take(data, at)
        for (left, _), (right, _) in pairwise(pairs):
            if not left < right:
                raise DecodeError(f"map at offset {at} is not in order.")
        return dict(pairs), end

    def shape(self) -> TypeShape:
        return TypeShape(
            "composite",
            ("BTreeMap",),
            params=(("K", self.key), ("V", self.value)),
            fields=(Field(None, self.pairs),),
        )


class Vector(Scale[Any]):
    """Vec of fixed-width integers as a read-only numpy array: its bytes are its SCALE bytes."""

    min_bytes = 1

    def __init__(self, inner: Scale[Any], dtype: str) -> None:
        self.inner = inner
        self.dtype = np.dtype(dtype)

    def put(self, value: Any, out: bytearray) -> None:
        array = np.asarray(value)
        if array.dtype != self.dtype:
            narrowed = array.astype(self.dtype)
            if not np.array_equal(narrowed, array):
                raise EncodeError(f"an element does not fit {self.dtype}.")
            array = narrowed
        put_compact(array.size, out)
        out += array.tobytes()

    def take(self, data: bytes, at: int) -> tuple[Any, int]:
        length, start = take_compact(data, at)
        end = start + length * self.dtype.itemsize
        if end > len(data):
            raise _short(end - start, start, data)
        array = np.frombuffer(data, self.dtype, length, start)
        if self.dtype == np.bool_ and length and int(array.view(np.uint8).max()) > 1:
            raise DecodeError(f"no boolean vector at offset {at}.")
        return array, end

    def shape(self) -> TypeShape:
        return TypeShape("sequence", items=(self.inner,))


class PairVector(Scale[Any]):
    """Vec<(u16, u16)> as a read-only array of shape (n, 2): weights and bonds."""

    min_bytes = 1

    def put(self, value: Any, out: bytearray) -> None:
        array = np.asarray(value, dtype="<u2").reshape(-1, 2)
        put_compact(len(array), out)
        out += array.tobytes()

    def take(self, data: bytes, at: int) -> tuple[Any, int]:
        length, start = take_compact(data, at)
        end = start + 4 * length
        if end > len(data):
            raise _short(4 * length, start, data)
        return np.frombuffer(data, "<u2", 2 * length, start).reshape(-1, 2), end

    def shape(self) -> TypeShape:
        return TypeShape("sequence", items=(_U16_PAIR,))


U8 = Unsigned(1)
U16 = Unsigned(2)
U32 = Unsigned(4)
U64 = Unsigned(8)
U128 = Unsigned(16)
I8, I16, I32, I64, I128 = (Signed(width) for width in (1, 2, 4, 8, 16))
BOOL = Boolean()
BYTES = ByteString()
TEXT = Text()
UNIT = Tuple()
_U16_PAIR = Tuple(U16, U16)
