"""Batches: many requests that wait a moment for each other become one call of a miner function.

The most urgent ask goes first. An ask that the queue could not serve before its deadline is
refused at once, so that its caller may try another miner.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import ceil
from typing import Any

from mycelia.neuron.subnet import Batch, Context
from mycelia.wire.errors import Rejection

_SMOOTHING = 0.2

Batched = Callable[[list[Any]], Awaitable[Sequence[Any]]]


@dataclass(order=True)
class _Waiting:
    due_s: float
    number: int
    ask: Any = field(compare=False)
    answer: asyncio.Future[Any] = field(compare=False)


class Batcher:
    """A miner function over one that takes lists. Batches run one after the other."""

    def __init__(self, function: Batched, batch: Batch) -> None:
        self.batch = batch
        self._function = function
        self._queue: list[_Waiting] = []
        self._numbers = count()
        self._call_s = 0.0
        self._busy_since_s: float | None = None
        self._full = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    async def __call__(self, ask: Any, context: Context) -> Any:
        """The answer to one ask. Raises Rejection 429 when it would come too late."""
        if self.wait_s() > context.remaining_s():
            raise Rejection(
                429,
                "busy",
                "The queue is longer than the caller would wait.",
                "Ask another miner, or wait as long as Retry-After says.",
                retry_after_s=max(1, ceil(self.wait_s())),
            )
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(context.deadline.at_s, next(self._numbers), ask, answer)
        heapq.heappush(self._queue, waiting)
        if len(self._queue) >= self.batch.size:
            self._full.set()
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._run())
        return await answer

    def wait_s(self) -> float:
        """Seconds until an ask that came now would be answered, from how long batches took."""
        batches = len(self._queue) // self.batch.size + 1
        running_s = 0.0
        if self._busy_since_s is not None:
            running_s = max(0.0, self._call_s - (time.monotonic() - self._busy_since_s))
        return running_s + batches * self._call_s

    async def _run(self) -> None:
        while self._queue:
            if len(self._queue) < self.batch.size:
                self._full.clear()
                try:
                    async with asyncio.timeout(self.batch.window_ms / 1e3):
                        await self._full.wait()
                except TimeoutError:
                    pass
            await self._serve(self._taken())

    def _taken(self) -> list[_Waiting]:
        """The next batch: whoever still waits, the most urgent first."""
        taken: list[_Waiting] = []
        while self._queue and len(taken) < self.batch.size:
            waiting = heapq.heappop(self._queue)
            if not waiting.answer.done():  # its caller has left
                taken.append(waiting)
        return taken

    async def _serve(self, taken: list[_Waiting]) -> None:
        """One call. An edge: whatever the function raises is raised in each of its callers."""
        if not taken:
            return
        started_s = self._busy_since_s = time.monotonic()
        try:
            answers = await self._function([waiting.ask for waiting in taken])
            if len(answers) != len(taken):
                raise ValueError(f"{len(taken)} asks got {len(answers)} answers")
        except Exception as error:  # an author's code; its callers log it
            for waiting in taken:
                _settle(waiting.answer, error)
            return
        finally:
            self._busy_since_s = None
        took_s = time.monotonic() - started_s
        self._call_s += (took_s - self._call_s) * (_SMOOTHING if self._call_s else 1.0)
        for waiting, answer in zip(taken, answers, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(answer)


def _settle(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
