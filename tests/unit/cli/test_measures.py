"""What `up` shows on its port, over real sockets."""

import asyncio
import json

import aiohttp
import pytest
from rich.console import Console

from mycelia.cli.up import measures
from mycelia.cli.up.plan import (
    GATEWAY,
    NODE,
    VALIDATORS,
    Folder,
    MinerPlan,
    Options,
    Plan,
    Record,
    SubnetPlan,
)
from mycelia.cli.up.run import _Network
from mycelia.cli.up.supervisor import Program, Supervisor
from mycelia.cli.up.watch import Row, Snapshot, SubnetState
from mycelia.monitor import Health, Monitor
from mycelia.neuron.events import StatusFile
from mycelia.primitives.errors import AppError

MINER = MinerPlan("vision-a", "vision", "a", honest=True)


def plan(folder):
    return Plan(Options(folder), (SubnetPlan("vision", (MINER,)),), Folder(folder))


def snapshot(paid_epochs):
    miner = Row("vision-a", "honest", 1, True, 0.9, 0.5, 0.0, 10**9, 7)
    owner = Row("vision-owner", "owner", 0, True, None, 0.0, 0.0, 0, None)
    subnet = SubnetState("vision", 1, 6, 3, 1, 1, 0.5, paid_epochs, (miner, owner))
    return Snapshot(9, 5 * 10**9, (subnet,))


@pytest.fixture
async def network(tmp_path):
    """A network whose processes sleep."""
    folder = Folder(tmp_path)
    folder.make(fresh=False)
    made = _Network(plan(tmp_path), {}, Record(ports={NODE: 18100}), Console(), 0.0)
    made.supervisor = Supervisor(folder.logs, on_give_up=print)
    for name in (NODE, GATEWAY, *VALIDATORS, MINER.name):
        await made.supervisor.start(Program(name, ("sleep", "60")))
    made.room = type("Room", (), {"is_full": False})()
    yield made
    await made.supervisor.stop(0.5)


async def asked(network, path):
    monitor = Monitor("up", network._metrics, network._health, {"/targets": network._targets})
    url = f"http://127.0.0.1:{await monitor.start(0)}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as reply:
        text = await reply.text()
    await monitor.stop()
    return reply.status, text


async def test_processes_restarts_and_paid_epochs_are_measured(network):
    network.snapshot = snapshot(4)
    network.supervisor.children[MINER.name].restarts = 2
    _, text = await asked(network, "/metrics")
    for line in (
        'mycelia_process_running{process="node"} 1',
        'mycelia_process_restarts_total{process="vision-a"} 2',
        'mycelia_paid_epochs_total{subnet="vision"} 4',
        'mycelia_incentive{subnet="vision",miner="vision-a",role="honest"} 0.5',
        "mycelia_chain_height 9",
        "mycelia_issuance_tao 5",
    ):
        assert f"\n{line}\n" in text, line
    assert "vision-owner" not in text


async def test_before_the_first_look_processes_are_measured_all_the_same(network):
    _, text = await asked(network, "/metrics")
    assert 'mycelia_process_running{process="gateway"} 1' in text
    assert "mycelia_chain_height" not in text


async def test_it_is_well_once_it_paid_and_while_what_is_needed_runs(network):
    status, text = await asked(network, "/health")
    assert (status, json.loads(text)["state"]) == (503, "no paid epoch yet")
    network.snapshot = snapshot(1)
    assert (await asked(network, "/health"))[0] == 200
    network.trouble = "chain_away"
    assert "chain_away" in (await asked(network, "/health"))[1]
    network.room.is_full = True
    assert "the disk is full" in (await asked(network, "/health"))[1]
    for name in (MINER.name, "validator-2"):
        network.supervisor.children[name].process.kill()
        await network.supervisor.children[name].process.wait()
    status, text = await asked(network, "/health")
    assert (status, json.loads(text)["state"]) == (503, "not running: validator-2")


async def test_targets_are_what_prometheus_discovers(network):
    StatusFile(network.plan.folder.status(MINER.name)).write(monitor_port=4711)
    StatusFile(network.plan.folder.status("validator-1")).write(monitor_port=0)
    _, text = await asked(network, "/targets")
    assert json.loads(text) == [
        {"targets": ["127.0.0.1:8080"], "labels": {"process": "gateway"}},
        {"targets": ["127.0.0.1:18100"], "labels": {"process": "node"}},
        {"targets": ["127.0.0.1:4711"], "labels": {"process": "vision-a"}},
    ]


async def test_what_a_library_leaves_lying_about_is_noted_and_not_printed(network, capfd):
    noted = []
    network.log = type("Log", (), {"emit": lambda _, event, **fields: noted.append(event)})()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(network._unhandled)
    loop.call_exception_handler({"message": "Task exception was never retrieved"})
    assert noted == ["unhandled"]
    assert capfd.readouterr().err == ""


def test_nothing_is_well_without_processes():
    assert not measures.health({}, snapshot(1), None).is_well


async def test_a_taken_port_is_said_before_anything_starts(tmp_path):
    folder = Folder(tmp_path)
    folder.make(fresh=False)
    taken = Monitor("other", list, lambda: Health(is_well=True, state=""))
    options = Options(tmp_path, monitor_port=await taken.start(0))
    made = _Network(Plan(options, (), folder), {}, Record(), Console(), 0.0)
    with pytest.raises(AppError) as refused:
        await made.run()
    await taken.stop()
    made.log.close()
    assert refused.value.code == "port_in_use"
    assert made.supervisor.children == {}
