"""The paths that cost something: each puts asks to miners and meters what came back.

A consumer's form of request is translated into a subnet's `Ask`, the dispatcher finds a miner, and
the answer is translated back. Nothing about the consumer (keys, addresses, names) is passed on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError

from mycelia.gateway import openai
from mycelia.gateway.directory import Route
from mycelia.gateway.dispatch import Answered, Dispatcher, Stream
from mycelia.gateway.embeddings import (
    check_vectors,
    embedding_list,
    parse_embeddings,
)
from mycelia.gateway.errors import ApiError, invalid
from mycelia.gateway.keys import Account
from mycelia.gateway.metering import Meter, Use
from mycelia.gateway.metrics import Metrics
from mycelia.gateway.reply import Reply
from mycelia.neuron.subnet import Spec
from mycelia.wire.receipt import Receipt

SLACK_S = 10.0
"""What a consumer may add to a subnet's deadline by reading slowly."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as its handler sees it."""

    id: str
    path: str
    name: str
    """What follows the known part of the path."""
    body: bytes
    reply: Reply
    account: Account


class Catalogue:
    """The subnets that a gateway offers, by what can be done with them."""

    def __init__(self, specs: Iterable[Spec]) -> None:
        self.specs = {spec.subnet.name: spec for spec in specs}
        self.models = {spec.openai_model: spec for spec in self.specs.values() if spec.openai_model}
        self.chats = {n: spec for n, spec in self.models.items() if _asks(spec, "messages")}
        self.embedders = {n: spec for n, spec in self.models.items() if _asks(spec, "input")}

    def subnet(self, name: str) -> Spec:
        """Return a subnet by its name. Raises ApiError 404."""
        if name not in self.specs:
            raise ApiError(
                404,
                "subnet_not_found",
                f"There is no subnet '{name[:64]}' here.",
                f"Known are: {', '.join(self.specs)}.",
            )
        return self.specs[name]

    def model(self, name: str, among: dict[str, Spec] | None = None) -> Spec:
        """Return the subnet behind a model's name. Raises ApiError 404, or 400 if of other use."""
        known = self.models if among is None else among
        spec = known.get(name)
        if spec is None and name in self.models:
            raise ApiError(
                400, "model_not_suitable", f"The model '{name}' is not for this path.",
                f"Suitable are: {', '.join(known) or 'none'}.", param="model",
            )  # fmt: skip
        if spec is None:
            raise ApiError(
                404, "model_not_found", f"There is no model '{name[:64]}' here.",
                f"Known are: {', '.join(known)}.", param="model",
            )  # fmt: skip
        return spec


