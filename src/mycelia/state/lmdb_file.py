"""Opening LMDB files: who may, whether they are ours, and whether they are whole.

LMDB maps its file and trusts every byte of it: a cut file ends the process with a bus error, a
changed page with worse. So
nothing reaches the library before the checks here have passed:

- always: both meta pages, the file's length against the last page in use, our magic and format
  number;
- files up to `CHECK_BYTES`: every page that can be reached and the list of free ones
  (`lmdb.verify`), then the checksum of every entry.

In a larger file, pages are checked by the offline `LmdbStore.check` only; the checksum of an entry
whenever it is read. A reader leaves the second step to the writer while one is alive. Not detected:
an older copy of the whole file; a newest meta page whose number fell by exactly two, which loses
the last block; changes under a running process.

Terms: *sealed* - an entry's value behind the CRC-32 of its stored key and value.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import lmdb
from lmdb import verify as lmdb_verify

from mycelia.state.errors import (
    StoreCorrupt,
    StoreError,
    StoreFailed,
    StoreForeign,
    StoreFull,
    StoreLocked,
    StoreMissing,
    StoreNewer,
    StoreUnwritable,
)

FORMAT: Final = 1
CHECK_BYTES: Final = 64 << 20
MAP_BYTES: Final = 256 << 30
"""Address space for the file, not its size; it doubles when a store outgrows it."""

_MAGIC: Final = b"mycelia store\0"
_FORMAT_KEY: Final = b"format"
_TABLES: Final = ("meta", "head", "history", "changes", "accumulators", "records")
_CRC: Final = struct.Struct("<I")
_META: Final = struct.Struct("<IIQQ48s48sQQ")  # magic, version, address, map, two trees, page, txn
_META_OFFSET: Final = 16
_LMDB_MAGIC: Final = 0xBEEFC0DE
_DISK_FULL: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
)  # LMDB calls a short write EIO
_LOCK_TRIES: Final = 4  # a reader that looks whether a writer lives holds the lock for an instant


@dataclass(frozen=True)
class Tables:
    """An open environment and its tables.

    `meta` and its `format` entry keep name and form in every later format, so that an older release
    can say so.
    """

    env: lmdb.Environment
    meta: Any  # the table handles are opaque to us, and to the type stubs
    head: Any
    history: Any
    changes: Any
    accumulators: Any
    records: Any


def seal(key: bytes, value: bytes) -> bytes:
    """Put the checksum of a stored key and its value before the value."""
    return _CRC.pack(zlib.crc32(value, zlib.crc32(key))) + value


def unseal(path: Path, key: bytes, stored: bytes) -> bytes:
    """Give the value of an entry; raises `StoreCorrupt` when it is not what was sealed."""
    value = stored[4:]
    if stored[:4] != _CRC.pack(zlib.crc32(value, zlib.crc32(key))):
        raise StoreCorrupt(path, f"the entry {key.hex()} fails its checksum")
    return value


@contextlib.contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system and the library raise into `StoreError`."""
    try:
        yield
    except lmdb.MapFullError:
        raise  # the address space is used up, not the disk: `LmdbStore.commit` takes more
    except (OSError, lmdb.Error) as error:
        raise named_error(path, error) from error


def named_error(path: Path, error: OSError | lmdb.Error) -> StoreError:
    """Give the `StoreError` that says what `error` means for the store."""
    if isinstance(error, OSError):
        full = error.errno in _DISK_FULL
        return (StoreFull if full else StoreUnwritable)(path, error.strerror or str(error))
    if isinstance(error, lmdb.CorruptedError | lmdb.PageNotFoundError | lmdb.InvalidError):
        return StoreCorrupt(path, str(error))
    if isinstance(error, lmdb.VersionMismatchError):
        return StoreForeign(path)
    if isinstance(error, lmdb.DiskError) or error.code in _DISK_FULL:
        return StoreFull(path, str(error))
    if "already open in this process" in str(error):  # it has no class and no code of its own
        return StoreLocked(path, "this process already")
    return StoreFailed(path, str(error))


def lock_writer(path: Path) -> int:
    """Make the folder and take its writer lock; gives the descriptor that holds it."""
    with named_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path / "writer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    for attempt in range(_LOCK_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt < _LOCK_TRIES - 1:
                time.sleep(0.05)
        else:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, b"%d\n" % os.getpid())
            return descriptor
    holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
    os.close(descriptor)
    raise StoreLocked(path, f"process {holder}" if holder else "another process")


