"""From a JSON-RPC message to its reply. The edge of the RPC: whatever a method raises becomes an error reply."""

from __future__ import annotations

import logging
from asyncio import CancelledError, Future
from time import monotonic
from typing import Any, Final

import orjson

from mycelia.primitives import AppError, InvalidTransaction
from mycelia.rpc import methods as _declared  # noqa: F401  # fills the registry
from mycelia.rpc.errors import (
    BUSY,
    CLIENT_ERROR,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    PARSE_ERROR,
    RpcError,
    pool_refusal,
)
from mycelia.rpc.node import Node
from mycelia.rpc.registry import lookup
from mycelia.rpc.session import Session

log = logging.getLogger("mycelia.rpc")

BATCH_REQUESTS: Final = 1_024
BATCH_S: Final = 5.0
"""After this time the rest of a batch is refused: meanwhile nobody else is answered."""
_ABSENT: Final = object()

Reply = bytes | Future[bytes] | None


class Dispatcher:
    """Answers messages; never raises. Replies that wait for the sealer come as futures that never fail."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.answered = 0
        self.failed = 0

    def handle(self, message: bytes | str, session: Session | None) -> Reply:
        """Answer one message, a request or a batch; None if nothing is to be answered."""
        try:
            request = orjson.loads(message)
        except orjson.JSONDecodeError as cause:
            return self._failure(None, RpcError(PARSE_ERROR, "Parse error", str(cause)))
        if isinstance(request, list):
            return self._batch(request, session)
        return self._single(request, session)

    def _single(self, request: Any, session: Session | None) -> Reply:
        id_: Any = None
        try:
            id_ = _id_of(request)
            spec = lookup(request.get("method"))
            arguments = spec.arguments(request.get("params"))
            if spec.takes_session:
                arguments.insert(0, session)
            result = spec.call(self._node, *arguments)
        except Exception as cause:
            return None if id_ is _ABSENT else self._failure(id_, cause)
        if id_ is _ABSENT:
            return None
        return (
            self._later(id_, result) if isinstance(result, Future) else self._success(id_, result)
        )

    def _batch(self, requests: list[Any], session: Session | None) -> Reply:
        if not 0 < len(requests) <= BATCH_REQUESTS:
            reason = f"A batch holds 1 to {BATCH_REQUESTS} requests, this one {len(requests)}."
            return self._failure(None, RpcError(INVALID_REQUEST, "Invalid Request", reason))
        ends_at_s = monotonic() + BATCH_S
        replies = [
            self._single(request, session) if monotonic() < ends_at_s else self._too_late(request)
            for request in requests
        ]
        parts = [reply for reply in replies if reply is not None]
        waiting = [part for part in parts if isinstance(part, Future)]
        if not parts:
            return None
        if not waiting:
            return _joined(parts)
        whole: Future[bytes] = waiting[0].get_loop().create_future()
        left = len(waiting)

        def one_done(_: Future[bytes]) -> None:
            nonlocal left
            left -= 1
            if not left and not whole.done():
                whole.set_result(_joined(parts))

        for part in waiting:
            part.add_done_callback(one_done)
        return whole

    def _too_late(self, request: Any) -> bytes | None:
        try:
            id_ = _id_of(request)
        except RpcError as cause:
            return self._failure(None, cause)
        if id_ is _ABSENT:
            return None
        remedy = "Ask for the rest again, in smaller batches."
        return self._failure(id_, RpcError(BUSY, "The batch took too long", remedy))

    def _later(self, id_: Any, result: Future[Any]) -> Future[bytes]:
        reply: Future[bytes] = result.get_loop().create_future()

        def done(finished: Future[Any]) -> None:
            if reply.done():
                return
            error = CancelledError() if finished.cancelled() else finished.exception()
            if error is None:
                reply.set_result(self._success(id_, finished.result()))
            else:
                reply.set_result(self._failure(id_, error))

        result.add_done_callback(done)
        return reply

    def _success(self, id_: Any, result: Any) -> bytes:
        try:
            reply = orjson.dumps({"jsonrpc": "2.0", "id": id_, "result": result})
        except orjson.JSONEncodeError as cause:
            # A fault of the method: what it returned is no JSON, or a number beyond 64 bits.
            return self._failure(id_, cause)
        self.answered += 1
        return reply

    def _failure(self, id_: Any, cause: BaseException) -> bytes:
        self.failed += 1
        error = self._error_of(cause).to_json()
        return orjson.dumps(
            {"jsonrpc": "2.0", "id": None if id_ is _ABSENT else id_, "error": error}
        )

    def _error_of(self, cause: BaseException) -> RpcError:
        match cause:
            case RpcError():
                return cause
            case InvalidTransaction():
                return pool_refusal(cause)
            case AppError():
                return RpcError(CLIENT_ERROR, cause.message, cause.remedy)
            case CancelledError() | ConnectionError():
                return RpcError(BUSY, "The node is restarting", "Try again in a second.")
            case _:
                log.error("rpc_failed", exc_info=cause)
                return RpcError(INTERNAL_ERROR, "Internal error", type(cause).__name__)


def _id_of(request: Any) -> Any:
    """The id to echo, with its type; `_ABSENT` for a notification. Raises for what is no request."""
    if not isinstance(request, dict):
        raise RpcError(INVALID_REQUEST, "Invalid Request", "A request is a JSON object.")
    id_ = request.get("id", _ABSENT)
    if id_ is not _ABSENT and (
        isinstance(id_, bool) or not isinstance(id_, str | int | float | None)
    ):
        raise RpcError(INVALID_REQUEST, "Invalid Request", "`id` is a string or a number.")
    if id_ is _ABSENT and not isinstance(request.get("method"), str):
        raise RpcError(INVALID_REQUEST, "Invalid Request", "A request names a `method`.")
    return id_


def _joined(parts: list[bytes | Future[bytes]]) -> bytes:
    whole = (part.result() if isinstance(part, Future) else part for part in parts)
    return b"[" + b",".join(whole) + b"]"
