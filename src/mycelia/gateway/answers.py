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
    EmbeddingRequest,
    check_vectors,
    embedding_list,
    parse_embeddings,
)
from mycelia.gateway.errors import ApiError, invalid, unsupported
from mycelia.gateway.keys import Account
from mycelia.gateway.metering import Meter, Use
from mycelia.gateway.metrics import Metrics
from mycelia.gateway.reply import Reply
from mycelia.neuron.receipts import merkle_root
from mycelia.neuron.subnet import Spec
from mycelia.wire.receipt import Receipt

_SLACK_S = 10.0
"""What a consumer may add to a subnet's deadline by reading slowly."""
PIPELINE = "text-analysis"


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
    """Handlers of chat, embeddings, typed calls and pipelines."""

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
        chat = _chat(call, request)
        async with asyncio.timeout(spec.subnet.limits.deadline_s + _SLACK_S):
            asked_s = time.monotonic()
            if request.stream:
                stream = await self._dispatcher.stream(spec.subnet, ask)
                try:
                    _name_miner(call, stream.route)
                    await self._relay(call, chat, stream, include_usage=request.include_usage)
                finally:
                    await stream.close()
                return
            answered = await self._dispatcher.fold(spec.subnet, ask)
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
        reply.begin_events()
        opening = chat.opening()
        with reply.kept_alive():
            async with aclosing(stream.batches()) as batches:
                async for pieces in batches:
                    await reply.write(opening + chat.chunks(pieces))
                    opening = b""
        if chat.finish is None:
            raise ApiError(502, "miner_failed", "The answer has no end.", "Ask again.")
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
        async with asyncio.timeout(spec.subnet.limits.deadline_s + _SLACK_S):
            asked_s = time.monotonic()
            check = check_vectors(len(request.texts))
            answered = await self._dispatcher.ask(spec.subnet, ask, check)
            answered_s = time.monotonic()
            body = embedding_list(request, _any(answered))
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
        spec = self._catalogue.specs.get(call.name)
        if spec is None:
            raise ApiError(
                404,
                "subnet_not_found",
                f"There is no subnet '{call.name[:64]}' here.",
                f"Known are: {', '.join(self._catalogue.specs)}.",
            )
        try:
            ask = spec.subnet.Ask.model_validate_json(call.body)
        except ValidationError as error:
            raise openai.from_validation(error) from None
        async with asyncio.timeout(spec.subnet.limits.deadline_s + _SLACK_S):
            answered = await self._dispatcher.ask(spec.subnet, ask)
            use = Use(call.account, spec.subnet.name, answered.route, answered.receipt)
            _note(call, await self._meter.record(use))
            _name_miner(call, answered.route)
            call.reply.whole(answered.reply.model_dump_json().encode())

    async def run(self, call: Call) -> None:
        """`POST /v1/pipelines/text-analysis`: a chat answer, and what the analysis makes of it.

        The body is a chat request, plus `classes` if the answer is to be labelled. Each step is
        answered, receipted and metered for itself; the run is known by the root over its receipts.
        """
        chats, embedders = self._catalogue.chats, self._catalogue.embedders
        if call.name != PIPELINE or not chats or not embedders:
            raise ApiError(
                404,
                "pipeline_not_found",
                f"There is no pipeline '{call.name[:64]}' here.",
                f"Known is {PIPELINE}, where its subnets are offered.",
            )
        fields = parsed_object(call.body)
        classes = fields.pop("classes", [])
        request = openai.parse_chat({"model": next(iter(chats)), **fields})
        if request.stream:
            raise unsupported("stream", "a pipeline answers as a whole")
        writer, (reads, reader) = self._catalogue.model(request.model, chats), _first(embedders)
        chat = _chat(call, request)
        deadline_s = writer.subnet.limits.deadline_s + reader.subnet.limits.deadline_s
        async with asyncio.timeout(deadline_s + _SLACK_S):
            # Checked before the first step costs anything: whether the second can be asked at all.
            openai.ask_of(reader.subnet.Ask, {"input": ["."], "classes": classes})
            ask = openai.ask_of(writer.subnet.Ask, request.fields)
            written = await self._dispatcher.fold(writer.subnet, ask)
            chat.take(_any(written))
            first = await self._record(call, chat, written.route, written.receipt)
            given = {"input": [chat.text], "classes": classes}
            check = None if classes else check_vectors(1)
            read = await self._dispatcher.ask(
                reader.subnet, openai.ask_of(reader.subnet.Ask, given), check
            )
            embedding = EmbeddingRequest(reads, [chat.text], is_base64=True)
            tokens = embedding_list(embedding, _any(read))["usage"]["prompt_tokens"]
            use = Use(call.account, reads, read.route, read.receipt, prompt_tokens=tokens)
            second = await self._meter.record(use)
        steps = [
            _step("text", written, first, chat.whole()),
            _step("analysis", read, second, read.reply.model_dump(mode="json")),
        ]
        ids = [bytes.fromhex(leaf) for leaf in (first, second) if leaf is not None]
        body = {
            "object": "pipeline.run",
            "pipeline": PIPELINE,
            "steps": steps,
            "output": steps[-1]["output"],
            "receipts_root": merkle_root(ids).hex() if len(ids) == len(steps) else None,
        }
        call.reply.whole(orjson.dumps(body))

    async def _record(
        self, call: Call, chat: openai.Chat, route: Route, receipt: Receipt
    ) -> str | None:
        usage = chat.usage()
        use = Use(
            call.account,
            chat.model,
            route,
            receipt,
            usage["prompt_tokens"],
            usage["completion_tokens"],
        )
        receipt_id = await self._meter.record(use)
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


def _chat(call: Call, request: openai.ChatRequest) -> openai.Chat:
    return openai.Chat(
        id=f"chatcmpl-{call.id}",
        model=request.model,
        created_s=int(time.time()),
        prompt_length=sum(len(turn["content"]) for turn in request.fields["messages"]),
    )


def _step(name: str, answered: Answered, receipt_id: str | None, output: Any) -> dict[str, Any]:
    return {
        "id": name,
        "subnet": answered.route.subnet,
        "miner": answered.route.endpoint.hotkey,
        "receipt_id": receipt_id,
        "receipt": answered.receipt.to_json(),
        "output": output,
    }


def _name_miner(call: Call, route: Route) -> None:
    call.reply.headers |= {"x-miner": route.endpoint.hotkey, "x-subnet": route.subnet}


def _note(call: Call, receipt_id: str | None) -> None:
    if receipt_id is not None:
        call.reply.headers["x-receipt-id"] = receipt_id


def _asks(spec: Spec, field: str) -> bool:
    return field in spec.subnet.Ask.model_fields


def _first(specs: dict[str, Spec]) -> tuple[str, Spec]:
    return next(iter(specs.items()))


def _any(answered: Answered) -> Any:
    """Return an answer whose fields are known by what its subnet asks."""
    return answered.reply
