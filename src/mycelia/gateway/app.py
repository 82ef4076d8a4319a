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
from typing import Any

from pydantic import ValidationError

from mycelia.gateway import openai
from mycelia.gateway.directory import Directory
from mycelia.gateway.dispatch import Dispatcher, Stream
from mycelia.gateway.errors import ApiError, invalid
from mycelia.gateway.metrics import Metrics
from mycelia.gateway.reply import Reply
from mycelia.neuron.subnet import Spec
from mycelia.wire.body import linger, read_body
from mycelia.wire.contract import MIB, WireLimits
from mycelia.wire.errors import Rejection
from mycelia.wire.hangup import Hangup, Receive
from mycelia.wire.listener import Scope, Send

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
    receive: Receive
    reply: Reply
    hangup: Hangup


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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry: every failure ends here, as an error in OpenAI's form."""
        if scope["type"] != "http":
            return
        path, name = self._split(scope["path"])
        reply = Reply(send, {"x-request-id": f"req_{secrets.token_hex(12)}"})
        hangup = Hangup(receive)
        self._metrics.inflight += 1
        try:
            await self._handler(scope["method"], path)(_Call(name, receive, reply, hangup))
        except ApiError as error:
            await reply.error(error)
            if error.status == 413:
                await linger(receive)
            await reply.end()
        except TimeoutError:
            # A consumer that reads too slowly has no room for a last word either.
            if not reply.status:
                await reply.error(ApiError(504, "deadline_exceeded", "Too late.", "Try again."))
                await reply.end()
        except asyncio.CancelledError:
            if not hangup.happened:
                raise
        except Exception:
            # The edge: whatever fails, the consumer gets an answer and the port lives on.
            _log.exception("request to %s failed", path)
            await reply.error(
                ApiError(500, "gateway_failed", "The gateway failed on this request.", "")
            )
            await reply.end()
        finally:
            hangup.close()
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
        if method == "POST" and self._metrics.inflight > self._limits.inflight:
            raise ApiError(
                429, "busy", "The gateway is at its limit.", "Try again soon.", retry_after_s=1
            )
        return handler

    async def _chat(self, call: _Call) -> None:
        received_s = time.monotonic()
        request = openai.parse_chat(await self._json(call))
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
            call.hangup.close()
            await call.reply.whole(body)

    async def _relay(
        self, call: _Call, chat: openai.Chat, stream: Stream, *, include_usage: bool
    ) -> None:
        """Send the events of one answer. The status was withheld until its first piece came."""
        reply = call.reply
        await reply.begin_events()
        await reply.write(chat.opening())
        async with reply.kept_alive(), aclosing(stream.pieces()) as pieces:
            async for piece in pieces:
                if event := chat.chunk(piece):
                    await reply.write(event)
        if chat.finish is None:
            raise ApiError(502, "miner_failed", "The answer has no end.", "Ask again.")
        call.hangup.close()
        await reply.write(chat.closing(include_usage=include_usage))
        await reply.end()

    async def _ask(self, call: _Call) -> None:
        spec = self._specs.get(call.name)
        if spec is None:
            raise ApiError(
                404,
                "subnet_not_found",
                f"There is no subnet '{call.name[:64]}' here.",
                f"Known are: {', '.join(self._specs)}.",
            )
        body = await self._body(call)
        try:
            ask = spec.subnet.Ask.model_validate_json(body)
        except ValidationError as error:
            raise openai.from_validation(error) from None
        call.hangup.watch()
        async with asyncio.timeout(spec.subnet.limits.deadline_s + _SLACK_S):
            answered = await self._dispatcher.ask(spec.subnet, ask)
            self._name_miner(call, answered.route.endpoint.hotkey, spec)
            call.hangup.close()
            await call.reply.whole(answered.reply.model_dump_json().encode())

    async def _list_models(self, call: _Call) -> None:
        models = [self._described(name, spec) for name, spec in self._models.items()]
        await call.reply.whole(json.dumps({"object": "list", "data": models}).encode())

    async def _get_model(self, call: _Call) -> None:
        spec = self._model(call.name)
        await call.reply.whole(json.dumps(self._described(call.name, spec)).encode())

    async def _health(self, call: _Call) -> None:
        miners = {name: len(self._directory.routes(name)) for name in self._specs}
        # Alive is one thing, useful another: an operator's probe wants to know the latter.
        status = 200 if all(miners.values()) else 503
        await call.reply.whole(json.dumps({"miners": miners}).encode(), status=status)

    async def _show_metrics(self, call: _Call) -> None:
        await call.reply.whole(
            self._metrics.text().encode(), content_type="text/plain; version=0.0.4"
        )

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

    async def _json(self, call: _Call) -> dict[str, Any]:
        body = await self._body(call)
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            raise invalid("The body is not JSON.", "Send one JSON object.") from None
        if not isinstance(value, dict):
            raise invalid("The body is no JSON object.", "Send one JSON object.")
        call.hangup.watch()
        return value

    async def _body(self, call: _Call) -> bytes:
        try:
            return await read_body(call.receive, self._limits.body_bytes, self._limits.body_s)
        except Rejection as why:
            raise ApiError(why.status, why.code, why.message, why.remedy) from None
