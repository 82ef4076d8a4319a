"""Bounds what costly requests take of the one thread that answers all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from mycelia.rpc.errors import BUSY, RpcError

_BURST_S: Final = 5.0
_SHARE: Final = 0.25


class TimeBudget:
    """Time that requests of one kind may take together: `share` of what passes, saved up to `burst_s` seconds.

    Whoever comes while anything is left is served to the end, so one request may overdraw it.
    """

    def __init__(
        self,
        burst_s: float = _BURST_S,
        share: float = _SHARE,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst_s, self._share, self._clock_s = burst_s, share, clock_s
        self._left_s, self._at_s = burst_s, clock_s()

    @contextmanager
    def spent(self) -> Iterator[None]:
        """Charge what the block takes, also when it fails; the busy error where nothing is left."""
        began_s = self._clock_s()
        saved_s = (began_s - self._at_s) * self._share
        self._left_s, self._at_s = min(self._burst_s, self._left_s + saved_s), began_s
        if self._left_s <= 0:
            wait_s = -self._left_s / self._share
            raise RpcError(
                BUSY,
                "Requests of this kind have taken their share of the node's time",
                f"Try again in {int(wait_s) + 1} s, or ask a node of your own.",
            )
        try:
            yield
        finally:
            self._left_s -= self._clock_s() - began_s
