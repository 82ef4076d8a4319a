"""Strict SCALE: every value has one encoding, and nothing else decodes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mycelia.codec import (
    H256,
    I64,
    U8,
    U16,
    U32,
    U64,
    U128,
    BoolVec,
    Compact,
    DecodeError,
    EncodeError,
    Enumeration,
    PairVec,
    Record,
    U16Vec,
    scale,
    take_compact,
)
from mycelia.codec.types import type_name_of
from mycelia.primitives import AccountId, Alpha, NetUid, Tao


class Shape(Enumeration, path="test::Shape"):
    """A shape."""


class Circle(Shape, index=0, tuple_like=True):
    radius: U16


class Nothing(Shape, index=3):
    pass


class Row(Record, path="test::Row"):
    who: AccountId
    paid: Compact[Tao]
    note: str | None
    pairs: tuple[tuple[U8, U16], ...]
    shape: Shape


ROW = Row(AccountId(b"k" * 32), Tao(10**9), "grüße", ((U8(1), U16(2)),), Circle(U16(7)))


def test_a_record_round_trips_and_its_bytes_are_those_of_the_specification() -> None:
    expected = (
        b"k" * 32
        + (10**9 << 2 | 2).to_bytes(4, "little")
        + b"\x01"
        + bytes([len("grüße".encode()) << 2])
        + "grüße".encode()
        + b"\x04\x01\x02\x00"
        + b"\x00\x07\x00"
    )
    assert scale(Row).encode(ROW) == expected
    assert scale(Row).decode(expected) == ROW


@pytest.mark.parametrize(
    ("annotation", "data"),
    [
        (Compact[U32], b"\x01\x00"),  # 0 in two bytes
        (Compact[U32], b"\x02\x00\x00\x00"),  # 0 in four
        (Compact[U64], b"\x07\x01\x00\x00\x00\x00"),  # 1 in big mode
        (Compact[U8], b"\x01\x04"),  # 256 as u8
        (bool, b"\x02"),
        (U16 | None, b"\x02\x00\x00"),
        (U16, b"\x01"),
        (U16, b"\x01\x00\x00"),
        (str, b"\x04\xff"),
        (Shape, b"\x01"),
        (dict[U8, U8], b"\x08\x02\x00\x01\x00"),  # keys out of order
        (dict[U8, U8], b"\x08\x01\x00\x01\x00"),  # a key twice
        (BoolVec, b"\x04\x02"),
        (U16Vec, b"\x08\x01\x00"),
        (tuple[U64, ...], b"\x03\xff\xff\xff\x7f"),  # announces two thousand million elements
        (tuple[tuple[()], ...], b"\x03\xff\xff\xff\x7f"),
        (bytes, b"\x03\xff\xff\xff\x7f"),
    ],
)
def test_what_no_encoder_writes_is_refused(annotation: object, data: bytes) -> None:
    with pytest.raises(DecodeError):
        scale(annotation).decode(data)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [(U8, 256), (U8, -1), (I64, 2**63), (Compact[U16], 2**16), (H256, b"short"), (Row, "row")],
)
def test_values_that_do_not_fit_are_refused(annotation: object, value: object) -> None:
    with pytest.raises(EncodeError):
        scale(annotation).encode(value)


@given(st.integers(0, 2**128 - 1))
def test_compacts_round_trip_in_the_shortest_form(value: int) -> None:
    data = scale(Compact[U128]).encode(value)
    assert take_compact(data, 0) == (value, len(data))
    least = 1 if value < 64 else 2 if value < 2**14 else 4 if value < 2**30 else None
    assert least is None or len(data) == least


@given(st.binary(max_size=64))
def test_whatever_decodes_encodes_to_the_same_bytes(data: bytes) -> None:
    for annotation in (Row, Shape, dict[U8, U16], tuple[U16 | None, ...], U16Vec, PairVec):
        try:
            value = scale(annotation).decode(data)
        except DecodeError:
            continue
        assert scale(annotation).encode(value) == data


def test_vectors_are_read_only_arrays_over_their_bytes() -> None:
    weights = scale(U16Vec).decode(b"\x08\x01\x00\x02\x00")
    assert weights.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        weights[0] = 5
    assert (
        scale(PairVec).encode(np.array([[1, 2], [3, 4]])) == b"\x08\x01\x00\x02\x00\x03\x00\x04\x00"
    )
    with pytest.raises(EncodeError):
        scale(U16Vec).encode(np.array([70_000]))


def test_unknown_annotations_are_named() -> None:
    with pytest.raises(TypeError, match="no SCALE form"):
        scale(float)


def test_money_is_a_plain_number_whose_fields_name_its_unit() -> None:
    assert [scale(kind).shape().primitive for kind in (Tao, Alpha, NetUid)] == ["u64", "u64", "u16"]
    assert [type_name_of(kind) for kind in (Tao, Alpha)] == ["TaoBalance", "AlphaBalance"]


@pytest.mark.parametrize(
    ("annotation", "spelled"),
    [
        (Tao, "TaoBalance"),
        (Tao | None, "Option<TaoBalance>"),
        (tuple[U16, ...], "Vec<u16>"),
        (tuple[U16, ...] | None, "Option<Vec<u16>>"),
        (tuple[AccountId, U16], "(T::AccountId, u16)"),
    ],
)
def test_field_types_are_spelled_as_on_the_chain(annotation, spelled):
    assert type_name_of(annotation) == spelled
