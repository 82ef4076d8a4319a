"""How raw keys stand in LMDB's tables, whose keys end at 511 bytes.

A raw key of up to 479 bytes stands in the head table as it is. A longer one stands as its first 479
bytes and its BLAKE2b-256, so it keeps its place among all keys that differ in those 479 bytes; the
full key goes before the value. In the history table the height follows the key, so the key must end
by itself: zero bytes are escaped and two zeros end it, which keeps the order and the prefixes. All
that are longer than 475 bytes then stand as their first 475 and the hash.

Terms: *stem* - a key as it stands in the history table, without the height.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

LMDB_KEY_BYTES: Final = 511
HASH_BYTES: Final = 32
HEIGHT_BYTES: Final = 4
HEAD_INLINE_BYTES: Final = LMDB_KEY_BYTES - HASH_BYTES
STEM_INLINE_BYTES: Final = LMDB_KEY_BYTES - HASH_BYTES - HEIGHT_BYTES
_END: Final = b"\0\0"


def _hash(key: bytes) -> bytes:
    return blake2b(key, digest_size=HASH_BYTES).digest()


def head_key(key: bytes) -> bytes:
    """Where `key` stands in the head table; inline and hashed keys differ in length."""
    if len(key) <= HEAD_INLINE_BYTES:
        return key
    return key[:HEAD_INLINE_BYTES] + _hash(key)


def is_hashed_head(stored: bytes) -> bool:
    """Tell whether a key of the head table is hashed, so that the full one is in the value."""
    return len(stored) > HEAD_INLINE_BYTES


def stem_prefix(prefix: bytes) -> bytes:
    """What the stems of all keys under `prefix` start with, cut where stems are."""
    return prefix.replace(b"\0", b"\0\xff")[:STEM_INLINE_BYTES]


def stem(key: bytes) -> bytes:
    """Where `key` stands in the history table, before the height."""
    escaped = key.replace(b"\0", b"\0\xff") + _END
    if len(escaped) <= STEM_INLINE_BYTES:
        return escaped
    return escaped[:STEM_INLINE_BYTES] + _hash(key)


def is_hashed_stem(stored: bytes) -> bool:
    """As `is_hashed_head`, of a stem."""
    return len(stored) > STEM_INLINE_BYTES


def key_of_stem(stored: bytes) -> bytes:
    """Give the raw key of a stem that is not hashed."""
    return stored[: -len(_END)].replace(b"\0\xff", b"\0")


def with_full_key(key: bytes, value: bytes) -> bytes:
    """Give the stored value of a hashed key."""
    return b"%b%b%b" % (len(key).to_bytes(4, "little"), key, value)


def split_full_key(stored: bytes) -> tuple[bytes, bytes]:
    """Undo `with_full_key`: (key, value)."""
    end = 4 + int.from_bytes(stored[:4], "little")
    return stored[4:end], stored[end:]
