"""Between OpenAI's chat form and the messages of a chat subnet: pure translation, no I/O.

Honoured: `model`, `messages` (text only), `max_tokens` / `max_completion_tokens`, `temperature`,
`seed`, `stream`, `stream_options.include_usage`. Accepted where they ask for what happens anyway
(`n` of 1, `top_p` of 1, no tools, ...) or carry nothing to act on (`user`, `metadata`, ...).
Anything else is refused with the parameter's name: an answer made by ignoring a request would be
a wrong one.

A chat subnet is one whose `Ask` has `messages`, `max_tokens`, `temperature` and `seed`, and whose
pieces have `text`, `tokens`, `finish` and `prompt_tokens`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import orjson
from pydantic import ValidationError

from mycelia.gateway.errors import ApiError, invalid, unsupported
from mycelia.neuron.subnet import Request

# JSON from a stranger: untyped until `Ask` has validated it.
Json = Mapping[str, Any]

_HONOURED = {
    "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "seed", "stream",
    "stream_options",
}  # fmt: skip
_WITHOUT_EFFECT = {
    "user", "metadata", "store", "safety_identifier", "prompt_cache_key", "service_tier",
}  # fmt: skip
# Values that ask for nothing beyond what happens anyway.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "top_p": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "stop": ([],),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "functions": ([],),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "top_logprobs": (0,),
}
_GAP = "\u2402"
_GAP_JSON = orjson.dumps(_GAP)
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A chat request as far as it does not depend on the subnet that will answer it."""

    model: str
    fields: dict[str, Any]
    """For the subnet's `Ask`; what the caller left out is left out here."""
    stream: bool
    include_usage: bool


class ChatPiece(Protocol):
    """What a chat subnet streams."""

    @property
    def text(self) -> str: ...
    @property
    def tokens(self) -> Sequence[int]: ...
    @property
    def finish(self) -> Literal["stop", "length"] | None: ...
    @property
    def prompt_tokens(self) -> int: ...


def parse_chat(body: Json) -> ChatRequest:
    """Read a chat request. Raises ApiError 400 that names the parameter at fault."""
    for name, value in body.items():
        if name in _HONOURED or name in _WITHOUT_EFFECT or value is None:
            continue
        if name not in _NEUTRAL:
            raise unsupported(name, "it is unknown here")
        if value not in _NEUTRAL[name]:
            raise unsupported(name, f"only {json.dumps(_NEUTRAL[name][0])} is")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise invalid("No model is named.", "See /v1/models for those there are.", param="model")
    fields: dict[str, Any] = {"messages": _messages(body.get("messages"))}
    limit = body.get("max_completion_tokens")
    wanted = {
        "max_tokens": body.get("max_tokens") if limit is None else limit,
        "temperature": body.get("temperature"),
        "seed": body.get("seed"),
    }
    fields |= {name: value for name, value in wanted.items() if value is not None}
    stream = _boolean(body, "stream")
    options = body.get("stream_options")
    if options is not None and not isinstance(options, Mapping):
        raise invalid("Not an object.", "Send an object.", param="stream_options")
    if options and not stream:
        raise invalid(
            "Stream options without a stream.", "Set stream to true.", param="stream_options"
        )
    return ChatRequest(model, fields, stream, _boolean(options or {}, "include_usage"))


def ask_of(ask: type[Request], fields: Json) -> Request:
    """Make a subnet's `Ask`. Raises ApiError 400 that names the parameter at fault."""
    try:
        # Strictly as JSON: 1.5 tokens or the text "3" are mistakes, not numbers.
        return ask.model_validate_json(orjson.dumps(fields), strict=True)
    except ValidationError as error:
        raise from_validation(error) from None


# Any: what `ask_of` made of a chat request, so it has the field.
def checks_of(ask: Any) -> Callable[[], Callable[[Iterable[ChatPiece]], None]]:
    """Make checks, each of one answer's pieces, that there are no more tokens than were asked for.

    They raise ValueError. Otherwise a miner could deliver, and have counted, what nobody wants.
    """
    most: int = ask.max_tokens

    def begun() -> Callable[[Iterable[ChatPiece]], None]:
        left = most

        def check(pieces: Iterable[ChatPiece]) -> None:
            nonlocal left
            left -= sum(len(piece.tokens) for piece in pieces)
            if left < 0:
                raise ValueError("more tokens than were asked for")

        return check

    return begun


