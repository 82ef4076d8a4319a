"""What is said on the text subnet."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mycelia.models.llama import MAX_SEED
from mycelia.neuron import Delta, Reply, Request
from mycelia.wire.contract import Usage


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: str = Field(max_length=32_000)


class Ask(Request):
    """A conversation to continue."""

    messages: tuple[Message, ...] = Field(min_length=1, max_length=100)
    max_tokens: int = Field(default=256, ge=1, le=1_024)
    temperature: float = Field(default=0.7, ge=0.0, le=2.0, allow_inf_nan=False)
    seed: int = Field(default_factory=lambda: secrets.randbits(63), ge=0, le=MAX_SEED)
    """Of the sampling noise. With it, the answer is determined."""

    def turns(self) -> list[dict[str, str]]:
        """Messages as the model's vocabulary takes them."""
        return [{"role": m.role, "content": m.content} for m in self.messages]


Finish = Literal["stop", "length"]


class Piece(Delta):
    """A part of an answer; the last one says why it is the last."""

    text: str = Field(max_length=8_192)
    tokens: tuple[int, ...] = Field(max_length=1_024)
    finish: Finish | None = None
    prompt_tokens: int = 0
    """Length of the conversation; in the last piece."""


class Answer(Reply):
    """The assistant's turn, with the tokens that prove where it comes from."""

    text: str = Field(max_length=65_536)
    tokens: tuple[int, ...] = Field(max_length=1_024)
    """All that were sampled, with the one that ends the turn if there was one."""
    finish: Finish
    prompt_tokens: int = 0

    def usage(self) -> Usage:
        """Tokens of the conversation, and of the turn."""
        return Usage(self.prompt_tokens, len(self.tokens))

    @classmethod
    def fold(cls, deltas: Sequence[Any]) -> Answer:
        """Join pieces; raises ValueError if the stream was cut off."""
        if not deltas or deltas[-1].finish is None:
            raise ValueError("the stream ended before the answer did")
        return cls(
            text="".join(piece.text for piece in deltas),
            tokens=tuple(token for piece in deltas for token in piece.tokens),
            finish=deltas[-1].finish,
            prompt_tokens=deltas[-1].prompt_tokens,
        )
