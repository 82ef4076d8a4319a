"""Room on a network's disk: a full one costs what can't be written, and never the network.

What is shown goes through an `Outlet`, since standard output may be a file on the same disk.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from mycelia.primitives.errors import AppError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says of a write for which there is no room, on the disk or in a quota."""
_LEAST_BYTES = 1024 * 1024
"""With less, the next block or sample may not be taken."""


@contextmanager
def needed(folder: Path) -> Iterator[None]:
    """Raise AppError for a write that a network can't be set up without, if there is no room."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise AppError(
            "disk_full",
            f"There is no room left for {error.filename or folder}.",
            "Free space on that disk and start again; the set-up goes on where it ended.",
        ) from error


class Room:
    """Tells once when a disk becomes full, and once when there is room again."""

    def __init__(
        self,
        folder: Path,
        tell: Callable[[str], None],
        free_bytes: Callable[[Path], int] | None = None,
    ) -> None:
        """`free_bytes` asks the file system if it is not given."""
        self._folder = folder
        self._tell = tell
        self._free_bytes = free_bytes or _free_bytes
        self.is_full = False

    async def watch(self, every_s: float = 1.0) -> None:
        """Look again and again, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(every_s)

    def look(self) -> None:
        """Look now. A disk that doesn't say is taken to have room."""
        is_full = False
        with suppress(OSError):
            is_full = self._free_bytes(self._folder) < _LEAST_BYTES
        if is_full and not self.is_full:
            self._tell(
                f"the disk is full: free space on that of {self._folder};"
                " everything goes on by itself then"
            )
        elif self.is_full and not is_full:
            self._tell("there is room on the disk again")
        self.is_full = is_full


class Outlet:
    """A text stream for what may get lost: a disk that is full or a reader that is gone stops nobody.

    Writes to the descriptor at once, so that nothing waits in a buffer that can never be emptied.
    """

    def __init__(self, stream: TextIO) -> None:
        """Of a stream without a descriptor, the stream itself is written to."""
        self._stream = stream
        self.encoding = stream.encoding or "utf-8"
        self._raw: int | None = None
        with suppress(OSError, ValueError, AttributeError):
            self._raw = stream.fileno()

    def write(self, text: str) -> int:
        """Write what there is room for; the length of `text` in any case."""
        with suppress(OSError):
            if self._raw is None:
                self._stream.write(text)
            else:
                data = text.encode(self.encoding, "replace")
                while data:
                    data = data[os.write(self._raw, data) :]
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        """The descriptor. Raises OSError where there is none, as streams do."""
        return self._stream.fileno()


def _free_bytes(folder: Path) -> int:
    """What an unprivileged program may still write there."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
