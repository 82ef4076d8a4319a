"""What a miner sees of a request does not say whether a consumer or a validator asks."""

import asyncio
import contextlib
import random
import re

from mycelia.neuron.sampler import Round, Sampler
from mycelia.neuron.voices import Voices, drawn
from mycelia.wire.client import WireClient
from mycelia.wire.contract import Endpoint
from mycelia.wire.errors import WireError
from tests.unit.neuron.kit import Sum, keypair, neuron

VALIDATORS = [keypair(name) for name in ("V1", "V2", "V3")]
MINER = keypair("miner")


@contextlib.asynccontextmanager
async def listening():
    """A port that keeps the heads of requests and answers none of them."""
    heads = []

    async def keep(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError):
            heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.close()

    server = await asyncio.start_server(keep, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heads


def form(head):
    """A head without what differs between any two requests."""
    line, *fields = head.strip().split("\r\n")
    names = [field.partition(":")[0] for field in fields]
    return re.sub(r"\d{3,}", "N", line), names


def field(head, name):
    return re.search(rf"(?i)^{name}: *(.*?)\r$", head, re.MULTILINE).group(1)


async def test_consumers_and_validators_requests_look_alike():
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(WireClient(key)) for key in VALIDATORS]
        port, organic = await stack.enter_async_context(listening())
        endpoint = Endpoint(MINER.ss58_address, "127.0.0.1", port)
        body = Sum.Ask(a=1, b=2).model_dump_json().encode()
        voices = Voices(clients)
        for _ in range(40):
            with contextlib.suppress(WireError):
                if random.random() < 0.5:
                    await voices.call(endpoint, Sum.path(), body, Sum.limits.deadline_s)
                else:
                    async with voices.stream(
                        endpoint, Sum.stream_path(), body, Sum.limits.deadline_s
                    ) as chunks:
                        async for _ in chunks:
                            pass
        consumers = list(organic)
        organic.clear()
        target = neuron(1, MINER.ss58_address, port=port)
        for number in range(40):
            sampler = Sampler(Sum(None), clients[number % 3])
            await sampler.run(Round(number, b"%d" % number, [target]))
        tests = list(organic)
    assert {str(form(head)) for head in consumers} == {str(form(head)) for head in tests}
    callers = {key.ss58_address for key in VALIDATORS}
    for heads in (consumers, tests):
        assert {field(head, "X-Bittensor-Hotkey") for head in heads} == callers
        deadlines = [int(field(head, "X-Deadline-Ms")) for head in heads]
        most = 1000 * Sum.limits.deadline_s
        # What is left of a draw when the request goes out.
        assert 0.6 * most < min(deadlines) < 0.95 * most < max(deadlines) <= most


def test_deadlines_are_never_longer_than_allowed():
    assert all(9.0 <= drawn(10.0) <= 10.0 for _ in range(100))
