"""The portable registry: every type that metadata mentions, numbered, described once.

Types that are the same by structure get one number however they are spelled in Python; named types are kept apart.
Source: scale-info 2, PortableRegistry.
"""

from __future__ import annotations

from typing import Any, Final

from mycelia.codec.scale import BYTES, TEXT, Field, Scale, TypeShape, put_compact

_PRIMITIVES: Final = (
    "bool",
    "char",
    "str",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "u256",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "i256",
)
_KINDS: Final = ("composite", "variant", "sequence", "array", "tuple", "primitive", "compact")


def put_texts(lines: tuple[str, ...], out: bytearray) -> None:
    """Append a Vec<String>."""
    put_compact(len(lines), out)
    for line in lines:
        TEXT.put(line, out)


class Registry:
    """Numbers types in the order in which they are first asked for."""

    def __init__(self) -> None:
        self._ids: dict[int, int] = {}  # by identity of the codec object
        self._same: dict[TypeKey, int] = {}
        self._shapes: list[TypeShape | None] = []
        self._kept: list[Scale[Any]] = []  # identities stay unique only while objects live

    def id_of(self, scale: Scale[Any]) -> int:
        """The number of a type; describes it and what it is made of on first sight."""
        known = self._ids.get(id(scale))
        if known is not None:
            return known
        self._kept.append(scale)
        shape = scale.shape()
        if shape.kind in ("composite", "variant") and shape.path != ("Option",):
            # Numbered before its parts: calls contain calls.
            number = self._ids[id(scale)] = self._next(None)
            self._shapes[number] = shape
            self._visit(shape)
            return number
        self._visit(shape)
        key = self._key(shape)
        number = self._same.get(key, -1)
        if number < 0:
            number = self._same[key] = self._next(shape)
        self._ids[id(scale)] = number
        return number

    def _next(self, shape: TypeShape | None) -> int:
        self._shapes.append(shape)
        return len(self._shapes) - 1

    def _visit(self, shape: TypeShape) -> None:
        for _, param in shape.params:
            if param is not None:
                self.id_of(param)
        for item in shape.items:
            self.id_of(item)
        for field in shape.fields:
            self.id_of(field.scale)
        for case in shape.cases:
            for field in case.fields:
                self.id_of(field.scale)

    def _key(self, shape: TypeShape) -> TypeKey:
        parts = tuple(self.id_of(item) for item in shape.items)
        inner = tuple(self.id_of(param) for _, param in shape.params if param is not None)
        return (shape.kind, shape.path, parts + inner, shape.length, shape.primitive)

    def encode(self) -> bytes:
        """Vec<PortableType>, all types seen so far."""
        out = bytearray()
        put_compact(len(self._shapes), out)
        for number, shape in enumerate(self._shapes):
            assert shape is not None  # the visit that numbered it has filled it
            put_compact(number, out)
            self._put_type(shape, out)
        return bytes(out)

    def _put_type(self, shape: TypeShape, out: bytearray) -> None:
        put_texts(shape.path, out)
        put_compact(len(shape.params), out)
        for name, param in shape.params:
            TEXT.put(name, out)
            if param is None:
                out.append(0)
            else:
                out.append(1)
                put_compact(self.id_of(param), out)
        out.append(_KINDS.index(shape.kind))
        self._put_definition(shape, out)
        put_texts(shape.docs, out)

    def _put_definition(self, shape: TypeShape, out: bytearray) -> None:
        match shape.kind:
            case "composite":
                self._put_fields(shape.fields, out)
            case "variant":
                put_compact(len(shape.cases), out)
                for case in shape.cases:
                    TEXT.put(case.name, out)
                    self._put_fields(case.fields, out)
                    out.append(case.index)
                    put_texts(case.docs, out)
            case "array":
                out += shape.length.to_bytes(4, "little")
                put_compact(self.id_of(shape.items[0]), out)
            case "tuple":
                put_compact(len(shape.items), out)
                for item in shape.items:
                    put_compact(self.id_of(item), out)
            case "primitive":
                out.append(_PRIMITIVES.index(shape.primitive))
            case _:
                put_compact(self.id_of(shape.items[0]), out)

    def _put_fields(self, fields: tuple[Field, ...], out: bytearray) -> None:
        put_compact(len(fields), out)
        for field in fields:
            put_option_text(field.name, out)
            put_compact(self.id_of(field.scale), out)
            put_option_text(field.type_name, out)
            put_compact(0, out)  # docs


def put_option_text(text: str | None, out: bytearray) -> None:
    """Append an Option<String>."""
    if text is None:
        out.append(0)
    else:
        out.append(1)
        TEXT.put(text, out)


def put_bytes(value: bytes, out: bytearray) -> None:
    """Append a Vec<u8>."""
    BYTES.put(value, out)


TypeKey = tuple[str, tuple[str, ...], tuple[int, ...], int, str]
