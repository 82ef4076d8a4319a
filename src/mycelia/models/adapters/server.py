"""A model behind OpenAI's chat interface: vLLM, Ollama, llama-server, or a gateway of this network."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import aiohttp
import orjson

from mycelia.models.face import (
    AskRefused,
    Card,
    ChatModel,
    Completion,
    Finish,
    ModelClosed,
    Part,
    Prompt,
    ServerFailed,
    checked_prompt,
    folded,
)

SILENCE_S = 60.0
"""Longest wait for a connection, and between two pieces of an answer."""
_MOST_BYTES = 1 << 20
"""Of one line or one body: a server that sends more without an end is broken."""


async def connect(url: str, model: str = "", *, key: str = "") -> ChatModel:
    """Use a model of a server; the first that it lists if none is named.

    `url` ends where `/chat/completions` would follow, often in `/v1`. What the server computes with
    is only known by what it says, so the card holds no digest.

    Raises:
        ServerFailed: nothing answers there, or it has no such model.
    """
    timeout = aiohttp.ClientTimeout(total=None, connect=SILENCE_S, sock_read=SILENCE_S)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    session = aiohttp.ClientSession(
        # Servers drop idle connections unannounced, and a request on one would be lost.
        connector=aiohttp.TCPConnector(force_close=True),
        timeout=timeout,
        headers=headers,
        read_bufsize=_MOST_BYTES,
    )
    try:
        async with _request(session, "GET", f"{url.rstrip('/')}/models") as reply:
            listed = _parsed(await reply.content.read(_MOST_BYTES))
            said = reply.headers.get("server", "")
        entries = [e for e in _items(listed, "data") if isinstance(e.get("id"), str)]
        chosen = next((e for e in entries if model in ("", e["id"])), None)
        if chosen is None:
            raise ServerFailed(f"it has no model {model!r}")
    except BaseException:
        await session.close()
        raise
    owner = chosen.get("owned_by") or said or "unknown"
    return _Server(session, url.rstrip("/"), Card(str(chosen["id"]), f"server of {owner}"))


class _Server:
    def __init__(self, session: aiohttp.ClientSession, url: str, card: Card) -> None:
        self._session = session
        self._url = url
        self._card = card
        self._open: set[aiohttp.ClientResponse] = set()

    def describe(self) -> Card:
        return self._card

    async def run(self, prompt: Prompt, /) -> Completion:
        async with aclosing(self.stream(prompt)) as parts:
            return await folded(parts)

    async def stream(self, prompt: Prompt, /) -> AsyncGenerator[Part, None]:
        body = {
            "model": self._card.name,
            "messages": checked_prompt(prompt),
            "max_tokens": prompt.max_tokens,
            "temperature": prompt.temperature,
            "seed": prompt.seed,
            "stream": True,
        }
        if self._session.closed:
            raise ModelClosed
        async with (
            _request(self._session, "POST", f"{self._url}/chat/completions", body) as reply,
            aclosing(_events(reply.content)) as events,
        ):
            self._open.add(reply)
            try:
                async for event in events:
                    for choice in _items(event, "choices"):
                        part = _part(choice)
                        if part.text or part.finish:
                            yield part
                        if part.finish:
                            return
            finally:
                self._open.discard(reply)
        raise ServerFailed("the answer broke off")

    async def close(self) -> None:
        await self._session.close()
        for reply in self._open:
            reply.close()  # the session leaves who reads a reply waiting for the rest


@asynccontextmanager
async def _request(
    session: aiohttp.ClientSession, method: str, url: str, body: object = None
) -> AsyncIterator[aiohttp.ClientResponse]:
    """Make a request; what goes wrong, also while the reply is read, becomes this face's errors."""
    data = None if body is None else orjson.dumps(body)
    headers = {"content-type": "application/json"}
    try:
        async with session.request(method, url, data=data, headers=headers) as reply:
            if reply.status >= 400:
                why = _reason(await reply.content.read(_MOST_BYTES)) or f"status {reply.status}"
                raise AskRefused(why) if reply.status in (400, 413, 422) else ServerFailed(why)
            yield reply
    except TimeoutError as cause:
        raise ServerFailed(f"it was silent for {SILENCE_S:g} s") from cause
    except (aiohttp.ClientError, ValueError, OSError) as cause:
        if session.closed:  # by its owner, while it was waiting
            raise ModelClosed from cause
        raise ServerFailed(str(cause) or type(cause).__name__) from cause


async def _events(content: aiohttp.StreamReader) -> AsyncGenerator[Any, None]:
    """JSON objects of a stream of server-sent events, up to its end mark."""
    async for line in content:
        field, _, value = line.partition(b":")
        if field != b"data":
            continue  # comments keep the connection alive
        if value.strip() == b"[DONE]":
            return
        event = _parsed(value)
        if "error" in event:
            raise ServerFailed(_reason(value) or "it says no reason")
        yield event


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as cause:
        raise ServerFailed("it answers no JSON") from cause
    if not isinstance(value, dict):
        raise ServerFailed("it answers no JSON object")
    return value


def _items(value: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = value.get(name)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ServerFailed(f"its answer has no {name}")
    return found


def _part(choice: dict[str, Any]) -> Part:
    delta = choice.get("delta")
    text = delta.get("content") if isinstance(delta, dict) else None
    ended = choice.get("finish_reason")
    finish: Finish | None = None
    if ended is not None:  # servers have more reasons than OpenAI; an end is an end
        finish = "length" if ended == "length" else "stop"
    return Part(text if isinstance(text, str) else "", finish)


def _reason(raw: bytes) -> str:
    """What a server says of an error, in OpenAI's form or another."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return ""
    error = value.get("error", value) if isinstance(value, dict) else value
    said = error.get("message", "") if isinstance(error, dict) else error
    return str(said).rstrip(".")[:300]
