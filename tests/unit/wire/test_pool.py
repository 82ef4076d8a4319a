"""Connections to miners that come and go: kept for a while, then let go and forgotten."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from mycelia.wire import Deadline, Endpoint, Timeout
from mycelia.wire import pool as pool_module
from mycelia.wire.pool import Pool

REQUEST = b"GET / HTTP/1.1\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
LONG_S = 30.0


class Miner:
    """Answers with a head, then with a body once it is let; closes nothing by itself."""

    def __init__(self) -> None:
        self.lets = asyncio.Event()
        self.lets.set()
        self.left = asyncio.Event()
        """The other end closed a connection."""
        self.endpoint = Endpoint("", "", 0)
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(ANSWER)
                await self.lets.wait()
                writer.write(b"ok")
        self.left.set()
        writer.close()


@pytest.fixture
async def miner() -> AsyncIterator[Miner]:
    miner = Miner()
    server = await asyncio.start_server(miner.serve, "127.0.0.1", 0)
    miner.endpoint = Endpoint("", "127.0.0.1", server.sockets[0].getsockname()[1])
    yield miner
    server.close()
    for writer in miner.writers:
        writer.close()
    await asyncio.sleep(0)


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    pool = Pool(1)
    yield pool
    await pool.close()


async def _ask(pool: Pool, endpoint: Endpoint) -> bytes:
    response = await pool.send(endpoint, REQUEST, Deadline.after(LONG_S))
    try:
        return await response.read()
    finally:
        response.release()


async def _until_forgotten(pool: Pool) -> None:
    async with asyncio.timeout(LONG_S):
        while pool.known or pool.opened:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


async def test_a_connection_is_used_again(pool, miner):
    for _ in range(3):
        assert await _ask(pool, miner.endpoint) == b"ok"
        assert (pool.known, pool.opened) == (1, 1)


async def test_a_miner_that_is_not_called_any_more_is_forgotten(pool, miner, monkeypatch):
    monkeypatch.setattr(pool_module, "_KEEP_ALIVE_S", 0.05)
    assert await _ask(pool, miner.endpoint) == b"ok"
    await _until_forgotten(pool)
    async with asyncio.timeout(LONG_S):
        await miner.left.wait()
    # Who calls it again begins anew.
    assert await _ask(pool, miner.endpoint) == b"ok"


async def test_a_miner_that_was_never_reached_is_forgotten(pool, miner, monkeypatch):
    monkeypatch.setattr(pool_module, "_KEEP_ALIVE_S", 0.05)
    miner.lets.clear()
    busy = await pool.send(miner.endpoint, REQUEST, Deadline.after(LONG_S))
    with pytest.raises(Timeout):
        await pool.send(miner.endpoint, REQUEST, Deadline.after(0.05))
    busy.release()
    await _until_forgotten(pool)


async def test_calls_under_way_are_not_forgotten(pool, miner):
    miner.lets.clear()
    first = await pool.send(miner.endpoint, REQUEST, Deadline.after(LONG_S))
    second = asyncio.create_task(_ask(pool, miner.endpoint))
    await asyncio.sleep(0)
    pool._sweep()
    assert (pool.known, pool.opened) == (1, 1)
    miner.lets.set()
    assert await first.read() == b"ok"
    first.release()
    # On the same connection: the one place there is was not given twice.
    assert await second == b"ok"
    assert (pool.known, pool.opened) == (1, 1)
