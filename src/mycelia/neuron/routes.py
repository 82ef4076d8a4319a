"""The routes of a miner: typed messages on one side, bytes on the other.

A miner function serves both forms of a subnet's call. One that yields pieces answers a plain call
with the pieces folded; one that returns an answer has no stream route. One marked to take batches
is called with lists.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

from mycelia.neuron.batching import Batcher
from mycelia.neuron.subnet import Context, Miner, Reply, Request, Subnet, role_of
from mycelia.wire.contract import Handler, Inbound
from mycelia.wire.errors import Rejection

_SHOWN_PROBLEMS = 3


@dataclass
class Traffic:
    """What a miner has served since it started."""

    served: int = 0
    refused: int = 0
    """Requests that did not match the subnet's schema."""
    failed: int = 0
    """Requests on which the miner's own function failed or was cancelled."""

    @property
    def requests(self) -> int:
        """All requests that passed the door."""
        return self.served + self.refused + self.failed


def routes(subnet: type[Subnet], miner: Miner, traffic: Traffic) -> Mapping[str, Handler]:
    """Handlers by path for one miner function of a subnet."""
    work = with_context(miner)
    counts = subnet.Answer.usage is not Reply.usage

    def asked(inbound: Inbound) -> Request:
        try:
            return subnet.Ask.model_validate_json(inbound.body)
        except ValidationError as error:
            traffic.refused += 1
            raise _invalid(subnet, error) from None

    async def whole(inbound: Inbound) -> bytes:
        ask = asked(inbound)
        try:
            answer = await _answer(subnet, work(ask, Context(inbound.deadline)))
            inbound.usage = answer.usage()
            body = answer.model_dump_json().encode()
        except BaseException:
            traffic.failed += 1
            raise
        traffic.served += 1
        return bytes(body)

    async def stream(inbound: Inbound) -> AsyncIterator[bytes]:
        ask = asked(inbound)
        done, sent = False, []
        try:
            # Only a miner whose call is an async generator gets this route.
            called = cast("AsyncGenerator[Any, None]", work(ask, Context(inbound.deadline)))
            async with aclosing(called) as pieces:
                async for piece in pieces:
                    if counts:
                        sent.append(piece)
                    yield piece.model_dump_json().encode()
            if counts:
                with suppress(ValueError):  # pieces that make no answer have no usage either
                    inbound.usage = subnet.Answer.fold(sent).usage()
            done = True
        finally:
            traffic.served += done
            traffic.failed += not done

    served: dict[str, Handler] = {subnet.path(): whole}
    if streams(miner):
        served[subnet.stream_path()] = stream
    return served


def batch_size(miner: Miner) -> int:
    """How many asks a miner function takes at once; 1 for most."""
    role = role_of(miner)
    return role.batch.size if role and role.batch else 1


async def _answer(subnet: type[Subnet], result: Any) -> Any:
    if isinstance(result, AsyncIterator):
        return subnet.Answer.fold([piece async for piece in result])
    return await result


def with_context(miner: Miner) -> Callable[[Any, Context], Any]:
    """The miner as a function of ask and context, whichever it takes."""
    role = role_of(miner)
    if role and role.batch:
        return Batcher(cast("Any", miner), role.batch)
    if len(inspect.signature(miner).parameters) > 1:
        return miner
    return lambda ask, _context: miner(ask)


def streams(miner: Miner) -> bool:
    """Whether a miner function yields pieces."""
    return inspect.isasyncgenfunction(miner) or inspect.isasyncgenfunction(
        getattr(miner, "__call__", None)  # noqa: B004 - an object whose call is a generator
    )


def _invalid(subnet: type[Subnet], error: ValidationError) -> Rejection:
    problems = "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'body'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_context=False, include_input=False)[
            :_SHOWN_PROBLEMS
        ]
    )
    return Rejection(
        400,
        "invalid_request",
        f"The body is not an Ask of {subnet.name}/{subnet.version}: {problems}.",
        "Send the JSON object that the subnet's Ask class describes.",
    )
