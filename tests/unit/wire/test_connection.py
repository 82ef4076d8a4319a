"""Who may hold a port's connections: whoever comes, in equal shares."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import bittensor_core
import pytest

from mycelia.wire import AllowSet, Endpoint, Inbound, WireClient, WireLimits, WireServer
from mycelia.wire.buckets import Buckets
from mycelia.wire.connection import Connection, Port

MINER = bittensor_core.Keypair.create_from_uri("//miner")
CALLER = bittensor_core.Keypair.create_from_uri("//caller")
LONG_S = 30.0
LIMITS = WireLimits(connections=4, per_address=10, head_s=2 * LONG_S, idle_s=2 * LONG_S)
GREEDY = "127.0.0.2"
"""All of 127.0.0.0/8 is this machine."""

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async def echo(inbound: Inbound) -> bytes:
        return inbound.body

    server = WireServer(MINER, {"/echo": echo}, AllowSet([CALLER.ss58_address]), LIMITS)
    port = await server.start("127.0.0.1", 0)
    yield Endpoint(MINER.ss58_address, "127.0.0.1", port)
    await server.stop()


@contextlib.asynccontextmanager
async def _held(endpoint: Endpoint, *sent: bytes) -> AsyncIterator[list[Stream]]:
    """Connections of the greedy address, each after these bytes and, to a request, the answer."""
    streams = []
    for data in sent:
        reader, writer = await asyncio.open_connection(
            endpoint.host, endpoint.port, local_addr=(GREEDY, 0)
        )
        streams.append((reader, writer))
        writer.write(data)
        if data.endswith(b"\r\n\r\n"):
            assert await _status(reader) == 404
    yield streams
    for _, writer in streams:
        writer.close()


async def _status(reader: asyncio.StreamReader) -> int:
    async with asyncio.timeout(LONG_S):
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
    return int(head.split(b" ")[1])


WHOLE = b"GET / HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize("kind", [b"", b"GET / HT", WHOLE], ids=["silent", "in its head", "idle"])
async def test_one_address_cannot_hold_all_connections(endpoint, kind):
    async with _held(endpoint, kind, kind, kind, WHOLE) as held, WireClient(CALLER) as client:
        assert (await client.call(endpoint, "/echo", b"ask", LONG_S)).body == b"ask"
        # One of them made way; the others are as they were.
        ends = [asyncio.create_task(reader.read()) for reader, _ in held]
        done, _ = await asyncio.wait(ends, timeout=LONG_S, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1
        for end in ends:
            end.cancel()


async def test_who_holds_few_makes_no_way_for_who_holds_many(endpoint):
    async with WireClient(CALLER) as client:
        await client.call(endpoint, "/echo", b"ask", LONG_S)
        kept = set(client._pool._open)
        async with _held(endpoint, WHOLE, WHOLE, WHOLE):
            reader, writer = await asyncio.open_connection(
                endpoint.host, endpoint.port, local_addr=(GREEDY, 0)
            )
            assert await _status(reader) == 503
            writer.close()
            assert (await client.call(endpoint, "/echo", b"ask", LONG_S)).body == b"ask"
        assert set(client._pool._open) == kept


async def test_many_addresses_of_one_network_have_the_share_of_one():
    class Transport(asyncio.Transport):
        def __init__(self, address: str) -> None:
            super().__init__({"peername": (address, 1, 0, 0)})

    port = Port(None, LIMITS, asyncio.get_running_loop(), Buckets(1.0, 1.0), b"")
    for number in range(3):
        Connection(port).connection_made(Transport(f"2001:db8::{number}"))
    assert port.by_peer == {"2001:db8::/64": 3}
