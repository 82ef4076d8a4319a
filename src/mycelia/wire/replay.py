"""Remembers which requests were accepted, so that none is accepted twice.

`ReplayStore` is the memory of one process. Processes that share a port need one memory between
them, or each would accept a request once: that is `shared_replay.SharedReplays`.
"""

from __future__ import annotations

import secrets
import time
from typing import Protocol

from mycelia.wire.errors import Rejection


class Replays(Protocol):
    """A memory of accepted requests."""

    @property
    def born_ns(self) -> int:
        """Unix nanoseconds since which it remembers; what is older may have been accepted."""

    @property
    def secret(self) -> bytes:
        """32 bytes known to those who share this memory, for as long as it lasts."""

    def accept(self, hotkey: str, nonce_ns: int, /) -> None:
        """Record a verified request. Raises `Rejection` when seen before (401) or full (429).

        Call it only after the signature was verified, or strangers could use up nonces.
        """


class ReplayStore:
    """Accepted (hotkey, nonce) pairs of at least the last `window_s` seconds.

    Two sets take turns: when the newer is a window old, the older is dropped whole. So a pair
    lives between one and two windows, expiry costs nothing per request, and memory is bounded by
    `entries` pairs. When both sets are full the store refuses: forgetting would let replays in.
    """

    def __init__(self, window_s: float, entries: int) -> None:
        self._window_s = window_s
        self._entries = entries
        self._newer: set[tuple[str, int]] = set()
        self._older: set[tuple[str, int]] = set()
        self._turn_s = 0.0
        self.born_ns = time.time_ns()
        self.secret = secrets.token_bytes(32)

    def __len__(self) -> int:
        return len(self._newer) + len(self._older)

    def accept(self, hotkey: str, nonce_ns: int, now_s: float | None = None) -> None:
        """Record a verified request, see `Replays`. `now_s` is monotonic."""
        self._turn(time.monotonic() if now_s is None else now_s)
        pair = (hotkey, nonce_ns)
        if pair in self._newer or pair in self._older:
            raise replayed()
        if len(self) >= self._entries:
            raise full(self._window_s)
        self._newer.add(pair)

    def _turn(self, now_s: float) -> None:
        age_s = now_s - self._turn_s
        if age_s < self._window_s:
            return
        self._older = self._newer if age_s < 2 * self._window_s else set()
        self._newer = set()
        self._turn_s = now_s


def replayed() -> Rejection:
    """Say that a request was seen before, as error to raise."""
    return Rejection(
        401,
        "replayed_request",
        "This request was already accepted.",
        "Sign each attempt anew, with a fresh nonce.",
    )


def full(window_s: float) -> Rejection:
    """Say that no more requests can be remembered, as error to raise."""
    return Rejection(
        429,
        "replay_store_full",
        "Too many requests within the freshness window.",
        "Wait and send fewer requests per second.",
        retry_after_s=1 + int(window_s),
    )
