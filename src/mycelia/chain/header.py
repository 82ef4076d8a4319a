"""What identifies a block: its header, in the form that Substrate's clients decode.

Source: sp_runtime::generic::{Header, DigestItem}; Aura's pre-runtime digest is the slot as a
little-endian u64.
Differs: the extrinsics root is a binary Merkle tree, see `extrinsics_root`; clients never check it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from mycelia.codec import (
    H256,
    U32,
    Bytes,
    Compact,
    DecodeError,
    Record,
    scale,
)
from mycelia.crypto import blake2_256
from mycelia.pallets.system.types import Digest, DigestItem, PreRuntime
from mycelia.primitives import BlockNumber, InvalidBlock

ZERO_HASH: Final = bytes(32)
_AURA: Final = b"aura"
_SLOT_BYTES: Final = 8
_LEAF, _NODE = b"\x00", b"\x01"


def slot_digest(slot: int) -> Digest:
    """The log of a block sealed in this Aura slot."""
    return Digest((PreRuntime(_AURA, slot.to_bytes(_SLOT_BYTES, "little")),))


def slot_of(digest: Digest) -> int:
    """The Aura slot that a log names; `InvalidBlock` if it names none."""
    match digest.logs:
        case (PreRuntime(engine=engine, data=data),) if (
            engine == _AURA and len(data) == _SLOT_BYTES
        ):
            return int.from_bytes(data, "little")
    raise InvalidBlock(f"Expected a log of one Aura slot, found {digest!r:.200}.")


class Header(Record, path="sp_runtime::generic::header::Header"):
    """A header; its hash is the block's."""

    parent_hash: H256
    number: Compact[U32]
    state_root: H256
    extrinsics_root: H256
    digest: Digest

    def encode(self) -> bytes:
        return _HEADER.encode(self)

    def hash(self) -> bytes:
        """The block hash, blake2b-256 of the encoded header."""
        return blake2_256(self.encode())

    def log_bytes(self) -> tuple[bytes, ...]:
        """Each log entry encoded by itself, as JSON-RPC shows them."""
        return tuple(_DIGEST_ITEM.encode(item) for item in self.digest.logs)


_HEADER: Final = scale(Header)
_DIGEST_ITEM: Final = scale(DigestItem)
_BODY: Final = scale(tuple[Bytes, ...])


def decode_header(data: bytes) -> Header:
    """A header from its bytes; `InvalidBlock` if they are none."""
    try:
        header: Header = _HEADER.decode(data)
    except DecodeError as cause:
        raise InvalidBlock(f"No header: {cause}") from cause
    return header


def extrinsics_root(extrinsics: Sequence[bytes]) -> H256:
    """Root of a binary Merkle tree over the extrinsics; zero for none.

    Leaf: H(0x00, H(extrinsic)); node: H(0x01, left, right); an odd one moves up as it is (the
    shape of RFC 6962), so that no two lists share a root and log2(n) hashes prove one extrinsic.
    """
    level = [blake2_256(_LEAF + blake2_256(raw)) for raw in extrinsics]
    if not level:
        return H256(ZERO_HASH)
    while len(level) > 1:
        pairs = zip(level[0::2], level[1::2], strict=False)
        above = [blake2_256(_NODE + left + right) for left, right in pairs]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return H256(level[0])


@dataclass(frozen=True)
class Block:
    """A header and the extrinsics that it stands for, encoded with their length prefixes."""

    header: Header
    extrinsics: tuple[bytes, ...]
    hash: bytes = field(default=b"")

    def __post_init__(self) -> None:
        if not self.hash:
            object.__setattr__(self, "hash", self.header.hash())

    @property
    def height(self) -> BlockNumber:
        return BlockNumber(self.header.number)

    def encode_body(self) -> bytes:
        return _BODY.encode(self.extrinsics)


def decode_body(data: bytes) -> tuple[bytes, ...]:
    """The extrinsics from the bytes of a body; `InvalidBlock` if they are none."""
    try:
        body: tuple[bytes, ...] = _BODY.decode(data)
    except DecodeError as cause:
        raise InvalidBlock(f"No block body: {cause}") from cause
    return body
