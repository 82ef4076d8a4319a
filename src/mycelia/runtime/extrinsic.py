"""Extrinsics: what people sign and blocks carry, version 4.

The bytes are: compact length, version byte (0x84 signed, 0x04 bare), and if signed address, signature and the
extensions' fields (era, nonce, tip, metadata mode), then the call. What is signed is call, those fields, and what
both sides know (versions, genesis, the era's birth block); above 256 bytes its BLAKE2b hash.

Source: chain-facing order of signed extensions as published by subtensor 425, runtime/src/lib.rs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from mycelia.codec import U8, U32, Bytes, Compact, DecodeError, Scale, scale, take_compact
from mycelia.codec.scale import BYTES, Field, TypeShape, VariantCase
from mycelia.crypto import Scheme, blake2_256
from mycelia.frame import Call
from mycelia.frame.address import AccountAddress, Address
from mycelia.primitives import AccountId, Tao
from mycelia.primitives.errors import MalformedTransaction

INHERENTS: Final = ("Timestamp.set", "MevShield.announce_next_key")
"""Calls that a block's author makes, unsigned, by their place in the block; the first is due in every block."""
SIGNED: Final = 0x84
BARE: Final = 0x04
MAX_EXTRINSIC_BYTES: Final = 512 * 1024
"""More than any call needs: weights on every subnet take some 200 KiB. Bytes are read before a signature is
verified, so what may be sent bounds what an unknown sender makes a node work."""
_HASHED_ABOVE_BYTES: Final = 256
_SIGNATURE_BYTES: Final = 64
_LAST_SCHEME: Final = max(Scheme)
NO_TIP: Final = Tao(0)


@dataclass(frozen=True)
class Era:
    """How long an extrinsic may be included: forever, or `period` blocks from a height that is `phase` modulo it."""

    period: int = 0
    phase: int = 0

    def birth(self, height: int) -> int:
        """Block that a mortal era starts with, for an extrinsic seen at `height`."""
        if not self.period:
            return 0
        return (max(height, self.phase) - self.phase) // self.period * self.period + self.phase

    def death(self, height: int) -> int:
        """First block at which it is too late; a very high number for immortal ones."""
        return self.birth(height) + self.period if self.period else 2**63


