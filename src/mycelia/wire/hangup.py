"""Cancels the work on a request when its caller goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

# ASGI messages are untyped by nature.
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_GRACE_S = 0.02


class Hangup:
    """Watches an ASGI request for a disconnect, on behalf of the task that made it.

    Watching takes a task of its own. Most requests are over before that pays, so it starts only
    after a moment; a caller that hangs up is noticed that much later.
    """

    def __init__(self, receive: Receive) -> None:
        self.happened = False
        self._receive = receive
        self._timer: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Cancel the current task when the caller hangs up. Only after the body was read."""
        task = asyncio.current_task()
        if task is None or self._timer is not None:
            return
        loop = task.get_loop()
        self._timer = loop.call_later(_GRACE_S, self._start, loop, task)

    def close(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()

    def _start(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
        self._watcher = loop.create_task(self._watch(task))

    async def _watch(self, task: asyncio.Task[Any]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.happened = True
        task.cancel()
