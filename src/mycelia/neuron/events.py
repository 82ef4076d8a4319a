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
    """Appends events of one process to a file; keeps one older file when it grows too long."""

    def __init__(self, path: Path | None, process: str) -> None:
        """With no path, events are dropped."""
        self._path = path
        self._process = process
        self._file: IO[str] | None = None
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8")

    def emit(self, event: str, **fields: Any) -> None:
        """Write one event. Fields are plain JSON values; others are written as text."""
        if not self._file or not self._path:
            return
        line = {"at_ms": time.time_ns() // 1_000_000, "process": self._process, "event": event}
        self._file.write(json.dumps(line | fields, default=str) + "\n")
        self._file.flush()
        if self._file.tell() > _ROTATE_BYTES:
            self._file.close()
            self._path.replace(self._path.with_suffix(".1.jsonl"))
            self._file = self._path.open("a", encoding="utf-8")

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()
            self._file = None


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
            scratch.write_text(text, encoding="utf-8")
            scratch.replace(self._path)


def read_status(path: Path) -> dict[str, Any] | None:
    """The state that a process last wrote, or None if it has not written any."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None
