"""A blocking function as a model: what the loaders of in-process frameworks return."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

from mycelia.models.face import Card, ModelClosed
from mycelia.models.worker import Worker

AskT = TypeVar("AskT")
AnswerT = TypeVar("AnswerT")


class Local(Generic[AskT, AnswerT]):
    """Runs a function on a thread of its own, one call after the other."""

    def __init__(self, function: Callable[[AskT], AnswerT], card: Callable[[], Card]) -> None:
        self._function = function
        self._worker = Worker("model")
        self._closed = False
        self.describe = functools.cache(card)

    async def run(self, ask: AskT, /) -> AnswerT:
        if self._closed:
            raise ModelClosed
        return await self._worker.call(lambda: self._function(ask))

    async def close(self) -> None:
        self._closed = True
        await asyncio.to_thread(self._worker.close)


def commonest(sizes: Iterable[tuple[str, int]]) -> str | None:
    """Element type that most elements have, of (type, elements) pairs; None if there are none."""
    totals: dict[str, int] = {}
    for kind, size in sizes:
        totals[kind] = totals.get(kind, 0) + size
    return max(totals, key=lambda kind: (totals[kind], kind), default=None)


def described(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Names, types and shapes of arrays, for a message."""
    return ", ".join(f"{name} {a.dtype}{list(a.shape)}" for name, a in arrays.items()) or "nothing"
