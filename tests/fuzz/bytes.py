"""Bytes to throw at decoders: grown from a type's shape, damaged, or plain noise. All chance is one `Random`'s."""

from __future__ import annotations

import random
from functools import cache
from typing import Any, Final

from mycelia.codec.scale import Scale, TypeShape, put_compact
from mycelia.testing.oracle import Person

_WIDTH_BYTES: Final = {
    name: int(name[1:]) // 8 for name in ("u8", "u16", "u32", "u64", "u128", "u256")
} | {name: int(name[1:]) // 8 for name in ("i8", "i16", "i32", "i64", "i128", "i256")}
_DEPTH: Final = 12
_NETUIDS: Final = (1, 1, 1, 1, 1, 1, 0, 2, 65_535)
PEOPLE: Final = ("//Alice", "//neuron/0", "//neuron/1", "//neuron/3", "//Nobody")
"""The operator, who owns the subnet; validators; a miner; one without money."""


@cache
def _shape(scale: Scale[Any]) -> TypeShape:
    return scale.shape()


@cache
def accounts() -> tuple[bytes, ...]:
    """Their accounts."""
    return tuple(bytes(Person(uri).account) for uri in PEOPLE)


def number(rng: random.Random, width_bytes: int) -> int:
    """A number that fits: often small, often at an edge, sometimes anything."""
    top = (1 << 8 * width_bytes) - 1
    match rng.randrange(6):
        case 0 | 1:
            return min(top, rng.choice((0, 1, 1, 2, 3, 10, 64, 1_000)))
        case 2:
            return max(0, top - rng.randrange(3))
        case 3:
            return min(top, rng.choice((10**9, 10**9, 10**11, 10**12, 10**18, 1 << 63, 65_535)))
        case _:
            return rng.randrange(1 << rng.randrange(1, 8 * width_bytes + 1))


def netuid(rng: random.Random) -> bytes:
    """Mostly the subnet that exists."""
    return rng.choice(_NETUIDS).to_bytes(2, "little")


def grown(scale: Scale[Any], rng: random.Random, depth: int = 0) -> bytes:
    """An encoding of the shape of `scale`: well formed, though not always one that it accepts."""
    out = bytearray()
    _grow(scale, rng, depth, out)
    return bytes(out)


def _grow(scale: Scale[Any], rng: random.Random, depth: int, out: bytearray) -> None:
    shape = _shape(scale)
    if shape.kind == "primitive":
        _primitive(shape.primitive, rng, out)
    elif shape.kind == "compact":
        inner = _shape(shape.items[0])
        while inner.fields:
            inner = _shape(inner.fields[0].scale)
        put_compact(number(rng, _WIDTH_BYTES.get(inner.primitive, 1)), out)
    elif shape.kind == "variant":
        if not shape.cases:
            return
        case = rng.choice(shape.cases[:1] if depth > _DEPTH else shape.cases)
        out.append(case.index)
        for field in case.fields:
            if field.type_name == "NetUid":
                out += netuid(rng)
            else:
                _grow(field.scale, rng, depth + 1, out)
    elif shape.kind == "sequence":
        length = 0 if depth > _DEPTH else rng.choice((0, 1, 1, 2, 3, 7))
        put_compact(length, out)
        for _ in range(length):
            _grow(shape.items[0], rng, depth + 1, out)
    elif shape.kind == "array":
        if shape.length == 32:
            out += rng.choice(accounts()) if rng.random() < 0.8 else rng.randbytes(32)
        else:
            for _ in range(shape.length):
                _grow(shape.items[0], rng, depth + 1, out)
    elif shape.path and shape.path[-1] == "AccountId32":
        out += rng.choice(accounts())
    else:
        for part in (*shape.items, *(field.scale for field in shape.fields)):
            _grow(part, rng, depth + 1, out)


def _primitive(name: str, rng: random.Random, out: bytearray) -> None:
    if name == "bool":
        out.append(rng.randrange(2))
    elif name == "str":
        text = "".join(rng.choices("abc ä€😀\0", k=rng.randrange(8))).encode()
        put_compact(len(text), out)
        out += text
    else:
        width = _WIDTH_BYTES[name]
        out += number(rng, width).to_bytes(width, "little")


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The same bytes after one to four accidents."""
    bytes_ = bytearray(data)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(bytes_) + 1)
        match rng.randrange(7):
            case 0 if at < len(bytes_):
                bytes_[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(bytes_):
                bytes_[at] = rng.choice((0, 1, 0x03, 0x7F, 0x80, 0xFE, 0xFF))
            case 2:
                del bytes_[at:]
            case 3:
                del bytes_[at : at + rng.randrange(1, 9)]
            case 4:
                bytes_[at:at] = rng.randbytes(rng.randrange(1, 9))
            case 5:  # a length that promises far more than follows
                bytes_[at : at + 5] = b"\x03" + rng.choice((b"\xff" * 4, b"\0\0\0\x80"))
            case _:
                bytes_[at:at] = bytes_[: rng.randrange(1, 64)]
    return bytes(bytes_)


def noise(rng: random.Random) -> bytes:
    """Any bytes, mostly few."""
    return rng.randbytes(rng.randrange(1 << rng.randrange(1, 12)))
