"""Bytes that strangers send: how much of them is read before a signature is looked at."""

from __future__ import annotations

import pytest

from mycelia.codec import U32, Bytes, Compact, scale
from mycelia.primitives.errors import MalformedTransaction
from mycelia.runtime.compose import COMPOSITION
from mycelia.runtime.composition import MAX_CALLS
from mycelia.runtime.extrinsic import BARE, MAX_EXTRINSIC_BYTES, Extrinsic, decode_extrinsic
from mycelia.testing.oracle import compose

REMARK = compose("System", "remark", remark="0x")
BATCH = compose("Utility", "batch", calls=[])[:2]


def read(call: bytes) -> Extrinsic:
    body = scale(Bytes).encode(bytes([BARE]) + call)
    return decode_extrinsic(body, COMPOSITION.call_scale)


def batch(*calls: bytes) -> bytes:
    return BATCH + scale(Compact[U32]).encode(len(calls)) + b"".join(calls)


def test_what_is_too_long_is_not_read() -> None:
    at_most = MAX_EXTRINSIC_BYTES - 12  # lengths, version, and the call's own two bytes
    assert len(read(compose("System", "remark", remark=bytes(at_most))).raw) > at_most
    with pytest.raises(MalformedTransaction, match="at most"):
        read(compose("System", "remark", remark=bytes(MAX_EXTRINSIC_BYTES)))


def test_calls_are_counted_at_all_depths_together() -> None:
    half = batch(*[REMARK] * (MAX_CALLS // 2 - 2))
    read(batch(half, half))
    with pytest.raises(MalformedTransaction, match="Split it"):
        read(batch(half, half, *[REMARK] * 4))
    read(batch(half, half))  # the count begins anew
