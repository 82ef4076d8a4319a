"""The consumer's door: OpenAI's chat form and each subnet's own, over HTTP.

| path | answer |
|---|---|
| `POST /v1/chat/completions` | a chat completion, whole or as events |
| `GET /v1/models`, `GET /v1/models/{id}` | the chat models there are |
| `POST /v1/subnets/{name}` | any subnet: its `Ask` in, its `Answer` out, both JSON |
| `GET /healthz`, `GET /metrics` | for whoever operates it |

It listens on the local host and asks for no key: what may reach it may use it. Nothing about the
consumer (keys, addresses, names) is passed on to miners.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote

from pydantic import ValidationError

from mycelia.gateway import openai
from mycelia.gateway.directory import Directory
from mycelia.gateway.dispatch import Dispatcher, Stream
from mycelia.gateway.errors import ApiError, invalid
from mycelia.gateway.metrics import Metrics
from mycelia.gateway.reply import Reply, lines
from mycelia.neuron.subnet import Spec
from mycelia.wire import connection
from mycelia.wire.connection import Admission, Head
from mycelia.wire.contract import MIB, WireLimits
from mycelia.wire.errors import Rejection

_log = logging.getLogger(__name__)
_SLACK_S = 10.0
"""What a consumer may add to a subnet's deadline by reading slowly."""

LIMITS = WireLimits(
    body_bytes=MIB, head_bytes=32 * 1024, head_s=10.0, body_s=10.0, inflight=64, connections=512
)


@dataclass(frozen=True, slots=True)
class _Call:
    """One request as its handler sees it."""

    name: str
    """What follows the known part of the path."""
    body: bytes
    reply: Reply


_Handler = Callable[[_Call], Awaitable[None]]


