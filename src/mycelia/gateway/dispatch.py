"""Puts an ask to miners, one after the other, until one answers.

Another miner is asked only as long as nothing of an answer was handed on: after that the consumer
gets the rest from the same miner, or an error. So no answer is ever made of two.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from mycelia.gateway.auditing import Auditors
from mycelia.gateway.directory import Directory, Route
from mycelia.gateway.errors import ApiError, no_miner, not_attested, refused_by_all
from mycelia.gateway.metrics import Metrics
from mycelia.gateway.routing import Router
from mycelia.neuron.subnet import Delta, Reply, Request, Subnet
from mycelia.wire.client import Outcome, ReplyStream
from mycelia.wire.contract import Deadline, Endpoint
from mycelia.wire.errors import (
    BadReceipt,
    Malformed,
    Refused,
    Timeout,
    Unreachable,
    WireError,
)
from mycelia.wire.receipt import Receipt

_ATTEMPTS = 4
_ASK_AT_FAULT = frozenset({400, 413, 422})

T = TypeVar("T")
# Any: only the translation that asks knows the fields of its subnet's answers.
Check = Callable[[Any], object]
"""Raises ValueError on what is no answer to the ask, though it has the form of one."""
Checks = Callable[[], Check]
"""Makes a check for one attempt, which is then told the pieces as they come."""


class Caller(Protocol):
    """The part of `WireClient` that a gateway needs."""

    async def call(
        self, endpoint: Endpoint, path: str, body: bytes, deadline_s: float
    ) -> Outcome: ...

    def stream(
        self, endpoint: Endpoint, path: str, body: bytes, deadline_s: float
    ) -> AbstractAsyncContextManager[ReplyStream]: ...


@dataclass(frozen=True, slots=True)
class Answered:
    """A complete answer whose receipt was verified, and the miner that gave it."""

    reply: Reply
    route: Route
    receipt: Receipt


class Stream:
    """A streamed answer that has begun. Iterate it once, in the task that began it; then close."""

    def __init__(
        self,
        route: Route,
        first: list[Delta],
        rest: ReplyStream,
        batches: AsyncIterator[list[bytes]],
        subnet: type[Subnet],
        attempt: _Attempt,
        came: Callable[[Reply, Receipt], None],
    ) -> None:
        """`came` is told the whole answer once it was handed on."""
        self.route = route
        self._first = first
        self._rest = rest
        self._batches = batches
        self._subnet = subnet
        self._attempt = attempt
        self._came = came

    # Any: only the subnet's own module and the translation for it know its pieces.
    async def batches(self) -> AsyncGenerator[list[Any], None]:
        """Yield the pieces as they arrive together. Raises ApiError when the miner breaks off."""
        seen = list(self._first)
        try:
            yield self._first
            async for chunks in self._batches:
                pieces = self._attempt.pieces(self._subnet, chunks)
                seen += pieces
                yield pieces
            _check_claim(self.route, self._rest.receipt)
            reply = _parsed(lambda: self._subnet.Answer.fold(seen))
            _check_usage(reply, self._rest.receipt)
        except WireError as error:
            self._attempt.failed(error)
            raise ApiError(
                502,
                "miner_failed",
                f"The miner broke off its answer: {error.code}.",
                "What came so far is incomplete; ask again.",
            ) from error
        self._attempt.succeeded()
        self._came(reply, self._rest.receipt)

    @property
    def receipt(self) -> Receipt:
        """The verified receipt, once all pieces were read."""
        return self._rest.receipt

    async def close(self) -> None:
        """Release the connection; cancels the miner's work if the answer was not complete."""
        await self._attempt.close()


