"""The store on disk: one LMDB environment, one durable transaction per height.

Tables: `head` (raw key: value), `history` (stem, height: the value before that height, absent
marked), `changes` (height: the stems it changed, for pruning), `accumulators`, `records`, `meta`
(format; head, floor and root). `mycelia.state.keys` says how keys stand in them; every value is
sealed with a checksum.

The state of an old height is the head's, except for keys changed since: there the first later entry
of `history` has the value. So a read at the head costs one look-up and an old one two, and nothing
old is copied by a commit.

One process writes; any number read, each opening with `readonly=True`. Within one process share the
store: LMDB can't be opened twice, nor used after a fork. Read transactions last for one `get` or
    one page of `keys`, so readers never make the file grow.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import lmdb

from mycelia.primitives.errors import Bug
from mycelia.state.errors import StoreCorrupt
from mycelia.state.lmdb_file import (
    MAP_BYTES,
    check_entries,
    check_pages,
    lock_writer,
    named_error,
    named_errors,
    open_reader,
    open_writer,
    seal,
    unseal,
)
from mycelia.state.lmdb_scan import (
    head_page,
    height_bytes,
    page_at,
    put_before,
    put_head,
    undo,
    value_at,
    value_at_head,
)
from mycelia.state.root import Accumulators, diverging, recompute, state_root
from mycelia.state.store import BEFORE_GENESIS, HISTORY_BLOCKS, require_kept, require_next

_TIP_KEY: Final = b"tip"
_TIP: Final = struct.Struct("<Qqq32s")  # transaction, head, floor, root
_PAGE_KEYS: Final = 1024
_PRUNE_SLACK: Final = 256
_CHECK_READERS_EVERY: Final = 64


class LmdbStore:
    """A folder with the state by height, accumulators and records.

    Raises a `StoreError` where the folder or its contents won't do; see `mycelia.state.lmdb_file`
    for what is checked.

    Args:
        path: the folder; made unless `readonly`.
        archive: keep every height.
        history: heights below the head that stay readable otherwise.
        readonly: open beside the writer, from another process.
        sync: False leaves writing to the operating system: as fast as memory, lost with the power.
        map_bytes: address space to begin with.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        archive: bool = False,
        history: int = HISTORY_BLOCKS,
        readonly: bool = False,
        sync: bool = True,
        map_bytes: int = MAP_BYTES,
    ) -> None:
        self.path = Path(path)
        self._archive = archive
        self._history = history
        self._map_bytes = map_bytes
        self._lock = None if readonly else lock_writer(self.path)
        try:
            self._tables = (
                open_reader(self.path)
                if readonly
                else open_writer(self.path, sync=sync, map_bytes=map_bytes)
            )
        except BaseException:
            self._release()
            raise
        self._env = self._tables.env
        self._seen = (-1, BEFORE_GENESIS, BEFORE_GENESIS)  # transaction, head, floor
        try:
            self._accumulators = Accumulators(self._checked_accumulators())
        except BaseException:
            self.close()
            raise

    def head(self) -> LmdbView:
        with self._reading() as txn:
            return LmdbView(self, self._tip(txn)[0])

    def at(self, height: int) -> LmdbView:
        with self._reading() as txn:
            head, floor = self._tip(txn)
        require_kept(height, head=head, floor=floor)
        return LmdbView(self, height)

    def commit(
        self,
        height: int,
        changes: Mapping[bytes, bytes | None],
        roots: Mapping[bytes, bytes],
        records: Mapping[bytes, bytes],
    ) -> None:
        if self._lock is None:
            raise Bug("only the process that seals commits, and it opens the store for writing")
        while True:
            try:
                with named_errors(self.path), self._env.begin(write=True) as txn:
                    self._write(txn, height, changes, roots, records)
                break
            except lmdb.MapFullError:
                self._map_bytes *= 2
                with named_errors(self.path):
                    self._env.set_mapsize(self._map_bytes)
        self._accumulators.adopt(roots)
        if height % _CHECK_READERS_EVERY == 0:
            self._env.reader_check()

    def rewind(self, height: int, gone: Iterable[bytes]) -> None:
        if self._lock is None:
            raise Bug("only the process that seals rewinds, and it opens the store for writing")
        with named_errors(self.path), self._env.begin(write=True) as txn:
            _, head, floor, _ = self._stored_tip(txn)
            require_kept(height, head=head, floor=floor)
            updated = self._undo(txn, head, height)
            for prefix, sums in updated.items():
                if sums:
                    txn.put(prefix, seal(prefix, sums), db=self._tables.accumulators)
                else:
                    txn.delete(prefix, db=self._tables.accumulators)
            for key in gone:
                txn.delete(key, db=self._tables.records)
            tip = _TIP.pack(txn.id(), height, floor, self._accumulators.root(updated))
            txn.put(_TIP_KEY, seal(_TIP_KEY, tip), db=self._tables.meta)
        self._accumulators.adopt(updated)

    def _undo(self, txn: lmdb.Transaction[bytes], head: int, height: int) -> dict[bytes, bytes]:
        """Put back the values of `height`; gives the accumulators that differ then."""
        restored: dict[bytes, bytes | None] = {}
        for later in range(head, height, -1):
            at = height_bytes(later)
            stored = txn.pop(at, db=self._tables.changes)
            for key_stem in _split(unseal(self.path, at, stored)) if stored is not None else ():
                key, before = undo(self.path, self._tables, txn, key_stem, later)
                restored[key] = before
        current = {key: value_at_head(self.path, self._tables, txn, key) for key in restored}
        for key, value in restored.items():
            if current[key] != value:
                put_head(self._tables, txn, key, value)
        return self._accumulators.update(restored, current)

    def record(self, key: bytes) -> bytes | None:
        with self._reading() as txn:
            stored = txn.get(key, db=self._tables.records)
        return None if stored is None else unseal(self.path, key, stored)

    def accumulators(self) -> dict[bytes, bytes]:
        with self._reading() as txn:
            return self._stored_accumulators(txn)

    def root(self) -> bytes:
        with self._reading() as txn:
            return self._stored_tip(txn)[3]

    def check(self) -> None:
        """Check everything: pages, checksums, and every accumulator against the values it sums.

        For a store no process writes to; about 10 us per key. Raises `StoreCorrupt`, naming the
        item that diverges.
        """
        check_pages(self.path)
        with named_errors(self.path):
            check_entries(self.path, self._tables)
        if wrong := diverging(self.accumulators(), recompute(self.head())):
            items = ", ".join(prefix.hex() for prefix in wrong)
            raise StoreCorrupt(self.path, f"the values of {items} don't add up to the state root")

    def close(self) -> None:
        """Release the files. Views and reads end with it; closing twice is harmless."""
        self._env.close()
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _checked_accumulators(self) -> dict[bytes, bytes]:
        """Accumulators of the head, found to be those that the root was made of."""
        with self._reading() as txn:
            found = self._stored_accumulators(txn)
            transaction, _, _, root = self._stored_tip(txn)
            newer = txn.id() > transaction
        if newer:
            raise StoreCorrupt(self.path, "its newest meta page is not the last commit's")
        if state_root(found) != root:
            raise StoreCorrupt(self.path, "its accumulators don't add up to its state root")
        return found

    def _stored_accumulators(self, txn: lmdb.Transaction[bytes]) -> dict[bytes, bytes]:
        return {
            prefix: unseal(self.path, prefix, stored)
            for prefix, stored in txn.cursor(self._tables.accumulators)
        }

    @contextlib.contextmanager
    def _reading(self) -> Iterator[lmdb.Transaction[bytes]]:
        """One short read transaction."""
        with named_errors(self.path), self._begin() as txn:
            yield txn

    def _begin(self) -> lmdb.Transaction[bytes]:
        """Begin to read; follows a file that outgrew the map of this process."""
        try:
            return self._env.begin()
        except lmdb.MapResizedError:
            self._env.set_mapsize(0)
            return self._env.begin()

    def _stored_tip(self, txn: lmdb.Transaction[bytes]) -> tuple[int, int, int, bytes]:
        """The last transaction, as it wrote it: its number, head, floor, root."""
        stored = txn.get(_TIP_KEY, db=self._tables.meta)
        if stored is None:
            return txn.id(), BEFORE_GENESIS, BEFORE_GENESIS, state_root({})
        transaction, head, floor, root = _TIP.unpack(unseal(self.path, _TIP_KEY, stored))
        return transaction, head, floor, root

    def _tip(self, txn: lmdb.Transaction[bytes]) -> tuple[int, int]:
        """Head and floor as of `txn`; read again only when another transaction was committed."""
        transaction, head, floor = self._seen
        if txn.id() != transaction:
            _, head, floor, _ = self._stored_tip(txn)
            self._seen = (txn.id(), head, floor)
        return head, floor

    def _write(
        self,
        txn: lmdb.Transaction[bytes],
        height: int,
        changes: Mapping[bytes, bytes | None],
        roots: Mapping[bytes, bytes],
        records: Mapping[bytes, bytes],
    ) -> None:
        tables = self._tables
        _, head, floor, _ = self._stored_tip(txn)
        require_next(height, head=head)
        first = head == BEFORE_GENESIS
        stems = []
        for key in sorted(changes):
            value = changes[key]
            before = value_at_head(self.path, tables, txn, key)
            if before == value:
                continue
            put_head(tables, txn, key, value)
            if not first:
                stems.append(put_before(tables, txn, key, height, before))
        if stems:
            at = height_bytes(height)
            txn.put(at, seal(at, _joined(stems)), db=tables.changes, append=True)
        for prefix, sums in roots.items():
            if sums:
                txn.put(prefix, seal(prefix, sums), db=tables.accumulators)
            else:
                txn.delete(prefix, db=tables.accumulators)
        for key, record in records.items():
            txn.put(key, seal(key, record), db=tables.records)
        floor = height if first else floor
        if not self._archive:
            floor = max(floor, height - self._history)
            self._prune(txn, floor, 2 * len(stems) + _PRUNE_SLACK)
        tip = _TIP.pack(txn.id(), height, floor, self._accumulators.root(roots))
        txn.put(_TIP_KEY, seal(_TIP_KEY, tip), db=tables.meta)

    def _prune(self, txn: lmdb.Transaction[bytes], floor: int, budget: int) -> None:
        """Delete history that only heights below `floor` need, at most `budget` entries."""
        tables = self._tables
        cursor = txn.cursor(tables.changes)
        while budget > 0 and cursor.first():
            at, stored = cursor.item()
            if at > height_bytes(floor):
                return
            stems = _split(unseal(self.path, at, stored))
            for key_stem in stems[:budget]:
                txn.delete(key_stem + at, db=tables.history)
            if rest := stems[budget:]:
                txn.put(at, seal(at, _joined(rest)), db=tables.changes)
            else:
                txn.delete(at, db=tables.changes)
            budget -= len(stems)

    def _get(self, key: bytes, height: int) -> bytes | None:
        try:  # spelled out: `_reading` would cost more than the look-up
            with self._begin() as txn:
                head, floor = self._tip(txn)
                if height == head:
                    return value_at_head(self.path, self._tables, txn, key)
                require_kept(height, head=head, floor=floor)
                if height == BEFORE_GENESIS:
                    return None
                return value_at(self.path, self._tables, txn, key, height)
        except lmdb.Error as error:
            raise named_error(self.path, error) from error

    def _page(
        self, prefix: bytes, after: bytes | None, count: int, height: int
    ) -> tuple[list[bytes], bytes | None]:
        """Give some keys at `height`, and after which to go on; None when they are the last."""
        with self._reading() as txn:
            head, floor = self._tip(txn)
            require_kept(height, head=head, floor=floor)
            if height == BEFORE_GENESIS:
                return [], None
            if height < head:
                return page_at(self.path, self._tables, txn, prefix, after, count, height)
            found, last = head_page(self.path, self._tables, txn, prefix, after, count)
            return found, None if last else found[-1]


class LmdbView:
    """One height of an `LmdbStore`; stays what it is while later heights are committed."""

    def __init__(self, store: LmdbStore, height: int) -> None:
        self._store = store
        self._height = height

    @property
    def height(self) -> int:
        return self._height

    def get(self, key: bytes) -> bytes | None:
        return self._store._get(key, self._height)  # noqa: SLF001 - the two are one

    def keys(
        self, prefix: bytes, after: bytes | None = None, limit: int | None = None
    ) -> Iterator[bytes]:
        left = limit
        while left is None or left > 0:
            count = _PAGE_KEYS if left is None else min(left, _PAGE_KEYS)
            page, after = self._store._page(prefix, after, count, self._height)  # noqa: SLF001 - as above
            page = page if left is None else page[:left]
            yield from page
            if after is None:
                return
            left = None if left is None else left - len(page)


def _joined(stems: list[bytes]) -> bytes:
    return b"".join(len(key_stem).to_bytes(2, "little") + key_stem for key_stem in stems)


def _split(joined: bytes) -> list[bytes]:
    stems, at = [], 0
    while at < len(joined):
        end = at + 2 + int.from_bytes(joined[at : at + 2], "little")
        stems.append(joined[at + 2 : end])
        at = end
    return stems