class Gateway:
    """An ASGI application over some subnets."""

    def __init__(
        self,
        specs: Iterable[Spec],
        directory: Directory,
        dispatcher: Dispatcher,
        metrics: Metrics,
        limits: WireLimits = LIMITS,
    ) -> None:
        self._specs = {spec.subnet.name: spec for spec in specs}
        self._models = {
            spec.openai_model: spec for spec in self._specs.values() if spec.openai_model
        }
        self._directory = directory
        self._dispatcher = dispatcher
        self._metrics = metrics
        self._limits = limits
        self._born_s = int(time.time())
        self._routes: dict[tuple[str, str], _Handler] = {
            ("POST", "/v1/chat/completions"): self._chat,
            ("GET", "/v1/models"): self._list_models,
            ("GET", "/v1/models/"): self._get_model,
            ("POST", "/v1/subnets/"): self._ask,
            ("GET", "/healthz"): self._health,
            ("GET", "/metrics"): self._show_metrics,
        }
        self._paths = {path for _, path in self._routes}

    def refusal(self, why: Rejection) -> tuple[bytes, bytes]:
        """Return headers and body of an error found before a request was served."""
        if isinstance(why, _Refused):
            error = why.error
        else:
            error = ApiError(
                why.status, why.code, why.message, why.remedy, retry_after_s=why.retry_after_s
            )
            self._metrics.request("other", why.status)
        headers = {"content-type": "application/json", "x-request-id": _request_id()}
        return lines(headers | error.headers()), error.body()

    def admit(self, head: Head) -> Admission:
        """Decide by the head of a request whether it is served."""
        path, name = self._split(unquote(head.path))
        try:
            handler = self._handler(head.method, path)
        except ApiError as error:
            self._metrics.request(path, error.status)
            raise _Refused(error) from None
        serve = partial(self._serve, handler, path, name)
        return Admission(serve, self._limits.body_bytes, self._limits.body_s)

    async def _serve(
        self, handler: _Handler, path: str, name: str, body: bytes, made: connection.Reply
    ) -> None:
        """Answer one request; every failure ends here, as an error in OpenAI's form."""
        reply = Reply(made, {"x-request-id": _request_id()})
        self._metrics.inflight += 1
        try:
            await handler(_Call(name, body, reply))
        except ApiError as error:
            reply.error(error)
        except TimeoutError:
            reply.error(ApiError(504, "deadline_exceeded", "Too late.", "Try again."))
        except Exception:
            # The edge: whatever fails, the consumer gets an answer and the port lives on.
            _log.exception("request to %s failed", path)
            reply.error(ApiError(500, "gateway_failed", "The gateway failed on this request.", ""))
        finally:
            self._metrics.inflight -= 1
            self._metrics.request(path, reply.status or 499)

    def _split(self, path: str) -> tuple[str, str]:
        """Return the known part of a path and the rest; "other" if nothing of it is known."""
        if path in self._paths:
            return path, ""
        stem, slash, name = path.rpartition("/")
        known = stem + slash
        return (known, name) if known in self._paths and name else ("other", "")

    def _handler(self, method: str, path: str) -> _Handler:
        if path == "other":
            raise ApiError(404, "not_found", "There is nothing at this path.", "See /v1/models.")
        handler = self._routes.get((method, path))
        if handler is None:
            raise ApiError(405, "method_not_allowed", f"{method} is not served here.", "")
        if method == "POST" and self._metrics.inflight >= self._limits.inflight:
            raise ApiError(
                429, "busy", "The gateway is at its limit.", "Try again soon.", retry_after_s=1
            )
        return handler

    async def _chat(self, call: _Call) -> None:
        received_s = time.monotonic()
        request = openai.parse_chat(_json(call))
        spec = self._model(request.model)
        ask = openai.ask_of(spec.subnet.Ask, request.fields)
        chat = openai.Chat(
            id=f"chatcmpl-{secrets.token_hex(12)}",
            model=request.model,
            created_s=int(time.time()),
            prompt_length=sum(len(turn["content"]) for turn in request.fields["messages"]),
        )
        async with asyncio.timeout(spec.subnet.limits.deadline_s + _SLACK_S):
            asked_s = time.monotonic()
            if request.stream:
                stream = await self._dispatcher.stream(spec.subnet, ask)
                try:
                    self._name_miner(call, stream.route.endpoint.hotkey, spec)
                    await self._relay(call, chat, stream, include_usage=request.include_usage)
                finally:
                    await stream.close()
                return
            answered = await self._dispatcher.fold(spec.subnet, ask)
            answered_s = time.monotonic()
            # Folding has checked that this is one of the subnet's answers, with these fields.
            whole: Any = answered.reply
            chat.take(whole)
            self._name_miner(call, answered.route.endpoint.hotkey, spec)
            body = json.dumps(chat.whole(), ensure_ascii=False).encode()
            overhead_s = (asked_s - received_s) + (time.monotonic() - answered_s)
            call.reply.headers["x-gateway-overhead-ms"] = f"{overhead_s * 1000:.2f}"
            call.reply.whole(body)

    async def _relay(
        self, call: _Call, chat: openai.Chat, stream: Stream, *, include_usage: bool
    ) -> None:
        """Send the events of one answer. The status was withheld until its first piece came."""
        reply = call.reply
        reply.begin_events()
        await reply.write(chat.opening())
        async with reply.kept_alive(), aclosing(stream.pieces()) as pieces:
            async for piece in pieces:
                if event := chat.chunk(piece):
                    await reply.write(event)
        if chat.finish is None:
            raise ApiError(502, "miner_failed", "The answer has no end.", "Ask again.")
        reply.last(chat.closing(include_usage=include_usage))

    async def _ask(self, call: _Call) -> None:
        spec = self._specs.get(call.name)
        if spec is None:
            raise ApiError(
                404,
                "subnet_not_found",
                f"There is no subnet '{call.name[:64]}' here.",
                f"Known are: {', '.join(self._specs)}.",
            )
        try:
            ask = spec.subnet.Ask.model_validate_json(call.body)
        except ValidationError as error:
            raise openai.from_validation(error) from None
        async with asyncio.timeout(spec.subnet.limits.deadline_s + _SLACK_S):
            answered = await self._dispatcher.ask(spec.subnet, ask)
            self._name_miner(call, answered.route.endpoint.hotkey, spec)
            call.reply.whole(answered.reply.model_dump_json().encode())

    async def _list_models(self, call: _Call) -> None:
        models = [self._described(name, spec) for name, spec in self._models.items()]
        call.reply.whole(json.dumps({"object": "list", "data": models}).encode())

    async def _get_model(self, call: _Call) -> None:
        spec = self._model(call.name)
        call.reply.whole(json.dumps(self._described(call.name, spec)).encode())

    async def _health(self, call: _Call) -> None:
        miners = {name: len(self._directory.routes(name)) for name in self._specs}
        # Alive is one thing, useful another: an operator's probe wants to know the latter.
        status = 200 if all(miners.values()) else 503
        call.reply.whole(json.dumps({"miners": miners}).encode(), status=status)

    async def _show_metrics(self, call: _Call) -> None:
        call.reply.whole(self._metrics.text().encode(), content_type="text/plain; version=0.0.4")

    def _model(self, name: str) -> Spec:
        spec = self._models.get(name)
        if spec is None:
            raise ApiError(
                404,
                "model_not_found",
                f"There is no model '{name[:64]}' here.",
                f"Known are: {', '.join(self._models)}.",
                param="model",
            )
        return spec

    def _described(self, name: str, spec: Spec) -> dict[str, Any]:
        return {
            "id": name,
            "object": "model",
            "created": self._born_s,
            "owned_by": "network",
            "subnet": spec.subnet.name,
            "miners": len(self._directory.routes(spec.subnet.name)),
        }

    @staticmethod
    def _name_miner(call: _Call, hotkey: str, spec: Spec) -> None:
        call.reply.headers |= {"x-miner": hotkey, "x-subnet": spec.subnet.name}


class _Refused(Rejection):
    """An error of this door, on its way through the connection."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(error.status, error.code, error.message, error.remedy)
        self.error = error


def _request_id() -> str:
    return f"req_{secrets.token_hex(12)}"


def _json(call: _Call) -> dict[str, Any]:
    try:
        value = json.loads(call.body)
    except (ValueError, RecursionError):
        raise invalid("The body is not JSON.", "Send one JSON object.") from None
    if not isinstance(value, dict):
        raise invalid("The body is no JSON object.", "Send one JSON object.")
    return value