class Dispatcher:
    """Chooses miners by the router, and tells it how they did."""

    def __init__(
        self,
        directory: Directory,
        caller: Caller,
        router: Router,
        metrics: Metrics,
        auditors: Auditors | None = None,
    ) -> None:
        self._directory = directory
        self._caller = caller
        self._router = router
        self._metrics = metrics
        self._auditors = auditors or Auditors()

    async def ask(self, subnet: type[Subnet], ask: Request, check: Check | None = None) -> Answered:
        """Get one complete answer. Raises ApiError 503 or 504 when no miner gives one.

        An answer on which `check` raises ValueError is none.
        """
        body = ask.model_dump_json().encode()

        async def one(attempt: _Attempt) -> Answered:
            async with asyncio.timeout(attempt.patience_s):
                outcome = await self._caller.call(
                    attempt.route.endpoint, subnet.path(), body, attempt.deadline.remaining()
                )
            attempt.answered()
            _check_claim(attempt.route, outcome.receipt)
            reply = _parsed(lambda: subnet.Answer.model_validate_json(outcome.body))
            _check_usage(reply, outcome.receipt)
            if check is not None:
                _parsed(lambda: check(reply))
            attempt.succeeded()
            await attempt.close()
            self._auditors.offer(subnet, ask, reply, attempt.route, outcome.receipt)
            return Answered(reply, attempt.route, outcome.receipt)

        return await self._first_success(subnet, one)

    async def fold(
        self, subnet: type[Subnet], ask: Request, checks: Checks | None = None
    ) -> Answered:
        """Get one complete answer as `ask` does, by stream: a slow answer shows that it is alive.

        Nothing is handed on before the whole is there, so a miner that breaks off is replaced.
        """
        body = ask.model_dump_json().encode()

        async def one(attempt: _Attempt) -> Answered:
            attempt.check = checks and checks()
            pieces, rest, batches = await self._begin(subnet, body, attempt)
            async for chunks in batches:
                pieces += attempt.pieces(subnet, chunks)
            _check_claim(attempt.route, rest.receipt)
            reply = _parsed(lambda: subnet.Answer.fold(pieces))
            _check_usage(reply, rest.receipt)
            attempt.succeeded()
            await attempt.close()
            self._auditors.offer(subnet, ask, reply, attempt.route, rest.receipt)
            return Answered(reply, attempt.route, rest.receipt)

        return await self._first_success(subnet, one)

    async def stream(
        self, subnet: type[Subnet], ask: Request, checks: Checks | None = None
    ) -> Stream:
        """Return an answer as soon as its first piece is there. The caller must close it."""
        body = ask.model_dump_json().encode()

        async def one(attempt: _Attempt) -> Stream:
            attempt.check = checks and checks()
            first, rest, batches = await self._begin(subnet, body, attempt)

            def came(reply: Reply, receipt: Receipt) -> None:
                self._auditors.offer(subnet, ask, reply, attempt.route, receipt)

            return Stream(attempt.route, first, rest, batches, subnet, attempt, came)

        return await self._first_success(subnet, one)

    async def _begin(
        self, subnet: type[Subnet], body: bytes, attempt: _Attempt
    ) -> tuple[list[Delta], ReplyStream, AsyncIterator[list[bytes]]]:
        async with asyncio.timeout(attempt.patience_s):
            reply = await attempt.open(
                self._caller.stream(
                    attempt.route.endpoint,
                    subnet.stream_path(),
                    body,
                    attempt.deadline.remaining(),
                )
            )
            batches = reply.batches()
            chunks = await anext(batches, None)
        if chunks is None:
            raise _malformed()
        attempt.answered()
        return attempt.pieces(subnet, chunks), reply, batches

    async def _first_success(
        self, subnet: type[Subnet], one: Callable[[_Attempt], Awaitable[T]]
    ) -> T:
        """Try miners in the router's order. On success the attempt is left to the caller."""
        deadline = Deadline.after(subnet.limits.deadline_s)
        routes = self._router.order(self._directory.routes(subnet.name))[:_ATTEMPTS]
        if not routes and (withheld := self._directory.withheld(subnet.name)):
            raise not_attested(subnet.name, withheld)
        reasons: list[str] = []
        refusals: list[Refused] = []
        for index, route in enumerate(routes):
            remaining_s = deadline.remaining()
            # The last in line gets all the time there is: no one is left to ask instead.
            is_last = index == len(routes) - 1
            patience_s = (
                remaining_s
                if is_last
                else self._router.patience_s(route, min(remaining_s, subnet.limits.first_byte_s))
            )
            attempt = _Attempt(route, self._router, self._metrics, deadline, patience_s)
            try:
                return await one(attempt)
            except (WireError, TimeoutError) as error:
                if isinstance(error, Refused) and error.status in _ASK_AT_FAULT:
                    # Nor is it to blame if another answers: that one may answer anything with nonsense.
                    attempt.refused(error)
                    refusals.append(error)
                else:
                    attempt.failed(error)
                reasons.append(f"uid {route.uid}: {getattr(error, 'code', 'too_slow')}")
                await attempt.close()
            except BaseException:
                # Above all cancellation: the consumer is gone, so must be the work for it.
                await attempt.close()
                raise
        codes = {refusal.code for refusal in refusals}
        if len(codes) == 1 and len(refusals) == len(reasons):
            raise refused_by_all(refusals[0])
        if deadline.remaining() <= 0:
            raise ApiError(
                504,
                "deadline_exceeded",
                f"No miner of subnet '{subnet.name}' answered in {subnet.limits.deadline_s:g} s.",
                "Try again, or ask for less.",
            )
        raise no_miner(subnet.name, reasons)


