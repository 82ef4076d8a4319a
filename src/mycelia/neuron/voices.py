"""One caller with several hotkeys, so that a miner cannot tell whom it serves.

A consumer's request and a validator's test look the same to a miner: the same hotkeys sign both,
over the same routes, with deadlines drawn from the same range. A validator's own gateway signs
with that validator's hotkey; a gateway that serves for several takes one of theirs by chance.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mycelia.wire.client import Outcome, ReplyStream
    from mycelia.wire.contract import Endpoint

_CHANCE = random.SystemRandom()
_DRAWN = (0.9, 1.0)


class Caller(Protocol):
    """The part of `WireClient` that asking takes."""

    async def call(
        self, endpoint: Endpoint, path: str, body: bytes, deadline_s: float
    ) -> Outcome: ...

    def stream(
        self, endpoint: Endpoint, path: str, body: bytes, deadline_s: float
    ) -> AbstractAsyncContextManager[ReplyStream]: ...


def drawn(deadline_s: float) -> float:
    """A deadline a little shorter than allowed, by chance: round numbers would tell who asks."""
    return deadline_s * _CHANCE.uniform(*_DRAWN)


class Reader(Caller, Protocol):
    """A caller that reads what miners show to anybody, too."""

    async def document(self, endpoint: Endpoint, path: str, deadline_s: float) -> bytes: ...


class Voices:
    """A `Reader` that signs each request with one of several hotkeys."""

    def __init__(self, callers: Sequence[Reader]) -> None:
        """One caller per hotkey; who made them closes them."""
        self._callers = callers

    async def call(self, endpoint: Endpoint, path: str, body: bytes, deadline_s: float) -> Outcome:
        """As `WireClient.call`."""
        return await self._one().call(endpoint, path, body, drawn(deadline_s))

    def stream(
        self, endpoint: Endpoint, path: str, body: bytes, deadline_s: float
    ) -> AbstractAsyncContextManager[ReplyStream]:
        """As `WireClient.stream`."""
        return self._one().stream(endpoint, path, body, drawn(deadline_s))

    async def document(self, endpoint: Endpoint, path: str, deadline_s: float) -> bytes:
        """As `WireClient.document`; it is not signed."""
        return await self._callers[0].document(endpoint, path, deadline_s)

    def _one(self) -> Reader:
        return _CHANCE.choice(self._callers)
