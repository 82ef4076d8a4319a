"""Calls composed of several: each step answered, receipted and metered for itself.

There is one pipeline. A chat answer is written, translated if the caller names a pair of languages
and the gateway has a translator, and then analysed. The run is known by the Merkle root over the
receipts of its steps.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import orjson

from mycelia.gateway import openai
from mycelia.gateway.answers import SLACK_S, Call, Catalogue, chat_of, fields_of, parsed_object
from mycelia.gateway.directory import Route
from mycelia.gateway.dispatch import Dispatcher
from mycelia.gateway.embeddings import EmbeddingRequest, check_vectors, embedding_list
from mycelia.gateway.errors import ApiError, unsupported
from mycelia.gateway.metering import Meter, Use
from mycelia.gateway.translation import CALL_S, Translator
from mycelia.neuron.receipts import merkle_root
from mycelia.neuron.subnet import Request, Spec
from mycelia.wire.receipt import Receipt, Times

NAME = "text-analysis"


@dataclass(frozen=True, slots=True)
class _Plan:
    """A request that was read in full, before its first step costs anything."""

    chat: openai.ChatRequest
    writer: Spec
    ask: Request
    reads: str
    """Name of the model that analyses."""
    reader: Spec
    classes: Any
    """As sent; the reader's `Ask` has accepted them."""
    pair: str | None
    """Of languages, to translate by."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One step that was taken, and the text that the next one gets."""

    shown: dict[str, Any]
    text: str
    route: Route


class Pipeline:
    """Handler of `POST /v1/pipelines/{name}`."""

    def __init__(
        self,
        catalogue: Catalogue,
        dispatcher: Dispatcher,
        meter: Meter,
        translator: Translator | None,
    ) -> None:
        self._catalogue = catalogue
        self._dispatcher = dispatcher
        self._meter = meter
        self._translator = translator

    async def run(self, call: Call) -> None:
        """Answer a chat request, plus `classes` to label by and `translate`, a pair, if wanted."""
        plan = self._plan(call)
        deadline_s = plan.writer.subnet.limits.deadline_s + plan.reader.subnet.limits.deadline_s
        async with asyncio.timeout(deadline_s + (CALL_S if plan.pair else 0) + SLACK_S):
            steps = [await self._write(call, plan)]
            if self._translator is not None and plan.pair is not None:
                steps.append(await self._translate(call, self._translator, plan.pair, steps[0]))
            steps.append(await self._read(call, plan, steps[-1].text))
        shown = [step.shown for step in steps]
        leaves = [bytes.fromhex(step["receipt_id"]) for step in shown if step["receipt_id"]]
        body = {
            "id": f"run_{call.id}",
            "object": "pipeline.run",
            "pipeline": NAME,
            "steps": shown,
            "output": shown[-1]["output"],
            "receipts_root": merkle_root(leaves).hex() if len(leaves) == len(steps) else None,
        }
        call.reply.whole(orjson.dumps(body))

    def _plan(self, call: Call) -> _Plan:
        """Read a request. Raises ApiError."""
        chats, embedders = self._catalogue.chats, self._catalogue.embedders
        if call.name != NAME or not chats or not embedders:
            raise ApiError(
                404,
                "pipeline_not_found",
                f"There is no pipeline '{call.name[:64]}' here.",
                f"Known is {NAME}, where its subnets are offered.",
            )
        fields = parsed_object(call.body)
        classes, pair = fields.pop("classes", []), fields.pop("translate", None)
        request = openai.parse_chat({"model": next(iter(chats)), **fields})
        if request.stream:
            raise unsupported("stream", "a pipeline answers as a whole")
        pairs = self._translator.pairs if self._translator is not None else frozenset[str]()
        if pair is not None and (not isinstance(pair, str) or pair not in pairs):
            known = f"one of {', '.join(sorted(pairs))} is" if pairs else "there is no translator"
            raise unsupported("translate", known)
        writer = self._catalogue.model(request.model, chats)
        reads, reader = next(iter(embedders.items()))
        openai.ask_of(reader.subnet.Ask, {"input": ["."], "classes": classes})
        ask = openai.ask_of(writer.subnet.Ask, request.fields)
        return _Plan(request, writer, ask, reads, reader, classes, pair)

    async def _write(self, call: Call, plan: _Plan) -> _Step:
        chat = chat_of(call, plan.chat)
        checks = openai.checks_of(plan.ask)
        answered = await self._dispatcher.fold(plan.writer.subnet, plan.ask, checks)
        chat.take(fields_of(answered))
        usage = chat.usage()
        use = Use(
            call.account,
            chat.model,
            answered.route,
            answered.receipt,
            usage["prompt_tokens"],
            usage["completion_tokens"],
        )
        shown = await self._shown("text", use, chat.whole())
        return _Step(shown, chat.text, answered.route)

    async def _translate(
        self, call: Call, translator: Translator, pair: str, written: _Step
    ) -> _Step:
        """Translate what was written. The gateway is this step's miner and its caller."""
        started_ms = time.time_ns() // 1_000_000
        text = await translator.translate(written.text, pair)
        done_ms = time.time_ns() // 1_000_000
        # The id of the run makes each request, and so each receipt, another.
        asked = f"run_{call.id}\n{pair}\n{written.text}".encode()
        times = Times(started_ms, done_ms, done_ms)
        receipt = self._meter.own(asked, text.encode(), times)
        output = {"text": text, "pair": pair}
        if receipt is None:
            return _Step(_step("translation", None, None, None, output), text, written.route)
        # Booked with the step before it: it is of no subnet of its own.
        use = Use(call.account, f"apertium/{pair}", written.route, receipt)
        return _Step(await self._shown("translation", use, output), text, written.route)

    async def _read(self, call: Call, plan: _Plan, text: str) -> _Step:
        ask = openai.ask_of(plan.reader.subnet.Ask, {"input": [text], "classes": plan.classes})
        check = None if plan.classes else check_vectors(1)
        answered = await self._dispatcher.ask(plan.reader.subnet, ask, check)
        embedding = EmbeddingRequest(plan.reads, [text], is_base64=True)
        tokens = embedding_list(embedding, fields_of(answered))["usage"]["prompt_tokens"]
        use = Use(call.account, plan.reads, answered.route, answered.receipt, tokens)
        output = orjson.Fragment(answered.reply.model_dump_json())
        return _Step(await self._shown("analysis", use, output), text, answered.route)

    async def _shown(self, name: str, use: Use, output: Any) -> dict[str, Any]:
        """Record a step and return what the consumer sees of it."""
        receipt_id = await self._meter.record(use)
        receipt = use.receipt
        is_own = receipt is not None and receipt.miner == receipt.caller
        return _step(name, None if is_own else use.route.subnet, receipt, receipt_id, output)


def _step(
    name: str, subnet: str | None, receipt: Receipt | None, receipt_id: str | None, output: Any
) -> dict[str, Any]:
    return {
        "id": name,
        "subnet": subnet,
        "miner": receipt.miner if receipt else None,
        "receipt_id": receipt_id,
        "receipt": receipt.to_json() if receipt else None,
        "output": output,
    }