def _has_writer(path: Path) -> bool:
    try:
        descriptor = os.open(path / "writer.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def open_writer(path: Path, *, sync: bool, map_bytes: int) -> Tables:
    """Open for writing, creating what is not there. The caller holds the writer lock."""
    with named_errors(path):
        if not (path / "data.mdb").exists():
            _create(path)
    check_extent(path)
    small = (path / "data.mdb").stat().st_size <= CHECK_BYTES
    if small:
        check_pages(path)
    tables = _open(path, readonly=False, sync=sync, map_bytes=map_bytes)
    with _closing_on_error(tables.env), named_errors(path):
        tables.env.reader_check()
        if small:
            check_entries(path, tables)
    return tables


def open_reader(path: Path) -> Tables:
    """Open for reading beside a writer in another process, or with none."""
    with named_errors(path):
        if not (path / "data.mdb").exists():
            raise StoreMissing(path)
        small = (path / "data.mdb").stat().st_size <= CHECK_BYTES
    check_extent(path)
    unattended = small and not _has_writer(path)
    if unattended:
        try:
            check_pages(path)
        except StoreCorrupt:
            if not _has_writer(path):  # else it began to write while the pages were read
                raise
    tables = _open(path, readonly=True, sync=True, map_bytes=0)
    if unattended:
        with _closing_on_error(tables.env), named_errors(path):
            check_entries(path, tables)
    return tables


@contextlib.contextmanager
def _closing_on_error(env: lmdb.Environment) -> Iterator[None]:
    try:
        yield
    except StoreError:
        env.close()
        raise


def _create(path: Path) -> None:
    """Write an empty store beside its place and move it there: no file is ever half made."""
    draft = path / ".new"
    shutil.rmtree(draft, ignore_errors=True)
    with lmdb.open(os.fspath(draft), max_dbs=len(_TABLES), map_size=1 << 20) as env:
        tables = {name: env.open_db(name.encode()) for name in _TABLES}
        with env.begin(write=True) as txn:
            stored = seal(_FORMAT_KEY, _MAGIC + FORMAT.to_bytes(4, "little"))
            txn.put(_FORMAT_KEY, stored, db=tables["meta"])
    (draft / "data.mdb").replace(path / "data.mdb")
    shutil.rmtree(draft)
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _open(path: Path, *, readonly: bool, sync: bool, map_bytes: int) -> Tables:
    with named_errors(path):
        env = lmdb.open(
            os.fspath(path),
            map_size=map_bytes,
            readonly=readonly,
            create=False,
            sync=sync,
            max_dbs=len(_TABLES),
            max_readers=1024,
            max_spare_txns=8,
        )
    with _closing_on_error(env), named_errors(path):
        try:
            meta = env.open_db(b"meta", create=False)
        except (lmdb.NotFoundError, lmdb.ReadonlyError) as error:
            raise StoreForeign(path) from error
        with env.begin() as txn:
            stored = txn.get(_FORMAT_KEY, db=meta)
        if stored is None or not stored[4:].startswith(_MAGIC):
            raise StoreForeign(path)
        found = int.from_bytes(unseal(path, _FORMAT_KEY, stored)[len(_MAGIC) :], "little")
        if found > FORMAT:
            raise StoreNewer(path, found, FORMAT)
        try:
            return Tables(env, meta, *(env.open_db(n.encode(), create=False) for n in _TABLES[1:]))
        except (lmdb.NotFoundError, lmdb.ReadonlyError) as error:
            raise StoreCorrupt(path, "a table is missing") from error


def check_extent(path: Path) -> None:
    """Compare the file's length with the last page in use. Costs two small reads.

    Source: LMDB 0.9 mdb.c, `MDB_page`, `MDB_meta`, `mdb_env_pick_meta`.
    """
    with named_errors(path), (path / "data.mdb").open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        first = _meta_page(path, file.read(_META_OFFSET + _META.size))
        page_bytes = first[0]
        file.seek(page_bytes)
        second = _meta_page(path, file.read(_META_OFFSET + _META.size))
    if second[0] != page_bytes:
        raise StoreCorrupt(path, "its two meta pages disagree")
    if abs(first[2] - second[2]) != 1:  # each commit numbers the older one anew
        raise StoreCorrupt(path, "its two meta pages are not of successive commits")
    _, last_page, _ = max(first, second, key=lambda meta: meta[2])
    if length < (last_page + 1) * page_bytes:
        raise StoreCorrupt(path, f"it ends after {length} of {(last_page + 1) * page_bytes} bytes")


def _meta_page(path: Path, page: bytes) -> tuple[int, int, int]:
    """Read a meta page: (bytes per page, last page in use, transaction)."""
    if len(page) < _META_OFFSET + _META.size:
        raise StoreCorrupt(path, "it ends within its meta pages")
    magic, _, _, _, free, _, last_page, transaction = _META.unpack_from(page, _META_OFFSET)
    if magic != _LMDB_MAGIC:
        raise StoreCorrupt(path, "data.mdb does not begin as an LMDB file does")
    page_bytes = int.from_bytes(free[:4], "little")
    if page_bytes.bit_count() != 1 or not 256 <= page_bytes <= 0x8000:
        raise StoreCorrupt(path, f"its meta page names pages of {page_bytes} bytes")
    return page_bytes, last_page, transaction


def check_pages(path: Path) -> None:
    """Walk every page in Python: numbers, bounds, key order, free list. About 20 us per page."""
    try:
        with named_errors(path):
            findings = lmdb_verify.verify(os.fspath(path))  # type: ignore[no-untyped-call]  # it ships no types
    except (lmdb_verify.VerifyError, struct.error, IndexError, ValueError, MemoryError) as error:
        raise StoreCorrupt(path, str(error) or type(error).__name__) from error
    if findings:
        raise StoreCorrupt(path, findings[0])


def check_entries(path: Path, tables: Tables) -> None:
    """Check each entry's checksum, and that a search finds it. About 2 us each."""
    with tables.env.begin() as txn:
        for name in _TABLES:
            table = getattr(tables, name)
            for key, stored in txn.cursor(table):
                unseal(path, key, stored)
                if txn.get(key, db=table) != stored:
                    raise StoreCorrupt(path, f"the entry {key.hex()} is out of place")
