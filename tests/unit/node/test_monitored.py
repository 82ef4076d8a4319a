"""What the node's monitor port shows, over real sockets, of a sealer in this process."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from mycelia.node.config import NodeConfig
from mycelia.node.monitored import health, monitored
from mycelia.testing.blocks import ALICE, transfer
from tests.unit.node.test_sealer import Desk


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    await made.connect()
    yield made
    await made.close()


async def shown(path: str, desk: Desk, store: Path, caplog: pytest.LogCaptureFixture) -> str:
    caplog.clear()
    config = NodeConfig(is_manual=True, monitor_port=0)
    with caplog.at_level("INFO"):
        async with monitored(desk.sealer, store, config):
            (port,) = re.findall(r"monitor_listening port=(\d+)", caplog.text)
            url = f"http://127.0.0.1:{port}{path}"
            async with aiohttp.ClientSession() as session, session.get(url) as reply:
                return f"{reply.status}\n{await reply.text()}"


async def test_measures_follow_the_chain_the_pool_the_disk_and_the_rpc(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data.mdb").write_bytes(bytes(100_000))
    await desk.client.submit(transfer(desk.chain, ALICE, 0), desk.chain.height + 1)
    await desk.client.seal(2)
    await desk.client.submit(transfer(desk.chain, ALICE, 1), desk.chain.height + 1)
    await desk.client.report({"sessions": 3, "head_subscriptions": 2, "answered": 40})
    text = await shown("/metrics", desk, tmp_path, caplog)
    for line in (
        "mycelia_block_height 2",
        "mycelia_finalized_height 2",
        "mycelia_blocks_total 2",
        "mycelia_extrinsics_included_total 1",
        "mycelia_pool_extrinsics 1",
        "mycelia_rpc_processes 1",
        "mycelia_rpc_sessions 3",
        "mycelia_rpc_head_subscriptions 2",
        "mycelia_rpc_answered_total 40",
    ):
        assert f"\n{line}\n" in text, line
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("mycelia"))
    assert float(values["mycelia_store_bytes"]) >= 100_000
    assert 0 < float(values["mycelia_sealing_seconds_total"]) < 100
    assert float(values["mycelia_pool_bytes"]) > 100


async def test_a_node_is_well_while_blocks_come_and_rpc_answers(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await shown("/health", desk, tmp_path, caplog)).startswith("200")
    assert health(desk.sealer, 1.0).is_well
    desk.sealer.sealed_at_s = time.monotonic() - 60
    assert not health(desk.sealer, 1.0).is_well
    assert health(desk.sealer, 12.0).is_well, "a slot is long here"
    assert health(desk.sealer, None).is_well, "blocks come by order here"
    await desk.hang_up()
    said = await shown("/health", desk, tmp_path, caplog)
    assert said.startswith("503")
    assert "no RPC process" in said


async def test_without_a_port_nothing_listens(desk: Desk, tmp_path: Path) -> None:
    async with monitored(desk.sealer, tmp_path, NodeConfig()):
        pass