class EraScale(Scale[Era]):
    """One zero byte for immortal, else two bytes of period and quantised phase."""

    min_bytes = 1

    def put(self, value: Era, out: bytearray) -> None:
        if not value.period:
            out.append(0)
            return
        quantum = max(value.period >> 12, 1)
        low = min(15, max(1, (value.period & -value.period).bit_length() - 2))
        out += (low | value.phase // quantum << 4).to_bytes(2, "little")

    def take(self, data: bytes, at: int) -> tuple[Era, int]:
        if at >= len(data):
            raise DecodeError("the era is missing.")
        if data[at] == 0:
            return Era(), at + 1
        if at + 2 > len(data):
            raise DecodeError("the era is cut off.")
        coded = int.from_bytes(data[at : at + 2], "little")
        period = 2 << coded % 16
        phase = (coded >> 4) * max(period >> 12, 1)
        if period < 4 or phase >= period:
            raise DecodeError("no valid era.")
        return Era(period, phase), at + 2

    def shape(self) -> TypeShape:
        byte = Field(None, scale(U8))
        cases = (
            VariantCase("Immortal", 0, ()),
            *(VariantCase(f"Mortal{n}", n, (byte,)) for n in range(1, 256)),
        )
        return TypeShape("variant", ("sp_runtime", "generic", "era", "Era"), cases=cases)


ERA: Final = EraScale()


@dataclass(frozen=True)
class Extrinsic:
    """A decoded extrinsic. `signer` is None for inherents, whose signature fields are empty.

    Units: `tip` rao; `hash` is BLAKE2b-256 over `raw`, length prefix included.
    """

    raw: bytes
    hash: bytes
    call: Call
    call_bytes: bytes
    signer: AccountId | None = None
    scheme: Scheme = Scheme.SR25519
    signature: bytes = b""
    era: Era = Era()
    nonce: int = 0
    tip: Tao = NO_TIP
    extra: bytes = b""


@dataclass(frozen=True)
class SigningContext:
    """What signer and chain both know and therefore only sign: versions and hashes."""

    spec_version: int
    transaction_version: int
    genesis_hash: bytes
    era_hash: bytes


def signing_payload(xt: Extrinsic, context: SigningContext) -> bytes:
    """The bytes an extrinsic's signature is over."""
    payload = b"".join(
        (
            xt.call_bytes,
            xt.extra,
            context.spec_version.to_bytes(4, "little"),
            context.transaction_version.to_bytes(4, "little"),
            context.genesis_hash,
            context.era_hash,
            b"\0",  # no metadata hash
        )
    )
    return blake2_256(payload) if len(payload) > _HASHED_ABOVE_BYTES else payload


_NONCE: Final = scale(Compact[U32])
_TIP: Final = scale(Compact[Tao])
_ADDRESS: Final = scale(Address)


def decode_extrinsic(raw: bytes, call_scale: Scale[Call]) -> Extrinsic:
    """Read an extrinsic; `MalformedTransaction` says what is wrong with it."""
    if len(raw) > MAX_EXTRINSIC_BYTES:
        raise MalformedTransaction(f"Extrinsic of {len(raw)} bytes, at most {MAX_EXTRINSIC_BYTES}.")
    try:
        length, at = take_compact(raw, 0)
        if length != len(raw) - at or not length:
            raise DecodeError(f"length prefix {length}, {len(raw) - at} bytes follow.")
        version = raw[at]
        if version == BARE:
            return _finish(raw, at + 1, call_scale, {})
        if version != SIGNED:
            raise DecodeError(f"version byte {version:#04x}; this chain reads 0x84 and 0x04.")
        signed, at = _take_signed(raw, at + 1)
        return _finish(raw, at, call_scale, signed)
    except DecodeError as cause:
        raise MalformedTransaction(f"Extrinsic can't be decoded: {cause}") from cause


def _take_signed(raw: bytes, at: int) -> tuple[dict[str, Any], int]:
    address, at = _ADDRESS.take(raw, at)
    if not isinstance(address, AccountAddress):
        raise DecodeError("the signer must be given as an account id.")
    if at + 1 + _SIGNATURE_BYTES > len(raw) or raw[at] > _LAST_SCHEME:
        raise DecodeError("the signature must be ed25519 or sr25519.")
    scheme = Scheme(raw[at])
    signature = raw[at + 1 : at + 1 + _SIGNATURE_BYTES]
    start = at = at + 1 + _SIGNATURE_BYTES
    era, at = ERA.take(raw, at)
    nonce, at = _NONCE.take(raw, at)
    tip, at = _TIP.take(raw, at)
    if at >= len(raw) or raw[at] != 0:
        raise DecodeError("metadata hashes are not supported; sign with mode Disabled.")
    at += 1
    fields = {
        "signer": address.id_,
        "scheme": scheme,
        "signature": signature,
        "era": era,
        "nonce": nonce,
        "tip": Tao(tip),
        "extra": raw[start:at],
    }
    return fields, at


def _finish(raw: bytes, at: int, call_scale: Scale[Call], signed: dict[str, Any]) -> Extrinsic:
    call, end = call_scale.take(raw, at)
    if end != len(raw):
        raise DecodeError(f"{len(raw) - end} bytes left over after the call.")
    return Extrinsic(raw, blake2_256(raw), call, raw[at:], **signed)


def bare_extrinsic(call: Call, call_scale: Scale[Call]) -> bytes:
    """The bytes of an inherent."""
    body = bytes([BARE]) + call_scale.encode(call)
    return scale(Bytes).encode(body)


def signed_extrinsic(
    call: Call,
    call_scale: Scale[Call],
    signer: AccountId,
    nonce: int,
    context: SigningContext,
    sign: Callable[[bytes], bytes],
) -> bytes:
    """The bytes of an extrinsic that never expires, signed by an sr25519 key."""
    extra = ERA.encode(Era()) + _NONCE.encode(nonce) + _TIP.encode(NO_TIP) + b"\0"
    unsigned = Extrinsic(b"", b"", call, call_scale.encode(call), extra=extra)
    signature = bytes(sign(signing_payload(unsigned, context)))
    address = _ADDRESS.encode(AccountAddress(signer))
    scheme = bytes([Scheme.SR25519])
    body = bytes([SIGNED]) + address + scheme + signature + extra + unsigned.call_bytes
    return scale(Bytes).encode(body)


class OpaqueExtrinsic:
    """Stands for an extrinsic given to an API: its own bytes, length prefix included."""


class OpaqueScale(Scale[bytes]):
    """An extrinsic as its bytes."""

    min_bytes = 1

    def put(self, value: bytes, out: bytearray) -> None:
        out += value

    def take(self, data: bytes, at: int) -> tuple[bytes, int]:
        length, start = take_compact(data, at)
        if start + length > len(data):
            raise DecodeError("the extrinsic is cut off.")
        return bytes(data[at : start + length]), start + length

    def shape(self) -> TypeShape:
        path = ("sp_runtime", "generic", "unchecked_extrinsic", "OpaqueExtrinsic")
        return TypeShape("composite", path, fields=(Field(None, BYTES),))
