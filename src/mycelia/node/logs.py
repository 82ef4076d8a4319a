"""One line per event on standard error: UTC, level, origin, then `event key=value ...`.

Text among the values stands in quotes, and an error's traceback stays on the line of its event.
"""

from __future__ import annotations

import logging
import sys
import time


class OneLine(logging.Formatter):
    """Whatever is said, its line ends are escaped, and what else could move a terminal."""

    def __init__(self) -> None:
        self.converter = time.gmtime
        super().__init__(
            "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S"
        )

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        said = super().format(record)
        return said if said.isprintable() else "".join(map(_visible, said))


def _visible(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]


def set_up_logging(level: str) -> None:
    """Send the events of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
