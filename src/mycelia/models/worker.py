"""A thread that runs a model's blocking calls, one after the other, for an asyncio program."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Generic, TypeVar

from mycelia.models.face import ModelClosed

T = TypeVar("T")


class _End(Generic[T]):
    """Ends a stream; carries what the producer raised, if it did."""

    def __init__(self, cause: BaseException | None) -> None:
        self.cause = cause


class Worker:
    """One thread and its queue. Callers are served in the order in which they asked."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._closed = False

    async def call(self, function: Callable[[], T]) -> T:
        """Run `function` on the thread and return its result.

        A caller that gives up is free at once; the thread is so after the call, or at once if that
        had not begun. Raises ModelClosed if the worker is closed before the call begins.
        """
        if self._closed:
            raise ModelClosed
        job = self._pool.submit(function)
        done = asyncio.wrap_future(job)
        try:
            await asyncio.wait([done])
        except asyncio.CancelledError:
            # The job itself, and now: through `done` it would be told a turn of the loop later.
            job.cancel()  # if it has not begun, it never will
            done.cancel()
            raise
        if done.cancelled():  # by `close`, not by the caller
            raise ModelClosed
        return done.result()

    async def iterate(
        self, make: Callable[[], Generator[T, None, None]]
    ) -> AsyncGenerator[T, None]:
        """Run a generator on the thread and yield its items as they come.

        Leaving the loop early, or cancelling it, stops the generator at its next item. Use
        `contextlib.aclosing` where the loop may be left by a `break` or an exception.
        Raises ModelClosed if the worker is closed before the generator begins.
        """
        if self._closed:
            raise ModelClosed
        loop = asyncio.get_running_loop()
        items: asyncio.Queue[T | _End[T]] = asyncio.Queue()
        left = threading.Event()

        def produce() -> None:
            cause: BaseException | None = None
            try:
                if left.is_set():
                    return
                with closing(make()) as source:
                    for item in source:
                        loop.call_soon_threadsafe(items.put_nowait, item)
                        if left.is_set():
                            return
            except BaseException as error:  # handed to the consumer, who raises it
                cause = error
            finally:
                loop.call_soon_threadsafe(items.put_nowait, _End(cause))

        def dropped(job: Future[None]) -> None:
            if job.cancelled():
                loop.call_soon_threadsafe(items.put_nowait, _End(ModelClosed()))

        job = self._pool.submit(produce)
        job.add_done_callback(dropped)
        try:
            while True:
                item = await items.get()
                if isinstance(item, _End):
                    if item.cause is not None:
                        raise item.cause
                    return
                yield item
        finally:
            left.set()
            job.cancel()  # if it has not begun, it never will

    def close(self) -> None:
        """Stop the thread after its current call; who waits for another gets ModelClosed."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)
