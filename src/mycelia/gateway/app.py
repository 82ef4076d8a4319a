"""The consumer's door: OpenAI's forms and each subnet's own, over HTTP.

| path | answer |
|---|---|
| `POST /v1/chat/completions` | a chat completion, whole or as events |
| `POST /v1/embeddings` | vectors of texts |
| `GET /v1/models`, `GET /v1/models/{id}` | the models there are, with the claims that hold |
| `POST /v1/subnets/{name}` | any subnet: its `Ask` in, its `Answer` out, both JSON |
| `GET /v1/subnets/{name}` | the form of both, and the claims that hold |
| `POST /v1/pipelines/text-analysis` | a chat answer, translated if wanted, and its analysis |
| `GET /v1/receipts/{id}` | a receipt, and the proof that it is in the books |
| `GET /v1/usage` | what the key's account used |
| `GET /health`, `GET /metrics` | for whoever operates it |

Who may use it says `keys`; without keys, whoever reaches it may.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import asdict
from functools import partial
from itertools import count
from typing import Any, TypeVar
from urllib.parse import unquote

from mycelia.gateway.answers import Answers, Call, Catalogue
from mycelia.gateway.directory import Directory
from mycelia.gateway.dispatch import Dispatcher
from mycelia.gateway.errors import ApiError
from mycelia.gateway.keys import OPEN, Account, Keys
from mycelia.gateway.metering import Meter
from mycelia.gateway.metrics import Metrics
from mycelia.gateway.pipeline import Pipeline
from mycelia.gateway.reply import Reply, lines
from mycelia.gateway.translation import Translator
from mycelia.neuron.receipts import ReceiptBook, ReceiptError
from mycelia.neuron.subnet import Spec
from mycelia.wire import connection
from mycelia.wire.connection import Admission, Head
from mycelia.wire.contract import MIB, WireLimits
from mycelia.wire.errors import Rejection

_log = logging.getLogger(__name__)

LIMITS = WireLimits(
    body_bytes=MIB, head_bytes=32 * 1024, head_s=10.0, body_s=10.0, inflight=64, connections=512
)

T = TypeVar("T")
_LOOKUPS = 4
"""Receipts and sums that are looked up at once: each takes a thread and reads much of a file."""

_Handler = Callable[[Call], Awaitable[None]]


class Gateway:
    """An application over some subnets, for a `Listener`."""

    def __init__(
        self,
        specs: Iterable[Spec],
        directory: Directory,
        dispatcher: Dispatcher,
        metrics: Metrics,
        limits: WireLimits = LIMITS,
        *,
        keys: Keys | None = None,
        meter: Meter | None = None,
        translator: Translator | None = None,
    ) -> None:
        self._catalogue = Catalogue(specs)
        self._directory = directory
        self._metrics = metrics
        self._limits = limits
        self._keys = keys or Keys()
        self._meter = meter or Meter(metrics)
        self._born_s = int(time.time())
        self._ids = _request_ids()
        self._lookups: set[asyncio.Task[Any]] = set()
        answers = Answers(self._catalogue, dispatcher, self._meter, metrics)
        pipeline = Pipeline(self._catalogue, dispatcher, self._meter, translator)
        self._routes: dict[tuple[str, str], _Handler] = {
            ("POST", "/v1/chat/completions"): answers.chat,
            ("POST", "/v1/embeddings"): answers.embed,
            ("POST", "/v1/subnets/"): answers.ask,
            ("POST", "/v1/pipelines/"): pipeline.run,
            ("GET", "/v1/models"): self._list_models,
            ("GET", "/v1/models/"): self._get_model,
            ("GET", "/v1/subnets/"): self._get_subnet,
            ("GET", "/v1/receipts/"): self._get_receipt,
            ("GET", "/v1/usage"): self._get_usage,
            ("GET", "/health"): self._health,
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
        self._metrics.refused(error.code)
        headers = {
            "content-type": "application/json",
            "x-request-id": f"req_{next(self._ids)}",
        }
        return lines(headers | error.headers()), error.body()

    def admit(self, head: Head) -> Admission:
        """Decide by the head of a request whether it is served, and on whose account."""
        path, name = self._split(unquote(head.path))
        try:
            handler = self._handler(head.method, path)
            account = OPEN
            if path == "/metrics" and not _is_local(head.peer):
                raise ApiError(
                    403, "local_only", "Metrics are for this machine.", "Read them on 127.0.0.1."
                )
            if path.startswith("/v1/"):
                account = self._keys.account(head.headers.get(b"authorization"))
        except ApiError as error:
            self._metrics.request(path, error.status)
            raise _Refused(error) from None
        serve = partial(self._serve, handler, path, name, account)
        return Admission(serve, self._limits.body_bytes, self._limits.body_s)

    async def _serve(
        self,
        handler: _Handler,
        path: str,
        name: str,
        account: Account,
        body: bytes,
        made: connection.Reply,
    ) -> None:
        """Answer one request; every failure ends here, as an error in OpenAI's form."""
        request_id = next(self._ids)
        reply = Reply(made, {"x-request-id": f"req_{request_id}"})
        started_s = time.monotonic()
        self._metrics.inflight += 1
        try:
            if self._metrics.inflight > self._limits.inflight and body:
                raise _busy()  # Others were admitted while this one's body was under way.
            await handler(Call(request_id, path, name, body, reply, account))
        except ApiError as error:
            self._fail(reply, error)
        except TimeoutError:
            self._fail(reply, ApiError(504, "deadline_exceeded", "Too late.", "Try again."))
        except Exception:
            # The edge: whatever fails, the consumer gets an answer and the port lives on.
            _log.exception("request to %s failed", path)
            said = "The gateway failed on this request."
            self._fail(reply, ApiError(500, "gateway_failed", said, "Tell its operator the id."))
        finally:
            self._metrics.inflight -= 1
            self._metrics.request(path, reply.status or 499, time.monotonic() - started_s)

    def _fail(self, reply: Reply, error: ApiError) -> None:
        self._metrics.refused(error.code)
        reply.error(error)

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
            known = " or ".join(verb for verb, route in self._routes if route == path)
            raise ApiError(
                405, "method_not_allowed", f"{method} is not served here.", f"Use {known}."
            )
        if method == "POST" and self._metrics.inflight >= self._limits.inflight:
            raise _busy()
        return handler

    async def _list_models(self, call: Call) -> None:
        models = [self._described(name, spec) for name, spec in self._catalogue.models.items()]
        call.reply.whole(json.dumps({"object": "list", "data": models}).encode())

    async def _get_model(self, call: Call) -> None:
        described = self._described(call.name, self._catalogue.model(call.name))
        call.reply.whole(json.dumps(described).encode())

    async def _get_subnet(self, call: Call) -> None:
        subnet = self._catalogue.subnet(call.name).subnet
        body = {
            "id": subnet.name,
            "object": "subnet",
            "miners": len(self._directory.routes(subnet.name)),
            "claims": self._claims(subnet.name),
            "ask": subnet.Ask.model_json_schema(),
            "answer": subnet.Answer.model_json_schema(),
        }
        call.reply.whole(json.dumps(body).encode())

    def _described(self, name: str, spec: Spec) -> dict[str, Any]:
        claims = self._claims(spec.subnet.name)
        described: dict[str, Any] = {
            "id": name,
            "object": "model",
            "created": self._born_s,
            "owned_by": "network",
            "subnet": spec.subnet.name,
            "miners": len(self._directory.routes(spec.subnet.name)),
            "claims": claims,
        }
        if claims:
            described["context_length"] = min(claim["context"] for claim in claims)
        return described

    def _claims(self, subnet: str) -> list[dict[str, Any]]:
        """What miners of a subnet say that they run, and validators attest: each with who does."""
        claims: dict[bytes, dict[str, Any]] = {}
        for route in self._directory.routes(subnet):
            if route.manifest is not None and route.claim is not None:
                # What distinguishes two claims is what they say, not who says it.
                said = route.manifest.model_dump(exclude={"miner", "subnet"})
                shown = claims.setdefault(json.dumps(said).encode(), said | {"miners": []})
                shown["miners"].append(route.endpoint.hotkey)
        return list(claims.values())

    async def _get_receipt(self, call: Call) -> None:
        book = self._meter.book
        try:
            if book is None:
                raise ReceiptError("receipts_off", "No receipts are kept here.", "Ask elsewhere.")
            # In a thread: a proof reads all leaves of its epoch.
            look = partial(asyncio.to_thread, _proven, book, bytes.fromhex(call.name))
            body = await self._found(look)
        except (ReceiptError, ValueError):
            raise ApiError(
                404, "receipt_not_found", "There is no such receipt here.", "Check its id."
            ) from None
        call.reply.whole(json.dumps(body).encode())

    async def _get_usage(self, call: Call) -> None:
        models = await self._found(partial(self._meter.usage, call.account))
        call.reply.whole(json.dumps({"account": call.account.name, "models": models}).encode())

    async def _found(self, look: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Look up what is slow to find, in one of few places. Raises ApiError 429."""
        if len(self._lookups) >= _LOOKUPS:
            raise _busy()
        lookup = asyncio.create_task(look())
        self._lookups.add(lookup)
        lookup.add_done_callback(self._lookups.discard)
        # A consumer that leaves ends no thread, so its place stays taken until that is through.
        return await asyncio.shield(lookup)

    async def _health(self, call: Call) -> None:
        known = self._miners()
        # Alive is one thing, useful another: an operator's probe wants to know the latter.
        status = 200 if all(offered for offered, _ in known.values()) else 503
        body = {
            "miners": {name: offered for name, (offered, _) in known.items()},
            "not_attested": {name: withheld for name, (_, withheld) in known.items()},
        }
        call.reply.whole(json.dumps(body).encode(), status=status)

    async def _show_metrics(self, call: Call) -> None:
        text = self._metrics.text(self._miners())
        call.reply.whole(text.encode(), content_type="text/plain; version=0.0.4")

    def _miners(self) -> dict[str, tuple[int, int]]:
        """How many miners of each subnet are offered, and how many are withheld."""
        found = self._directory
        return {
            name: (len(found.routes(name)), found.withheld(name)) for name in self._catalogue.specs
        }


def _proven(book: ReceiptBook, leaf: bytes) -> dict[str, Any]:
    """Return a receipt as JSON, with its proof if its epoch is over. Raises ReceiptError."""
    statement = book.find(leaf)
    body: dict[str, Any] = {
        "id": leaf.hex(),
        "receipt": statement.receipt.to_json(),
        "counter_scheme": statement.scheme,
        "counter_signature": "0x" + statement.signature.hex(),
        "proof": None,
    }
    try:
        proof, root = book.proof(leaf)
    except ReceiptError:
        return body  # The epoch is still open: the proof comes with its end.
    path = [node.hex() for node in proof.path]
    body["proof"] = {"index": proof.index, "count": proof.count, "path": path}
    body["root"] = {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in asdict(root).items()
    }
    return body


def _busy() -> ApiError:
    return ApiError(429, "busy", "The gateway is at its limit.", "Try again soon.", retry_after_s=1)


def _is_local(peer: str) -> bool:
    return peer == "::1" or peer.removeprefix("::ffff:").startswith("127.")


def _request_ids() -> Iterator[str]:
    """Ids that are of no other process, without asking the system for each."""
    process = secrets.token_hex(8)
    return (f"{process}{number:08x}" for number in count())


class _Refused(Rejection):
    """An error of this door, on its way through the connection."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(error.status, error.code, error.message, error.remedy)
        self.error = error
