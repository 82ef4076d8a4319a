"""One line per event on standard error: UTC, level, origin, then `event key=value ...`.

Text among the values stands in quotes, and an error's traceback stays on the line of its event.
"""

from __future__ import annotations

import logging
import sys
import time


class OneLine(logging.Formatter):
    """Whatever is said, its line ends are escaped."""

    def __init__(self) -> None:
        self.converter = time.gmtime
        super().__init__(
            "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S"
        )

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return super().format(record).replace("\n", "\\n")


def set_up_logging(level: str) -> None:
    """Send the events of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
