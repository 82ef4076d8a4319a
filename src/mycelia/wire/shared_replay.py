"""A memory of accepted requests that the processes of one port share.

A file, mapped into each of them: two hash tables that take turns as the sets of
`replay.ReplayStore` do. A request costs a hash, a short lock and a few looks into memory. A process
that dies in the middle harms nobody: the kernel gives its lock back, and a mark it only half wrote
belongs to a request that was not served. The file outlives restarts, and so does the memory.

It holds a secret of the port, too, so only its owner may read it.

Terms: *mark* - 16 bytes that stand for a (hotkey, nonce) pair; *table* - open addressing with
linear probing, never more than half full; *turn* - the newer table becomes the older, and the
former older is emptied to be the newer.
"""

from __future__ import annotations

import mmap
import os
import secrets
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_UN, flock
from hashlib import blake2b
from pathlib import Path

from mycelia.primitives.errors import AppError
from mycelia.wire.replay import full, replayed

_MAGIC = b"mycelia replay 1"
_MARK_BYTES = 16
_EMPTY = bytes(_MARK_BYTES)
_HEAD = struct.Struct("<16s32sQQ")
"""Magic, secret, birth in Unix nanoseconds, slots of a table."""
_STATE = struct.Struct("<QdQQ")
"""Turns so far, moment of the last (the machine's monotonic clock), marks in newer and older."""
_TABLES_AT = 4096


class ReplayFileError(AppError):
    """The file is no memory of accepted requests, or one made with other limits."""


class SharedReplays:
    """Opens the file, or creates it. Each process opens it for itself."""

    def __init__(self, path: Path, window_s: float = 12.0, entries: int = 200_000) -> None:
        """Raises `ReplayFileError` for a file of another kind or size."""
        self._window_s = window_s
        self._entries = entries
        self._slots = 1 << (2 * entries - 1).bit_length()
        self._table_bytes = self._slots * _MARK_BYTES
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with self._locked():
            # Whoever comes first fills it in; the others find it complete.
            if os.fstat(self._file).st_size == 0:
                self._create()
            head = os.pread(self._file, _HEAD.size, 0).ljust(_HEAD.size, b"\0")
            size = os.fstat(self._file).st_size
            magic, self.secret, self.born_ns, slots = _HEAD.unpack(head)
            if (magic, slots, size) != (_MAGIC, self._slots, self._size):
                raise ReplayFileError(
                    "replay_file",
                    f"{path} does not fit: another program's, or made with other limits.",
                    "Remove it; it is made anew when the port starts.",
                )
            # Keyed, so that nobody can choose requests that crowd one place of the table.
            self._keyed = blake2b(digest_size=_MARK_BYTES, key=self.secret)
            self._map = mmap.mmap(self._file, size)
            if self._state()[1] > time.monotonic():
                # The machine was started anew since: that clock, and what it dated, is gone.
                self.born_ns = time.time_ns()
                self._map[: _HEAD.size] = _HEAD.pack(magic, self.secret, self.born_ns, slots)
                self._map[_TABLES_AT:] = bytes(2 * self._table_bytes)
                self._write_state(0, time.monotonic(), 0, 0)

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
        os.close(self._file)

    def __len__(self) -> int:
        _, _, newer, older = self._state()
        return newer + older

    def accept(self, hotkey: str, nonce_ns: int, now_s: float | None = None) -> None:
        """Record a verified request, see `Replays`. `now_s` is monotonic."""
        keyed = self._keyed.copy()
        keyed.update(b"%s %d" % (hotkey.encode(), nonce_ns))
        mark = keyed.digest()
        # Not `_locked`, whose generator would cost as much as the rest: this is done per request.
        flock(self._file, LOCK_EX)
        try:
            turns, turn_s, newer, older = self._turned(time.monotonic() if now_s is None else now_s)
            place = self._place(turns & 1, mark)
            if place is None or self._place(1 - (turns & 1), mark) is None:
                raise replayed()
            if newer + older >= self._entries:
                raise full(self._window_s)
            # The count first: dying in between wastes a place, but never overfills the table.
            self._write_state(turns, turn_s, newer + 1, older)
            self._map[place : place + _MARK_BYTES] = mark
        finally:
            flock(self._file, LOCK_UN)

    @property
    def _size(self) -> int:
        return _TABLES_AT + 2 * self._table_bytes

    def _create(self) -> None:
        secret, now_ns = secrets.token_bytes(32), time.time_ns()
        os.ftruncate(self._file, self._size)
        state = _STATE.pack(0, time.monotonic(), 0, 0)
        os.pwrite(self._file, _HEAD.pack(_MAGIC, secret, now_ns, self._slots) + state, 0)

    def _place(self, table: int, mark: bytes) -> int | None:
        """Return where the mark would have to be put, or None if it is there."""
        memory, first = self._map, _TABLES_AT + table * self._table_bytes
        slot = int.from_bytes(mark[:8], "little")
        while True:
            slot &= self._slots - 1
            at = first + slot * _MARK_BYTES
            found = memory[at : at + _MARK_BYTES]
            if found == mark:
                return None
            if found == _EMPTY:
                return at
            slot += 1

    def _turned(self, now_s: float) -> tuple[int, float, int, int]:
        """Return the state, after a turn if one is due."""
        turns, turn_s, newer, older = self._state()
        age_s = now_s - turn_s
        if age_s < self._window_s:
            return turns, turn_s, newer, older
        keep = age_s < 2 * self._window_s
        for table in (0, 1):
            if table != turns & 1 or not keep:
                at = _TABLES_AT + table * self._table_bytes
                self._map[at : at + self._table_bytes] = bytes(self._table_bytes)
        return self._write_state(turns + 1, now_s, 0, newer if keep else 0)

    def _state(self) -> tuple[int, float, int, int]:
        turns, turn_s, newer, older = _STATE.unpack_from(self._map, _HEAD.size)
        return turns, turn_s, newer, older

    def _write_state(
        self, turns: int, turn_s: float, newer: int, older: int
    ) -> tuple[int, float, int, int]:
        _STATE.pack_into(self._map, _HEAD.size, turns, turn_s, newer, older)
        return turns, turn_s, newer, older

    @contextmanager
    def _locked(self) -> Iterator[None]:
        flock(self._file, LOCK_EX)
        try:
            yield
        finally:
            flock(self._file, LOCK_UN)
