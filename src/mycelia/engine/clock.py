"""The time of blocks: the machine's, or one that a developer has set.

Times are milliseconds since 1970.
"""

from __future__ import annotations

import time
from collections.abc import Callable


def wall_clock_ms() -> int:
    """The machine's time."""
    return time.time_ns() // 1_000_000


class Clock:
    """A clock that runs at the machine's pace and may be set."""

    def __init__(self, source_ms: Callable[[], int] = wall_clock_ms) -> None:
        self._source_ms = source_ms
        self._ahead_ms = 0

    def __call__(self) -> int:
        return self._source_ms() + self._ahead_ms

    def set(self, now_ms: int) -> None:
        """Let it be `now_ms` now."""
        self._ahead_ms = now_ms - self._source_ms()
