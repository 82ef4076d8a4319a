"""One line per event on standard error: time, level, origin, then `event key=value ...`."""

from __future__ import annotations

import logging
import sys


def set_up_logging(level: str) -> None:
    """Send the events of this process to standard error."""
    logging.basicConfig(
        level=level,
        stream=sys.stderr,
        format="%(asctime)s.%(msecs)03d %(levelname)s %(name)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
        force=True,
    )
    logging.getLogger("asyncio").setLevel(logging.WARNING)
