"""One port, several processes: work is spread, deaths are mended, and nothing is accepted twice."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator

import bittensor_core
import pytest
import uvloop

from mycelia.wire import AllowSet, Endpoint, Inbound, WireClient, WireError, WireServer, btauth
from mycelia.wire.workers import Worker, Workers

MINER = bittensor_core.Keypair.create_from_uri("//miner")
CALLER = bittensor_core.Keypair.create_from_uri("//caller")
COUNT = 3

pytestmark = pytest.mark.slow


def serve(worker: Worker) -> None:
    """The body of each worker: says who it is."""

    async def whoami(inbound: Inbound) -> bytes:
        return str(os.getpid()).encode()

    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        server = WireServer(
            MINER, {"/who": whoami}, AllowSet([CALLER.ss58_address]), replays=worker.replays()
        )
        await server.start(worker.host, worker.port, shared=True)
        await stop.wait()
        await server.stop()

    uvloop.run(run())


@pytest.fixture
async def port() -> AsyncIterator[tuple[int, Workers]]:
    workers = Workers(serve, COUNT, "127.0.0.1", 0)
    number = workers.start()
    watching = asyncio.create_task(workers.watch())
    try:
        async with asyncio.timeout(90):
            while len(await _answering(number)) < COUNT:  # noqa: ASYNC110 - other processes
                await asyncio.sleep(0.05)
        yield number, workers
    finally:
        watching.cancel()
        workers.stop()


async def _answering(port: int) -> set[bytes]:
    """Who answers to thirty new connections."""
    found = set()
    for _ in range(30):
        with contextlib.suppress(WireError):
            async with WireClient(CALLER) as client:
                endpoint = Endpoint(MINER.ss58_address, "127.0.0.1", port)
                found.add((await client.call(endpoint, "/who", b"", 20.0)).body)
    return found


async def _send(port: int, data: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    status = int((await reader.readline()).split(b" ")[1])
    writer.close()
    return status


async def test_a_request_is_accepted_by_one_worker_only(port):
    number, _ = port
    for _ in range(5):
        headers = btauth.sign_request(CALLER, "/who", b"", MINER.ss58_address).headers
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        data = f"POST /who HTTP/1.1\r\n{lines}\r\n".encode()
        statuses = await asyncio.gather(*(_send(number, data) for _ in range(30)))
        assert sorted(statuses) == [200] + [401] * 29


async def test_a_killed_worker_is_replaced(port):
    number, workers = port
    victim = workers.pids[0]
    os.kill(victim, signal.SIGKILL)
    async with asyncio.timeout(90):
        while victim in workers.pids or len(await _answering(number)) < COUNT:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert workers.restarts == 1