class Answers:
    """Handlers of chat, embeddings and typed calls."""

    def __init__(
        self, catalogue: Catalogue, dispatcher: Dispatcher, meter: Meter, metrics: Metrics
    ) -> None:
        self._catalogue = catalogue
        self._dispatcher = dispatcher
        self._meter = meter
        self._metrics = metrics

    async def chat(self, call: Call) -> None:
        """`POST /v1/chat/completions`."""
        received_s = time.monotonic()
        request = openai.parse_chat(parsed_object(call.body))
        spec = self._catalogue.model(request.model, self._catalogue.chats)
        ask = openai.ask_of(spec.subnet.Ask, request.fields)
        checks = openai.checks_of(ask)
        chat = chat_of(call, request)
        async with asyncio.timeout(spec.subnet.limits.deadline_s + SLACK_S):
            asked_s = time.monotonic()
            if request.stream:
                stream = await self._dispatcher.stream(spec.subnet, ask, checks)
                try:
                    _name_miner(call, stream.route)
                    await self._relay(call, chat, stream, include_usage=request.include_usage)
                finally:
                    await stream.close()
                return
            answered = await self._dispatcher.fold(spec.subnet, ask, checks)
            answered_s = time.monotonic()
            # Folding has checked that this is one of the subnet's answers, with these fields.
            whole: Any = answered.reply
            chat.take(whole)
            await self._record(call, chat, answered.route, answered.receipt)
            overhead_s = (asked_s - received_s) + (time.monotonic() - answered_s)
            self._finish(call, chat.whole(), answered.route, overhead_s)

    async def _relay(
        self, call: Call, chat: openai.Chat, stream: Stream, *, include_usage: bool
    ) -> None:
        """Send the events of one answer. The status was withheld until its first piece came."""
        reply = call.reply
        try:
            with reply.kept_alive():
                async with aclosing(stream.batches()) as batches:
                    async for pieces in batches:
                        if reply.status:
                            await reply.write(chat.chunks(pieces))
                        else:
                            reply.begin_events(chat.opening() + chat.chunks(pieces))
            if chat.finish is None:
                raise ApiError(502, "miner_failed", "The answer has no end.", "Ask again.")
        except BaseException:
            # Above all cancellation, when the consumer has left: what it got was delivered.
            self._meter.note(_use(call, chat, stream.route, None))
            raise
        receipt_id = await self._record(call, chat, stream.route, stream.receipt)
        # A comment, which clients skip: the receipt exists only after the last piece.
        note = f": receipt {receipt_id}\n\n".encode() if receipt_id else b""
        reply.last(note + chat.closing(include_usage=include_usage))

    async def embed(self, call: Call) -> None:
        """`POST /v1/embeddings`."""
        received_s = time.monotonic()
        request = parse_embeddings(parsed_object(call.body))
        spec = self._catalogue.model(request.model, self._catalogue.embedders)
        ask = openai.ask_of(spec.subnet.Ask, {"input": request.texts})
        async with asyncio.timeout(spec.subnet.limits.deadline_s + SLACK_S):
            asked_s = time.monotonic()
            check = check_vectors(len(request.texts))
            answered = await self._dispatcher.ask(spec.subnet, ask, check)
            answered_s = time.monotonic()
            body = embedding_list(request, fields_of(answered))
            use = Use(
                call.account,
                request.model,
                answered.route,
                answered.receipt,
                prompt_tokens=body["usage"]["prompt_tokens"],
            )
            _note(call, await self._meter.record(use))
            overhead_s = (asked_s - received_s) + (time.monotonic() - answered_s)
            self._finish(call, body, answered.route, overhead_s)

    async def ask(self, call: Call) -> None:
        """`POST /v1/subnets/{name}`: the subnet's own form."""
        spec = self._catalogue.subnet(call.name)
        try:
            ask = spec.subnet.Ask.model_validate_json(call.body)
        except ValidationError as error:
            raise openai.from_validation(error) from None
        async with asyncio.timeout(spec.subnet.limits.deadline_s + SLACK_S):
            answered = await self._dispatcher.ask(spec.subnet, ask)
            use = Use(call.account, spec.subnet.name, answered.route, answered.receipt)
            _note(call, await self._meter.record(use))
            _name_miner(call, answered.route)
            call.reply.whole(answered.reply.model_dump_json().encode())

    async def _record(
        self, call: Call, chat: openai.Chat, route: Route, receipt: Receipt
    ) -> str | None:
        receipt_id = await self._meter.record(_use(call, chat, route, receipt))
        if not call.reply.status:
            _note(call, receipt_id)
        return receipt_id

    def _finish(self, call: Call, body: dict[str, Any], route: Route, overhead_s: float) -> None:
        self._metrics.overhead(call.path, overhead_s)
        _name_miner(call, route)
        call.reply.headers["x-gateway-overhead-ms"] = f"{overhead_s * 1000:.2f}"
        call.reply.whole(orjson.dumps(body))


def parsed_object(body: bytes) -> dict[str, Any]:
    """Read a body that must be one JSON object. Raises ApiError 400."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise invalid("The body is not JSON.", "Send one JSON object.") from None
    if not isinstance(value, dict):
        raise invalid("The body is no JSON object.", "Send one JSON object.")
    return value


def chat_of(call: Call, request: openai.ChatRequest) -> openai.Chat:
    """Begin the answer to a chat request."""
    return openai.Chat(
        id=f"chatcmpl-{call.id}",
        model=request.model,
        created_s=int(time.time()),
        prompt_length=sum(len(turn["content"]) for turn in request.fields["messages"]),
    )


def _use(call: Call, chat: openai.Chat, route: Route, receipt: Receipt | None) -> Use:
    used = chat.usage()
    counts = (used["prompt_tokens"], used["completion_tokens"])
    return Use(call.account, chat.model, route, receipt, *counts)


def _name_miner(call: Call, route: Route) -> None:
    call.reply.headers |= {"x-miner": route.endpoint.hotkey, "x-subnet": route.subnet}


def _note(call: Call, receipt_id: str | None) -> None:
    if receipt_id is not None:
        call.reply.headers["x-receipt-id"] = receipt_id


def _asks(spec: Spec, field: str) -> bool:
    return field in spec.subnet.Ask.model_fields


def fields_of(answered: Answered) -> Any:
    """Return an answer whose fields are known by what its subnet asks."""
    return answered.reply
