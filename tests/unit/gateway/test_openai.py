"""The translation between OpenAI's form and a chat subnet's, without any network."""

import json
from dataclasses import dataclass

import pytest
from pydantic import BaseModel, Field

from mycelia.gateway import openai
from mycelia.gateway.errors import ApiError, no_miner
from mycelia.neuron.subnet import Request


class Turn(BaseModel):
    role: str
    content: str


class Ask(Request):
    messages: tuple[Turn, ...] = Field(min_length=1)
    max_tokens: int = Field(default=256, ge=1, le=1024)
    temperature: float = Field(default=0.7, ge=0, le=2, allow_inf_nan=False)
    seed: int = Field(default=9, ge=0)


@dataclass
class Piece:
    text: str
    tokens: tuple[int, ...] = (1,)
    finish: str | None = None
    prompt_tokens: int = 0


HELLO = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def _refusal(**changed: object) -> ApiError:
    with pytest.raises(ApiError) as refused:
        openai.ask_of(Ask, openai.parse_chat(HELLO | changed).fields)
    assert refused.value.status == 400
    return refused.value


def test_the_least_request_leaves_the_rest_to_the_subnet():
    request = openai.parse_chat(HELLO)
    assert request.fields == {"messages": [{"role": "user", "content": "hello"}]}
    assert (request.model, request.stream, request.include_usage) == ("m", False, False)
    assert openai.ask_of(Ask, request.fields) == Ask(messages=(Turn(role="user", content="hello"),))


def test_everything_honoured_reaches_the_ask():
    request = openai.parse_chat(
        HELLO
        | {"max_tokens": 5, "temperature": 0, "seed": 3, "stream": True}
        | {"stream_options": {"include_usage": True}}
    )
    ask = openai.ask_of(Ask, request.fields)
    assert (ask.max_tokens, ask.temperature, ask.seed) == (5, 0.0, 3)
    assert (request.stream, request.include_usage) == (True, True)


def test_the_newer_name_of_the_limit_wins():
    request = openai.parse_chat(HELLO | {"max_tokens": 5, "max_completion_tokens": 7})
    assert request.fields["max_tokens"] == 7


def test_content_in_parts_is_joined_and_developer_is_system():
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    request = openai.parse_chat(HELLO | {"messages": [{"role": "developer", "content": parts}]})
    assert request.fields["messages"] == [{"role": "system", "content": "ab"}]


@pytest.mark.parametrize(
    "extra",
    [
        {"n": 1, "top_p": 1.0, "frequency_penalty": 0, "presence_penalty": 0.0, "stop": None},
        {"tools": [], "tool_choice": "none", "response_format": {"type": "text"}},
        {"user": "u", "metadata": {"a": "b"}, "store": False, "logprobs": False},
    ],
)
def test_what_asks_for_nothing_more_is_accepted(extra):
    assert openai.parse_chat(HELLO | extra).fields == openai.parse_chat(HELLO).fields


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("n", 2),
        ("top_p", 0.5),
        ("stop", "\n"),
        ("logprobs", True),
        ("tools", [{"type": "function"}]),
        ("response_format", {"type": "json_object"}),
        ("reasoning_effort", "high"),
        ("no_such_parameter", 1),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(param, value):
    error = _refusal(**{param: value})
    assert (error.code, error.param) == ("unsupported_parameter", param)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 3}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": ["hello"]}, "messages.0"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages.0.role"),
        (
            {"messages": [{"role": "user", "content": "x", "tool_calls": [1]}]},
            "messages.0.tool_calls",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages.0.content",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 10**9}, "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": float("nan")}, None),
        ({"seed": -1}, "seed"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": 1}, "stream_options"),
    ],
)
def test_mistakes_are_named(change, param):
    assert _refusal(**change).param in (param, "temperature" if param is None else param)


def _chat() -> openai.Chat:
    return openai.Chat(id="c", model="m", created_s=5, prompt_length=10)


def _events(data: bytes) -> list[dict]:
    events = [line for line in data.decode().split("\n\n") if line]
    assert all(event.startswith("data: ") for event in events)
    return [json.loads(event.removeprefix("data: ")) for event in events]


def test_events_of_an_answer():
    chat = _chat()
    events = _events(
        chat.opening()
        + chat.chunks([Piece("Gr"), Piece("", ())])
        + chat.chunks([Piece("üße", (2, 3), finish="stop", prompt_tokens=4)])
    )
    deltas = [event["choices"][0]["delta"] for event in events]
    assert deltas == [
        {"role": "assistant", "content": ""},
        {"content": "Gr"},
        {"content": "üße"},
        {},
    ]
    assert [e["choices"][0]["finish_reason"] for e in events] == [None, None, None, "stop"]
    assert {(e["id"], e["object"], e["model"], e["created"]) for e in events} == {
        ("c", "chat.completion.chunk", "m", 5)
    }
    assert chat.usage() == {"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7}


def test_the_end_of_an_answer():
    chat = _chat()
    assert chat.closing(include_usage=False) == b"data: [DONE]\n\n"
    usage, done = chat.closing(include_usage=True).split(b"\n\n")[:2]
    event = json.loads(usage.removeprefix(b"data: "))
    assert event["choices"] == []
    assert event["usage"]["total_tokens"] == 0
    assert done == b"data: [DONE]"


def test_an_answer_in_one_object():
    chat = _chat()
    chat.take(Piece("hi", (1, 2), finish="length", prompt_tokens=3))
    whole = chat.whole()
    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["message"]["content"] == "hi"
    assert whole["choices"][0]["finish_reason"] == "length"
    assert whole["usage"]["total_tokens"] == 5


@pytest.mark.parametrize(("claimed", "counted"), [(10**9, 74), (-5, 0)])
def test_an_absurd_prompt_length_is_not_believed(claimed, counted):
    chat = _chat()
    chat.take(Piece("", (), finish="stop", prompt_tokens=claimed))
    assert chat.prompt_tokens == counted


def test_errors_have_openais_form():
    event = openai.error_event(no_miner("text", ["uid 3: unreachable"]))
    error = json.loads(event.removeprefix(b"data: "))["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == ("api_error", "no_miner")
    assert "uid 3: unreachable" in error["message"]


def test_more_tokens_than_were_asked_for_are_no_answer():
    checks = openai.checks_of(Ask(messages=(Turn(role="user", content="hi"),), max_tokens=3))
    for _ in range(2):  # each attempt is counted for itself
        check = checks()
        check([Piece("a", (1,)), Piece("", ())])
        check([Piece("b", (2, 3))])
        with pytest.raises(ValueError, match="tokens"):
            check([Piece("c", (4,))])
