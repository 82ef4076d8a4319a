"""A plain function as a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mycelia.models.adapters.local import Local
from mycelia.models.face import Card, Model
from mycelia.models.installed import pinned

AskT = TypeVar("AskT")
AnswerT = TypeVar("AnswerT")


def wrap(function: Callable[[AskT], AnswerT], *, name: str = "") -> Model[AskT, AnswerT]:
    """Let a function that may block answer asks of its own type, one after the other.

    It refuses an ask by raising AskRefused.
    """
    card = Card(name or function.__name__, pinned("mycelia"))
    return Local(function, lambda: card)
