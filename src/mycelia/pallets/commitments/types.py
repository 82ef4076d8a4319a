"""Stored values of Commitments.

`Data` has one wire variant per length of raw bytes, so it has a codec of its own. Timelocked data is not among its
forms: nothing here reveals it, so it is refused where it is decoded.
Source: subtensor@14bc6f9 `pallets/commitments/src/types.rs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from mycelia.codec import U32, U64, DecodeError, EncodeError, Record, Scale
from mycelia.codec.scale import BYTES, ByteArray, Field, Sequence, TypeShape, VariantCase
from mycelia.primitives import Tao

RAW_BYTES: Final = 128
BIG_RAW_BYTES: Final = 512
MAX_FIELDS: Final = 3
_HASHES: Final = {130: "BlakeTwo256", 131: "Sha256", 132: "Keccak256", 133: "ShaThree256"}
_RESET_BONDS: Final = 135
_BIG_RAW: Final = 136
_HASH_BYTES: Final = 32


@dataclass(frozen=True)
class Data:
    """One field of a commitment: bytes, and the wire variant they came in.

    Variant 0 is nothing, 1 to 129 raw bytes of that length less one, 130 to 133 hashes, 135 the wish that bonds on the
    neuron begin anew, 136 up to 512 raw bytes.
    """

    variant: int
    content: bytes = b""

    @property
    def resets_bonds(self) -> bool:
        """Whether it is no data, but the wish that bonds begin anew."""
        return self.variant == _RESET_BONDS


def Raw(content: bytes) -> Data:  # noqa: N802  # reads as a variant
    """Raw bytes in the smallest variant that holds them."""
    return Data(len(content) + 1 if len(content) <= RAW_BYTES else _BIG_RAW, content)


class DataScale(Scale[Data]):
    """Codec of `Data`."""

    min_bytes = 1

    def put(self, value: Data, out: bytearray) -> None:
        out.append(value.variant)
        if value.variant == _BIG_RAW:
            BYTES.put(value.content, out)
            return
        if len(value.content) != self._length(value.variant):
            raise EncodeError(f"{len(value.content)} bytes don't fit data variant {value.variant}.")
        out += value.content

    def take(self, data: bytes, at: int) -> tuple[Data, int]:
        if at >= len(data):
            raise DecodeError("the data is missing.")
        variant = data[at]
        if variant == _BIG_RAW:
            content, end = BYTES.take(data, at + 1)
            if len(content) > BIG_RAW_BYTES:
                raise DecodeError(f"{len(content)} raw bytes, at most {BIG_RAW_BYTES}.")
            return Data(variant, content), end
        end = at + 1 + self._length(variant)
        if end > len(data):
            raise DecodeError("the data is cut off.")
        return Data(variant, bytes(data[at + 1 : end])), end

    def _length(self, variant: int) -> int:
        if variant <= RAW_BYTES + 1:
            return max(0, variant - 1)
        if variant in _HASHES:
            return _HASH_BYTES
        if variant == _RESET_BONDS:
            return 0
        raise DecodeError(f"data variant {variant} is not supported on this chain.")

    def shape(self) -> TypeShape:
        raws = tuple(
            VariantCase(f"Raw{size}", size + 1, (Field(None, ByteArray(size)),))
            for size in range(RAW_BYTES + 1)
        )
        hashes = tuple(
            VariantCase(name, index, (Field(None, ByteArray(_HASH_BYTES)),))
            for index, name in _HASHES.items()
        )
        reset = VariantCase("ResetBondsFlag", _RESET_BONDS, ())
        big = VariantCase("BigRaw", _BIG_RAW, (Field(None, BYTES),))
        none = VariantCase("None", 0, ())
        path = ("pallet_commitments", "types", "Data")
        return TypeShape("variant", path, cases=(none, *raws, *hashes, reset, big))


class Fields(Scale[tuple[Data, ...]]):
    """A bounded list of data: a composite around the list, as clients expect it."""

    min_bytes = 1

    def __init__(self) -> None:
        self._list = Sequence(DataScale())

    def put(self, value: tuple[Data, ...], out: bytearray) -> None:
        self._list.put(value, out)

    def take(self, data: bytes, at: int) -> tuple[tuple[Data, ...], int]:
        return self._list.take(data, at)

    def shape(self) -> TypeShape:
        path = ("bounded_collections", "bounded_vec", "BoundedVec")
        return TypeShape("composite", path, fields=(Field(None, self._list),))


class CommitmentInfo(Record, path="pallet_commitments::types::CommitmentInfo"):
    """What a neuron publishes, at most `MaxFields` fields."""

    fields: Annotated[tuple[Data, ...], Fields()]


class Registration(Record, path="pallet_commitments::types::Registration"):
    """A commitment with its deposit in rao (always 0) and the block it was made in."""

    deposit: Tao
    block: U32
    info: CommitmentInfo


class UsageTracker(Record, path="pallet_commitments::types::UsageTracker"):
    """Bytes an account has published within an epoch."""

    last_epoch: U64
    used_space: U64