def from_validation(error: ValidationError) -> ApiError:
    """Turn what a subnet's schema objects to into an error for the caller."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    param = ".".join(str(part) for part in problem["loc"])
    return invalid(f"{problem['msg']}.", "Correct the value.", param=param or None)


@dataclass(slots=True)
class Chat:
    """Makes the chunks, or the whole, of one answer, and counts what was delivered."""

    id: str
    model: str
    created_s: int
    prompt_length: int
    """Characters of the conversation, to judge the miner's token count by."""
    completion_tokens: int = 0
    prompt_tokens: int = 0
    finish: Literal["stop", "length"] | None = None
    _texts: list[str] = field(default_factory=list)
    _around: tuple[bytes, bytes] | None = None
    """What stands before and after the text of an event."""

    @property
    def text(self) -> str:
        """All that was delivered."""
        return "".join(self._texts)

    def take(self, piece: ChatPiece) -> None:
        """Count a piece."""
        self._texts.append(piece.text)
        self.completion_tokens += len(piece.tokens)
        if piece.finish is not None:
            self.finish = piece.finish
            # A token has at least one character, give or take the template's own.
            most = self.prompt_length + 64
            self.prompt_tokens = min(max(piece.prompt_tokens, 0), most)

    def opening(self) -> bytes:
        """Return the first event, which carries the role."""
        return self._event({"role": "assistant", "content": ""}, None)

    def chunks(self, pieces: Iterable[ChatPiece]) -> bytes:
        """Count pieces and return their events: one for each that shows something."""
        if self._around is None:
            # Only the text differs from event to event.
            before, _, after = self._event({"content": _GAP}, None).partition(_GAP_JSON)
            self._around = before, after
        before, after = self._around
        shown: list[bytes] = []
        for piece in pieces:
            self.take(piece)
            if piece.text:
                shown += (before, orjson.dumps(piece.text), after)
            if piece.finish is not None:
                shown.append(self._event({}, piece.finish))
        return b"".join(shown)

    def closing(self, *, include_usage: bool) -> bytes:
        """Return the last events of a complete answer."""
        usage = _event(self._object() | {"choices": [], "usage": self.usage()})
        return (usage if include_usage else b"") + b"data: [DONE]\n\n"

    def whole(self) -> dict[str, Any]:
        """Return the answer in one object."""
        message = {"role": "assistant", "content": self.text, "refusal": None}
        choice = {
            "index": 0, "message": message, "logprobs": None, "finish_reason": self.finish,
        }  # fmt: skip
        return self._object("chat.completion") | {"choices": [choice], "usage": self.usage()}

    def usage(self) -> dict[str, int]:
        """Return token counts: of what was delivered, and of the prompt as the miner says."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }

    def _object(self, kind: str = "chat.completion.chunk") -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created_s, "model": self.model}

    def _event(self, delta: Json, finish: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event(self._object() | {"choices": [choice]})


def error_event(error: ApiError) -> bytes:
    """Return the event that ends a stream which broke off: clients raise it as an API error."""
    return b"data: " + error.body() + b"\n\n"


def _event(value: Json) -> bytes:
    return b"data: %s\n\n" % orjson.dumps(value)


def _messages(value: Any) -> list[dict[str, str]]:
    if not isinstance(value, list):
        raise invalid("Messages are missing or no list.", "Send a list.", param="messages")
    return [_message(message, f"messages.{index}") for index, message in enumerate(value)]


def _message(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise invalid("A message is no object.", "Send role and content.", param=where)
    role = value.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise unsupported(f"{where}.role", f"one of {', '.join(_ROLES)} is")
    for name, extra in value.items():
        if name not in ("role", "content") and extra not in (None, [], {}):
            raise unsupported(f"{where}.{name}", "messages hold text only")
    return {"role": _ROLES[role], "content": _content(value.get("content"), f"{where}.content")}


def _content(value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise invalid("A message has no content.", "Send text.", param=where)
    for part in value:
        if not isinstance(part, Mapping) or part.get("type") != "text":
            raise unsupported(where, "messages hold text only")
        if not isinstance(part.get("text"), str):
            raise invalid("A text part has no text.", "Send text.", param=where)
    return "".join(part["text"] for part in value)


def _boolean(fields: Json, name: str) -> bool:
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid("Not a boolean.", "Send true or false.", param=name)
    return bool(value)
