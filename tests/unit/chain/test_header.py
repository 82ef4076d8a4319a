"""Headers as clients decode them, and roots over extrinsics."""

from __future__ import annotations

import json

import pytest

from mycelia.chain.header import (
    ZERO_HASH,
    Block,
    Header,
    decode_body,
    decode_header,
    extrinsics_root,
    slot_digest,
    slot_of,
)
from mycelia.codec import H256, U32
from mycelia.crypto import blake2_256
from mycelia.pallets.system.types import Digest, Other
from mycelia.primitives import InvalidBlock
from mycelia.testing.oracle import oracle

HEADER = Header(H256(b"\1" * 32), U32(70_000), H256(b"\2" * 32), H256(b"\3" * 32), slot_digest(9))


def test_the_hash_is_over_substrates_layout() -> None:
    expected = (
        b"\1" * 32
        + (70_000 << 2 | 2).to_bytes(4, "little")
        + b"\2" * 32
        + b"\3" * 32
        + bytes([1 << 2, 6])
        + b"aura"
        + bytes([8 << 2])
        + (9).to_bytes(8, "little")
    )
    assert HEADER.encode() == expected
    assert HEADER.hash() == blake2_256(expected)
    assert decode_header(expected) == HEADER


def test_each_log_entry_is_a_digest_item_to_the_clients_codec() -> None:
    (entry,) = HEADER.log_bytes()
    registry = json.loads(oracle(14).registry_json())["types"]
    kind = next(t["id"] for t in registry if t["type"].get("path", [])[-1:] == ["DigestItem"])
    decoded = oracle(14).decode(f"scale_info::{kind}", entry, True)
    assert "PreRuntime" in str(decoded)


def test_a_header_with_bytes_left_over_is_refused() -> None:
    with pytest.raises(InvalidBlock):
        decode_header(HEADER.encode() + b"\0")


def test_the_slot_is_read_back_and_only_from_aura() -> None:
    assert slot_of(slot_digest(2**63)) == 2**63
    for digest in (Digest(), Digest((Other(b"x"),)), Digest(slot_digest(1).logs * 2)):
        with pytest.raises(InvalidBlock):
            slot_of(digest)


def test_no_two_lists_share_a_root() -> None:
    lists = [(), (b"a",), (b"a", b"a"), (b"a", b"b"), (b"b", b"a"), (b"ab",), (b"a", b"b", b"b")]
    assert len({extrinsics_root(items) for items in lists}) == len(lists)
    assert extrinsics_root(()) == ZERO_HASH


def test_one_extrinsic_is_proven_by_its_siblings() -> None:
    leaf = [blake2_256(b"\0" + blake2_256(raw)) for raw in (b"a", b"b", b"c")]
    left = blake2_256(b"\1" + leaf[0] + leaf[1])
    assert extrinsics_root((b"a", b"b", b"c")) == blake2_256(b"\1" + left + leaf[2])


def test_a_body_round_trips() -> None:
    block = Block(HEADER, (b"one", b"", b"three"))
    assert decode_body(block.encode_body()) == block.extrinsics
    with pytest.raises(InvalidBlock):
        decode_body(b"\x09")
