import asyncio
import contextlib
import errno
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from mycelia.cli.up.plan import Folder, Options, Plan, Record
from mycelia.cli.up.room import Outlet, Room, needed
from mycelia.cli.up.run import _beside, _Network
from mycelia.cli.up.supervisor import Patience, Program, Supervisor
from mycelia.cli.up.watch import Row, Snapshot, SubnetState
from mycelia.neuron.chain import CallFailed, ChainAway
from mycelia.neuron.events import EventLog
from mycelia.primitives.errors import AppError

FULL = Path("/dev/full")  # takes opens and refuses writes, as a full disk does
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def test_a_full_disk_is_said_once_and_its_end_once(tmp_path):
    said, free = [], iter([5 * 2**20, 0, 0, 5 * 2**20, 5 * 2**20])
    room = Room(tmp_path, said.append, lambda _: next(free))
    for _ in range(5):
        room.look()
    assert len(said) == 2
    assert "the disk is full: free space on that of" in said[0]
    assert "room on the disk again" in said[1]


def test_a_disk_that_does_not_say_is_taken_to_have_room(tmp_path):
    said = []
    Room(tmp_path / "gone", said.append).look()
    Room(tmp_path, said.append).look()
    assert said == []


def test_output_that_is_not_taken_is_dropped():
    with FULL.open("w") as stream:
        outlet = Outlet(stream)
        Console(file=outlet).print("nobody hears this")
        assert outlet.write("nor this") == len("nor this")


def test_output_goes_to_the_descriptor_whole_and_at_once(tmp_path):
    path = tmp_path / "out"
    with path.open("w", encoding="utf-8") as stream:
        Outlet(stream).write("é" * 100_000)
        assert path.read_text(encoding="utf-8") == "é" * 100_000


def test_a_stream_without_a_descriptor_is_written_to_as_it_is():
    stream = io.StringIO()
    Outlet(stream).write("hello")
    assert stream.getvalue() == "hello"


@pytest.mark.parametrize("reader", ["full", "gone"])
def test_a_program_whose_output_nobody_takes_ends_well(reader):
    code = (
        "from pathlib import Path\nfrom mycelia.cli.up import view\n"
        "from mycelia.cli.up.plan import Options\n"
        "out = view.console(Options(Path('.'), headless=True))\n"
        "for _ in range(200): out.print('line')"
    )
    command = [sys.executable, "-c", code]
    if reader == "full":
        with FULL.open("w") as output:
            done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, check=False)
        status, said = done.returncode, done.stderr
    else:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.close()
        status, said = process.wait(100), process.stderr.read()
        process.stderr.close()
    assert (status, said) == (0, b"")


def test_what_a_start_cannot_do_without_says_where_room_is_missing(tmp_path):
    folder = Folder(tmp_path)
    folder.make(fresh=False)
    (tmp_path / "network.new").symlink_to(FULL)
    with pytest.raises(AppError) as refused, needed(tmp_path):
        folder.save(Record())
    assert refused.value.code == "disk_full"
    assert "Free space" in refused.value.remedy
    with pytest.raises(OSError, match="Permission"), needed(tmp_path):
        raise OSError(errno.EACCES, "Permission denied")


def picture_of_one_miner():
    miner = Row("vision-a", "honest", 1, True, 0.9, 0.5, 0.0, 10**9, 7)
    return Snapshot(9, 10**9, (SubnetState("vision", 1, 6, 3, 1, 1, 0.5, 2, (miner,)),))


class Looks:
    """What the chain gives, look after look."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)

    async def __call__(self):
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def network(tmp_path, output) -> _Network:
    plan = Plan(Options(tmp_path, headless=True, block_time_s=0.1), (), Folder(tmp_path))
    made = _Network(plan, {}, Record(), Console(file=Outlet(output)), 0.0)
    made.log = EventLog(None, "up")
    return made


async def test_a_chain_that_is_away_or_refuses_is_looked_at_again(tmp_path):
    output = io.StringIO()
    away = ChainAway("chain_away", "The node is away.", "Wait.")
    refused = CallFailed("internal", "The store is full.", "")
    look = Looks(away, away, refused, picture_of_one_miner())
    await network(tmp_path, output)._until_paid(look, 1, 60.0)
    assert output.getvalue().splitlines() == [
        "The node is away. Trying again.",
        "The store is full. Trying again.",
        "the chain answers again",
    ]


async def test_the_tempo_is_settled_once_the_chain_takes_it(tmp_path, monkeypatch):
    monkeypatch.setattr("mycelia.cli.up.run._LOOK_S", 0.01)
    away = ChainAway("chain_away", "The node is away.", "Wait.")
    tries = Looks(away, CallFailed("internal", "The store is full.", ""), None)

    class Bootstrap:
        async def set_tempo(self, _tempo_blocks):
            await tries()

    await network(tmp_path, io.StringIO())._settle_tempo(Bootstrap())
    assert tries.outcomes == []


async def test_what_goes_on_beside_ends_with_the_rest():
    went_on = asyncio.Event()

    async def forever():
        went_on.set()
        await asyncio.Event().wait()

    before = asyncio.all_tasks()
    async with _beside(forever()):
        await went_on.wait()
    assert asyncio.all_tasks() == before


async def test_a_full_disk_under_events_and_output_stops_no_look(tmp_path):
    (tmp_path / "up.jsonl").symlink_to(FULL)
    with FULL.open("w") as output:  # noqa: ASYNC230 - opening it waits for nothing
        made = network(tmp_path, output)
        made.log = EventLog(tmp_path / "up.jsonl", "up")
        made._tell("something")
        with made._shown() as show:
            show(picture_of_one_miner())
        away = ChainAway("chain_away", "The node is away.", "Wait.")
        await made._until_paid(Looks(away, picture_of_one_miner()), 1, 60.0)
    made.log.close()


HURRY = Patience(first_pause_s=0.02, longest_pause_s=0.05, healthy_s=600.0, attempts=2)


@contextlib.asynccontextmanager
async def supervised(logs: Path, argv: Sequence[str]):
    given_up = []
    events = EventLog(logs / "up.jsonl", "up")
    made = Supervisor(logs, on_give_up=given_up.append, patience=HURRY, log=events)
    child = await made.start(Program("p", argv))
    try:
        yield made, child
        assert given_up == []
    finally:
        await made.stop(1.0)
        events.close()


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the condition is any state, not an event
            await asyncio.sleep(0.02)


async def test_restarts_go_on_where_neither_output_nor_events_have_room(tmp_path):
    for name in ("p.out", "up.jsonl"):
        (tmp_path / name).symlink_to(FULL)
    argv = (sys.executable, "-c", "print('word', flush=True)")
    async with supervised(tmp_path, argv) as (supervisor, child):
        supervisor.relentless = child.has_worked = True
        await until(lambda: child.restarts > 2 * HURRY.attempts)


async def test_a_process_is_started_again_once_its_output_can_be_opened(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    async with supervised(logs, ("sleep", "60")) as (_, child):
        logs.rename(tmp_path / "away")
        first = child.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: child.restarts == 1)
        await asyncio.sleep(0.2)
        assert child.pid is None
        (tmp_path / "away").rename(logs)
        await until(lambda: child.pid not in (None, first))
    events = [json.loads(line) for line in (logs / "up.jsonl").read_text().splitlines()]
    assert any(event["event"] == "cannot_start" for event in events)
