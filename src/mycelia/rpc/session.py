"""One connection: what it subscribed to, and what is still to be sent to it, bounded.

Replies are bounded by the reader: while too much waits to be sent, no further request is read. Notifications can't
be held back, so a connection that doesn't read them is closed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import orjson

from mycelia.rpc.errors import BUSY, RpcError


@dataclass(frozen=True)
class SessionLimits:
    """Bounds of one connection."""

    queued_frames: int = 16_384
    queued_bytes: int = 32 * 1024 * 1024
    subscriptions: int = 1_024
    in_flight: int = 2_048


_ids: Final = count(1)


@dataclass(eq=False, slots=True)
class Subscription:
    """A stream of notifications under an id of its own."""

    id: str
    method: str
    session: Session
    ends: Callable[[Subscription], None]

    def push(self, result: Any) -> None:
        """Queue a notification; closes the connection if too many wait already."""
        params = {"subscription": self.id, "result": result}
        self.session.notify({"jsonrpc": "2.0", "method": self.method, "params": params})

    def end(self) -> None:
        """Forget it on both sides; the client is not told."""
        if self.session.subscriptions.pop(self.id, None) is not None:
            self.ends(self)


@dataclass(eq=False, slots=True)
class Session:
    """The sending half of a connection. `close` is called when it is too slow."""

    close: Callable[[], None]
    limits: SessionLimits = field(default_factory=SessionLimits)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    in_flight: int = 0
    queued_bytes: int = 0
    is_closed: bool = False
    _frames: deque[bytes] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _room: asyncio.Event = field(default_factory=asyncio.Event)

    def open(self, method: str, ends: Callable[[Subscription], None]) -> Subscription:
        """A new subscription; `ends` undoes what feeds it."""
        if len(self.subscriptions) >= self.limits.subscriptions:
            raise RpcError(
                BUSY, "Too many subscriptions", "Unsubscribe from some, or open another connection."
            )
        subscription = Subscription(f"{next(_ids):016x}", method, self, ends)
        self.subscriptions[subscription.id] = subscription
        return subscription

    def send(self, frame: bytes) -> None:
        """Queue a reply."""
        if self.is_closed:
            return
        self._frames.append(frame)
        self.queued_bytes += len(frame)
        self._wake.set()

    def notify(self, message: dict[str, Any]) -> None:
        """Queue a notification."""
        if self.is_closed:
            return
        if (
            len(self._frames) >= self.limits.queued_frames
            or self.queued_bytes >= self.limits.queued_bytes
        ):
            self.end()
            self.close()
            return
        self.send(orjson.dumps(message))

    def begin(self) -> None:
        """A request was taken up."""
        self.in_flight += 1

    def finish(self, frame: bytes) -> None:
        """A request is answered."""
        self.in_flight -= 1
        self.send(frame)
        self._room.set()

    @property
    def is_busy(self) -> bool:
        """Whether enough is under way that no further request should be read."""
        return (
            self.in_flight >= self.limits.in_flight
            or self.queued_bytes >= self.limits.queued_bytes // 2
            or len(self._frames) >= self.limits.queued_frames // 2
        )

    async def room(self) -> None:
        """Wait until the next request may be read."""
        while self.is_busy and not self.is_closed:
            self._room.clear()
            await self._room.wait()

    async def next_frames(self) -> list[bytes]:
        """What is to be sent now; waits for some. Empty when the session is over."""
        while not self._frames and not self.is_closed:
            self._wake.clear()
            await self._wake.wait()
        frames = list(self._frames)
        self._frames.clear()
        return frames

    def sent(self, frames: list[bytes]) -> None:
        """These went out."""
        self.queued_bytes -= sum(map(len, frames))
        self._room.set()

    def end(self) -> None:
        """Drop everything and wake who waits."""
        if self.is_closed:
            return
        self.is_closed = True
        for subscription in list(self.subscriptions.values()):
            subscription.end()
        self._frames.clear()
        self._wake.set()
        self._room.set()
