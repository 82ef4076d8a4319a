"""Bounds the work of one runtime view: meanwhile nobody else is answered.

Work is counted and not timed, so that what is answered does not depend on how busy the machine is.
"""

from __future__ import annotations

from typing import Any, Final

from mycelia.rpc.errors import RpcError, execution_failed
from mycelia.state import Overlay, ReadView
from mycelia.state.overlay import Codec

MOST_LOOKUPS: Final = 2_000_000
"""Values and keys that one view may ask for: four times those of all metagraphs of 128 subnets with 256 neurons."""


class MeteredOverlay(Overlay):
    """An overlay for views; after `begin` it answers `MOST_LOOKUPS` times and then raises."""

    def __init__(self, view: ReadView) -> None:
        super().__init__(view)
        self.begin()

    def begin(self) -> None:
        """Count anew."""
        self._left = MOST_LOOKUPS

    def get(self, key: bytes, scale: Codec) -> Any | None:
        self._left -= 1
        if self._left < 0:
            raise _too_much()
        return super().get(key, scale)

    def contains(self, key: bytes) -> bool:
        self._left -= 1
        if self._left < 0:
            raise _too_much()
        return super().contains(key)

    def keys(self, prefix: bytes) -> list[bytes]:
        found = super().keys(prefix)
        self._left -= len(found) + 1
        if self._left < 0:
            raise _too_much()
        return found


def _too_much() -> RpcError:
    return execution_failed(
        f"Other: The call looks up more than {MOST_LOOKUPS} values. "
        "Ask for less at a time, or read the storage in pages with state_getKeysPaged."
    )