class _Attempt:
    """One request to one miner: its share of the time, its connection, and its report."""

    def __init__(
        self,
        route: Route,
        router: Router,
        metrics: Metrics,
        deadline: Deadline,
        patience_s: float,
    ) -> None:
        self.route = route
        self.deadline = deadline
        self.patience_s = patience_s
        self.check: Check | None = None
        self._router = router
        self._metrics = metrics
        self._started_s = time.monotonic()
        self._reply: AbstractAsyncContextManager[ReplyStream] | None = None
        self._is_over = False
        router.began(route)

    async def open(self, reply: AbstractAsyncContextManager[ReplyStream]) -> ReplyStream:
        """Enter a reply that `close` leaves."""
        stream = await reply.__aenter__()
        self._reply = reply
        return stream

    def pieces(self, subnet: type[Subnet], chunks: list[bytes]) -> list[Delta]:
        """Read what arrived together. Raises `Malformed`."""
        piece, check = subnet.Piece, self.check
        if piece is None:
            raise _malformed()
        pieces: list[Delta] = _parsed(
            lambda: [piece.model_validate_json(chunk) for chunk in chunks]
        )
        if check is not None:
            _parsed(lambda: check(pieces))
        return pieces

    def answered(self) -> None:
        first_byte_s = time.monotonic() - self._started_s
        self._router.answered(self.route, first_byte_s)
        self._metrics.first_byte(self.route.subnet, first_byte_s)

    def succeeded(self) -> None:
        self._router.succeeded(self.route)
        self._metrics.attempt(self.route.subnet, "ok")

    def failed(self, error: Exception) -> None:
        """Report a failure, by what it says about the miner."""
        if isinstance(error, Refused) and error.is_capacity:
            self._router.rest(self.route, error.retry_after_s or 1)
        elif isinstance(error, BadReceipt):
            self._router.failed(self.route, at_once=True)
        elif isinstance(error, Timeout | TimeoutError):
            self._router.stalled(self.route, time.monotonic() - self._started_s)
        else:
            self._router.failed(self.route, at_once=isinstance(error, Unreachable))
        self._metrics.attempt(self.route.subnet, getattr(error, "code", "too_slow"))

    def refused(self, error: Refused) -> None:
        """Report that the miner found fault with the ask."""
        self._metrics.attempt(self.route.subnet, error.code)

    async def close(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._router.ended(self.route)
        if self._reply is not None:
            await self._reply.__aexit__(None, None, None)


def _check_claim(route: Route, receipt: Receipt) -> None:
    """Raise unless the answer was given under the claim for which the miner was chosen."""
    if route.claim is not None and receipt.claim != route.claim:
        raise BadReceipt(
            "wrong_claim",
            "The miner did not answer under the manifest that validators attest.",
            "Ask another miner.",
        )


def _check_usage(reply: Reply, receipt: Receipt) -> None:
    """Raise unless the receipt states what the answer itself shows to have been used."""
    if receipt.usage is not None and receipt.usage != reply.usage():
        raise _malformed()


def _parsed(parse: Callable[[], T]) -> T:
    """Run a parser over a miner's words; what it cannot parse is the miner's fault."""
    try:
        return parse()
    except (ValidationError, ValueError) as error:
        raise _malformed() from error


def _malformed() -> Malformed:
    return Malformed(
        "malformed_answer", "The miner's reply is no answer of its subnet.", "Ask another miner."
    )
