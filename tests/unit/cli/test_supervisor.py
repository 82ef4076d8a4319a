import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mycelia.cli.up.supervisor import Patience, Program, Supervisor
from mycelia.primitives.errors import AppError

HURRY = Patience(
    first_pause_s=0.02, longest_pause_s=0.05, healthy_s=600.0, attempts=3, silence_s=1.0, look_s=0.1
)


def program(code, name="p", **kwargs):
    return Program(name, (sys.executable, "-c", code), **kwargs)


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def until(condition):
    async with asyncio.timeout(60.0):
        while not condition():  # noqa: ASYNC110 - the condition is any state, not an event
            await asyncio.sleep(0.02)


@pytest.fixture
async def supervisor(tmp_path):
    given_up = asyncio.Queue()
    made = Supervisor(tmp_path, on_give_up=given_up.put_nowait, patience=HURRY)
    made.given_up = given_up
    yield made
    await made.stop(1.0)


async def test_killed_process_is_restarted(supervisor):
    child = await supervisor.start(program("import time; time.sleep(60)"))
    first = child.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.restarts == 1 and child.pid not in (None, first))
    assert child.last_exit == -signal.SIGKILL


async def test_process_that_keeps_failing_is_given_up_with_its_last_words(supervisor):
    child = await supervisor.start(program("print('port taken'); raise SystemExit(3)"))
    assert await asyncio.wait_for(supervisor.given_up.get(), 60) is child
    assert (child.restarts, child.pid) == (2, None)
    failure = supervisor.explained(child)
    assert failure.code == "process_failed"
    assert "status 3" in failure.message
    assert "port taken" in failure.message
    assert "p.out" in failure.remedy


async def test_process_that_explains_itself_is_tried_twice_and_quoted(supervisor):
    code = (
        "print('error[corrupt]: The file is damaged.\\n  remedy: Delete it.'); raise SystemExit(1)"
    )
    child = await supervisor.start(program(code))
    assert await asyncio.wait_for(supervisor.given_up.get(), 60) is child
    assert child.restarts == 1
    failure = supervisor.explained(child)
    assert (failure.message, failure.remedy) == ("p ended: The file is damaged.", "Delete it.")


async def test_stop_is_gentle_first(supervisor, tmp_path):
    code = (
        "import signal, sys, pathlib, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({str(tmp_path)!r}, 'bye')"
        ".write_text(''), sys.exit(0)))\n"
        "print('up', flush=True)\ntime.sleep(60)"
    )
    await supervisor.start(program(code))
    await until(lambda: supervisor.last_words("p") == "up")
    await supervisor.stop(60.0)
    assert (tmp_path / "bye").exists()


async def test_stop_ends_the_stubborn_and_their_children_in_time(supervisor, tmp_path):
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "inner = subprocess.Popen([sys.executable, '-c', 'import signal, time;"
        " signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)'])\n"
        "print(inner.pid, flush=True)\ntime.sleep(60)"
    )
    child = await supervisor.start(program(code))
    await until(lambda: supervisor.last_words("p").isdigit())
    pids = [child.pid, int(supervisor.last_words("p"))]
    started = time.monotonic()
    await supervisor.stop(0.5)
    assert time.monotonic() - started < 30
    await until(lambda: not any(alive(pid) for pid in pids))


async def test_stopped_process_is_not_restarted(supervisor):
    child = await supervisor.start(program("import time; time.sleep(60)"))
    await supervisor.stop()
    await asyncio.sleep(0.2)
    assert (child.pid, child.restarts) == (None, 0)


async def test_environment_and_niceness_reach_the_process(supervisor):
    code = "import os, time; print(os.environ['COLOUR'], os.nice(0), flush=True); time.sleep(60)"
    await supervisor.start(program(code, environment={"COLOUR": "blue"}, nice=5))
    await until(lambda: supervisor.last_words("p"))
    assert supervisor.last_words("p") == f"blue {min(os.nice(0) + 5, 19)}"


async def test_program_that_does_not_exist_is_an_error_with_a_remedy(supervisor):
    with pytest.raises(AppError) as refused:
        await supervisor.start(Program("p", ("/nonexistent/program",)))
    assert refused.value.remedy


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path):
    code = (
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from mycelia.cli.up.supervisor import Program, Supervisor\n"
        "async def main():\n"
        f"    s = Supervisor(Path({str(tmp_path)!r}), on_give_up=print)\n"
        "    c = await s.start(Program('p', (sys.executable, '-c', 'import time; time.sleep(60)')))\n"
        "    print(c.pid, flush=True)\n    await asyncio.sleep(60)\nasyncio.run(main())"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    assert alive(pid)
    process.kill()
    process.wait()
    process.stdout.close()
    ends = time.monotonic() + 30
    while alive(pid) and time.monotonic() < ends:
        time.sleep(0.02)
    assert not alive(pid)


async def test_a_process_that_hangs_is_killed_and_restarted(supervisor, tmp_path):
    # The test gives the pulse: how often a process gets to run is up to the machine.
    supervisor.relentless, pulse = True, tmp_path / "pulse"
    pulse.touch()
    os.utime(pulse, (time.time() + 3600,) * 2)
    child = await supervisor.start(program("import time; time.sleep(60)", pulse=pulse))
    first = child.pid
    await asyncio.sleep(1.5)
    assert (child.restarts, child.pid) == (0, first)
    os.kill(first, signal.SIGSTOP)
    os.utime(pulse, (0, 0))
    await until(lambda: child.restarts >= 1)
    assert not alive(first)


async def test_a_process_without_a_pulse_is_let_be(supervisor, tmp_path):
    child = await supervisor.start(program("import time; time.sleep(60)", pulse=tmp_path / "none"))
    await asyncio.sleep(1.6)
    assert (child.restarts, child.pid is None) == (0, False)


async def test_what_has_worked_once_is_restarted_for_ever(supervisor, tmp_path):
    supervisor.relentless = True
    pulse = tmp_path / "pulse"
    code = f"open({str(pulse)!r}, 'w').close(); raise SystemExit(3)"
    child = await supervisor.start(program(code, pulse=pulse))
    await until(lambda: child.restarts > 2 * HURRY.attempts)
    assert supervisor.given_up.empty()


async def test_what_never_worked_is_given_up_all_the_same(supervisor, tmp_path):
    supervisor.relentless = True
    child = await supervisor.start(program("raise SystemExit(3)", pulse=tmp_path / "none"))
    assert await asyncio.wait_for(supervisor.given_up.get(), 60) is child
