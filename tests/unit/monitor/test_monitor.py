import asyncio
import contextlib
import json

import aiohttp
import pytest

from mycelia.monitor import Health, Metric, Monitor
from mycelia.primitives.errors import AppError


@contextlib.asynccontextmanager
async def monitoring(well=True):
    served = {"served": 3.0, "failed": 1.0}
    monitor = Monitor(
        "miner",
        lambda: [Metric.by("outcome", "mycelia_requests_total", "Requests.", served)],
        lambda: Health(well, "serving" if well else "the chain is away"),
        {"/targets": lambda: [{"targets": ["127.0.0.1:1"]}]},
    )
    port = await monitor.start(0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session, port
    await monitor.stop()


async def test_metrics_are_in_prometheus_text():
    async with monitoring() as (session, _), session.get("/metrics") as reply:
        text = await reply.text()
        assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE mycelia_requests_total counter" in text
    assert 'mycelia_requests_total{outcome="served"} 3' in text
    assert "# TYPE mycelia_up_seconds gauge" in text
    assert all(line.startswith("#") or len(line.rsplit(" ", 1)) == 2 for line in text.splitlines())


@pytest.mark.parametrize(("well", "status"), [(True, 200), (False, 503)])
async def test_health_is_a_status_and_words(well, status):
    async with monitoring(well) as (session, _), session.get("/health") as reply:
        assert reply.status == status
        assert (await reply.json())["well"] is well


async def test_documents_are_json_and_the_rest_is_not_there():
    async with monitoring() as (session, _):
        async with session.get("/targets") as reply:
            assert json.loads(await reply.text()) == [{"targets": ["127.0.0.1:1"]}]
        async with session.get("/secrets") as reply:
            assert reply.status == 404
        async with session.post("/metrics") as reply:
            assert reply.status == 405


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"x" * 20_000, b""])
async def test_bad_requests_do_not_stop_it(sent):
    async with monitoring() as (session, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        writer.write_eof()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        async with session.get("/health") as reply:
            assert reply.status == 200


async def test_a_taken_port_is_said():
    async with monitoring() as (_, port):
        with pytest.raises(AppError) as refused:
            await Monitor("other", list, lambda: Health(True, "")).start(port)
    assert refused.value.code == "port_in_use"
