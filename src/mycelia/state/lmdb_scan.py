"""Reading LMDB's tables within one transaction: a value at a height, a page of keys at a height.

Hashed keys (see `mycelia.state.keys`) that share their inline part stand in the order of their
hashes; here they are put back in their own order, so one page may be longer than asked for.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import lmdb

from mycelia.state.errors import StoreCorrupt
from mycelia.state.keys import (
    HEAD_INLINE_BYTES,
    HEIGHT_BYTES,
    STEM_INLINE_BYTES,
    head_key,
    is_hashed_head,
    is_hashed_stem,
    key_of_stem,
    split_full_key,
    stem,
    stem_prefix,
    with_full_key,
)
from mycelia.state.lmdb_file import Tables, seal, unseal

_ABSENT: Final = b"\0"
_PRESENT: Final = b"\1"


def height_bytes(height: int) -> bytes:
    """Height as it stands in keys, so that they sort by it."""
    return height.to_bytes(HEIGHT_BYTES, "big")


def value_at_head(
    path: Path, tables: Tables, txn: lmdb.Transaction[bytes], key: bytes
) -> bytes | None:
    """Give the value of `key` at the head; None where there is none."""
    at = head_key(key)
    stored = txn.get(at, db=tables.head) if at else None
    if stored is None:
        return None
    value = unseal(path, at, stored)
    return split_full_key(value)[1] if is_hashed_head(at) else value


def put_head(tables: Tables, txn: lmdb.Transaction[bytes], key: bytes, value: bytes | None) -> None:
    """Set the value of `key` at the head; None takes the key away."""
    at = head_key(key)
    if value is None:
        txn.delete(at, db=tables.head)
        return
    framed = with_full_key(key, value) if is_hashed_head(at) else value
    txn.put(at, seal(at, framed), db=tables.head)


def put_before(
    tables: Tables, txn: lmdb.Transaction[bytes], key: bytes, height: int, before: bytes | None
) -> bytes:
    """Note that `height` replaced `before`; gives the key's stem."""
    at = stem(key)
    value = _ABSENT if before is None else _PRESENT + before
    framed = with_full_key(key, value) if is_hashed_stem(at) else value
    entry = at + height_bytes(height)
    txn.put(entry, seal(entry, framed), db=tables.history)
    return at


def undo(
    path: Path, tables: Tables, txn: lmdb.Transaction[bytes], key_stem: bytes, height: int
) -> tuple[bytes, bytes | None]:
    """Take back the note that `height` changed a key: (raw key, value before)."""
    entry = key_stem + height_bytes(height)
    stored = txn.pop(entry, db=tables.history)
    if stored is None:
        raise StoreCorrupt(path, f"height {height} changed a key whose value before is missing")
    return _before(path, entry, stored)


def value_at(
    path: Path, tables: Tables, txn: lmdb.Transaction[bytes], key: bytes, height: int
) -> bytes | None:
    """Give the value of `key` after `height`, which is below the head."""
    cursor = txn.cursor(tables.history)
    at = stem(key)
    if cursor.set_range(at + height_bytes(height + 1)):
        entry = cursor.key()
        if entry[:-HEIGHT_BYTES] == at:
            return _before(path, entry, cursor.value())[1]
    return value_at_head(path, tables, txn, key)


def _before(path: Path, entry: bytes, stored: bytes) -> tuple[bytes, bytes | None]:
    """Read an entry of the history table: (raw key, value before)."""
    value = unseal(path, entry, stored)
    at = entry[:-HEIGHT_BYTES]
    key, value = split_full_key(value) if is_hashed_stem(at) else (key_of_stem(at), value)
    return key, None if value == _ABSENT else value[len(_PRESENT) :]


def head_page(
    path: Path,
    tables: Tables,
    txn: lmdb.Transaction[bytes],
    prefix: bytes,
    after: bytes | None,
    count: int,
) -> tuple[list[bytes], bool]:
    """Give the next `count` keys of the head under `prefix`, and whether they are the last."""
    bound = prefix[:HEAD_INLINE_BYTES]
    start = prefix if after is None or after < prefix else after
    cursor = txn.cursor(tables.head)
    found: list[bytes] = []
    if not cursor.set_range(start[:HEAD_INLINE_BYTES]):
        return found, True
    group, group_at = b"", 0
    for at in cursor.iternext(values=False):
        if not at.startswith(bound):
            return found, True
        shared = at[:HEAD_INLINE_BYTES]
        hashed = len(at) > HEAD_INLINE_BYTES
        if len(found) >= count and not (hashed and shared == group):
            return found, False
        if not hashed:
            if len(at) >= len(prefix) and (after is None or at > after):
                found.append(at)
            continue
        if shared != group:
            group, group_at = shared, len(found)
        key, _ = split_full_key(unseal(path, at, cursor.value()))
        if key.startswith(prefix) and (after is None or key > after):
            insort(found, key, lo=group_at)
    return found, True


def page_at(
    path: Path,
    tables: Tables,
    txn: lmdb.Transaction[bytes],
    prefix: bytes,
    after: bytes | None,
    count: int,
    height: int,
) -> tuple[list[bytes], bytes | None]:
    """Give keys under `prefix` after `height`, which is below the head, and where to go on.

    Takes a page of the head, gives back what was deleted since and takes out what was added.
    """
    found, last = head_page(path, tables, txn, prefix, after, count)
    upper = None if last else found[-1]
    keys = dict.fromkeys(found)
    for key, existed in _changed_since(path, tables, txn, prefix, after, upper, height):
        if existed:
            keys[key] = None
        else:
            keys.pop(key, None)
    return sorted(keys), upper


def _changed_since(
    path: Path,
    tables: Tables,
    txn: lmdb.Transaction[bytes],
    prefix: bytes,
    after: bytes | None,
    upper: bytes | None,
    height: int,
) -> Iterator[tuple[bytes, bool]]:
    """Keys under `prefix` from `after` to `upper` changed since; and whether they were there."""
    cursor = txn.cursor(tables.history)
    start = prefix if after is None or after < prefix else after
    bound = stem_prefix(prefix)
    upper_bound = None if upper is None else stem(upper)[:STEM_INLINE_BYTES]
    more = cursor.set_range(stem_prefix(start))
    while more:
        entry = cursor.key()
        at = entry[:-HEIGHT_BYTES]
        if not at.startswith(bound):
            return
        if upper_bound is not None and at[:STEM_INLINE_BYTES] > upper_bound:
            return
        if entry[-HEIGHT_BYTES:] <= height_bytes(height):
            more = cursor.set_range(at + height_bytes(height + 1))
            continue
        key, before = _before(path, entry, cursor.value())
        above = after is None or key > after
        if above and (upper is None or key <= upper) and key.startswith(prefix):
            yield key, before is not None
        more = cursor.set_range(at + b"\xff" * HEIGHT_BYTES + b"\0")
