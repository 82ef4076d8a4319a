"""Futures in a row, without a task for each."""

from __future__ import annotations

from asyncio import CancelledError, Future
from collections.abc import Callable
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def then(
    source: Future[A], step: Callable[[A], B], on_failure: Callable[[], None] | None = None
) -> Future[B]:
    """The future of `step(result)`. A failed source fails it too, after `on_failure`."""
    outcome: Future[B] = source.get_loop().create_future()

    def done(finished: Future[A]) -> None:
        error = CancelledError() if finished.cancelled() else finished.exception()
        if error is None and not outcome.done():
            outcome.set_result(step(finished.result()))
            return
        if on_failure is not None:
            on_failure()
        if isinstance(error, CancelledError):
            outcome.cancel()
        elif error is not None and not outcome.done():
            outcome.set_exception(error)

    source.add_done_callback(done)
    return outcome
