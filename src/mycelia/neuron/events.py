"""What a process tells its operator: one JSON line per event, and one small status file.

Nothing secret goes in: no keys, no request bodies, no answers.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import IO, Any

_ROTATE_BYTES = 16 * 1024 * 1024


class EventLog:
    """Appends events of one process to a file; keeps one older file when it grows too long.

    A full disk loses events and nothing else: whoever reports must go on.
    """

    def __init__(self, path: Path | None, process: str, stream: IO[str] | None = None) -> None:
        """With no path, events go to `stream`, and with neither they are dropped."""
        self.process = process
        self._path = path
        self._stream = stream
        self._file: IO[bytes] | None = None
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _opened(path)

    def emit(self, event: str, **fields: Any) -> None:
        """Write one event. Fields are plain JSON values; others are written as text."""
        if not self._file and not self._stream:
            return
        line = {"at_ms": time.time_ns() // 1_000_000, "process": self.process, "event": event}
        text = json.dumps(line | fields, default=str) + "\n"
        with contextlib.suppress(OSError):
            if self._file:
                self._write(self._file, text.encode())
            elif self._stream:
                self._stream.write(text)
                self._stream.flush()

    def _write(self, file: IO[bytes], line: bytes) -> None:
        before = os.fstat(file.fileno()).st_size
        if file.write(line) < len(line):
            os.ftruncate(file.fileno(), before)  # a torn line would spoil the file for its readers
        if self._path and file.tell() > _ROTATE_BYTES:
            self._path.replace(self._path.with_suffix(".1.jsonl"))
            self._file = _opened(self._path)
            file.close()

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()
            self._file = None


def _opened(path: Path) -> IO[bytes]:
    # Unbuffered: a line that the disk does not take is not tried again with the next one.
    return path.open("ab", buffering=0)


class StatusFile:
    """The newest state of one process, replaced atomically so that a reader never sees half."""

    def __init__(self, path: Path | None) -> None:
        """With no path, states are dropped."""
        self._path = path

    def write(self, **state: Any) -> None:
        """Replace the state. A full disk must not stop the process that reports."""
        if not self._path:
            return
        scratch = self._path.with_suffix(".new")
        text = json.dumps({"at_ms": time.time_ns() // 1_000_000, "pid": os.getpid()} | state)
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                scratch.write_text(text, encoding="utf-8")
                scratch.replace(self._path)
            except OSError:
                # Without room for the state, its age still says that the process lives.
                os.utime(self._path)


def read_status(path: Path) -> dict[str, Any] | None:
    """The state that a process last wrote, or None if it has not written any."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None
