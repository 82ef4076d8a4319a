"""Keeps processes running: starts them, restarts those that end, and leaves none behind.

Each process leads a group of its own, so that a signal from the terminal reaches the supervisor
alone and a stop reaches everything the process has started. If the supervisor itself is killed,
the kernel kills its children.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mycelia.neuron.events import EventLog
from mycelia.primitives.errors import AppError

_PR_SET_PDEATHSIG = 1
_STOP_S = 3.0
_EXPLAINED_ATTEMPTS = 2
_SILENT_LOOKS = 3  # in a row: after the machine slept, every pulse is old once
_OUTPUT_BYTES = 16 * 1024 * 1024
_TAIL_BYTES = 4096


@dataclass(frozen=True)
class Program:
    """A process to keep running."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the supervisor's own."""
    nice: int = 0
    pulse: Path | None = None
    """A file that the process touches every second; silence means that it hangs."""


@dataclass(frozen=True)
class Patience:
    """When to restart, and when to give up. Times in seconds."""

    first_pause_s: float = 0.5
    longest_pause_s: float = 10.0
    healthy_s: float = 20.0
    """A process that lived this long failed by chance: the count starts anew."""
    attempts: int = 5
    """Short lives in a row before it is given up."""
    silence_s: float = 45.0
    """A process whose pulse was not felt for so long hangs, and is killed."""
    look_s: float = 2.0
    """Between two feelings for a pulse; it must be missed in a few of them."""


@dataclass
class Child:
    """A program's present life."""

    program: Program
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    last_exit: int | None = None
    given_up: bool = False
    has_worked: bool = False
    """It gave a pulse, or lived long, in this run."""

    @property
    def pid(self) -> int | None:
        """Of the running process, if one runs."""
        return self.process.pid if self.process and self.process.returncode is None else None


class Supervisor:
    """Owns the processes of one network."""

    def __init__(
        self,
        logs: Path,
        *,
        on_give_up: Callable[[Child], None],
        log: EventLog | None = None,
        patience: Patience | None = None,
    ) -> None:
        """`on_give_up` is told of each process that failed too often; `explained` says why."""
        self.children: dict[str, Child] = {}
        self.relentless = False
        """Restart what has worked in this run, however often: it will work again."""
        self._on_give_up = on_give_up
        self._logs = logs
        self._log = log or EventLog(None, "up")
        self._patience = patience or Patience()
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self, program: Program) -> Child:
        """Start a program and keep it running. Raises AppError if it cannot be started at all."""
        child = Child(program)
        self.children[program.name] = child
        try:
            await self._spawn(child)
        except OSError as error:
            raise AppError(
                "cannot_start", f"{program.name} cannot be started: {error}.", "Check its command."
            ) from error
        self._keepers.append(asyncio.create_task(self._keep(child)))
        return child

    def explained(self, child: Child) -> AppError:
        """Why a program ended the last time: what it said itself, or the end of its output."""
        name, output = child.program.name, self._output_path(child.program.name)
        if said := self._complaint(name):
            return AppError("process_failed", f"{name} ended: {said[0]}", said[1])
        return AppError(
            "process_failed",
            f"{name} ended {child.restarts + 1} times, the last time with exit status"
            f" {child.last_exit}: {self.last_words(name) or 'no output'}",
            f"The whole output is in {output}.",
        )

    def last_words(self, name: str) -> str:
        """The last line that a process wrote."""
        lines = self._tail(name)
        return lines[-1] if lines else ""

    def _complaint(self, name: str) -> tuple[str, str] | None:
        """Error and remedy, where the last thing a process wrote is an error for people."""
        match self._tail(name)[-2:]:
            case [error, remedy] if error.startswith("error[") and "remedy: " in remedy:
                return error.partition(": ")[2], remedy.partition("remedy: ")[2]
        return None

    def _tail(self, name: str) -> list[str]:
        try:
            with self._output_path(name).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
                return file.read(_TAIL_BYTES).decode(errors="replace").strip().splitlines()
        except OSError:
            return []

    async def stop(self, limit_s: float = _STOP_S) -> None:
        """Ask every process to end, and end whatever is left after `limit_s` seconds."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        living = [child.process for child in self.children.values() if child.process]
        for process in living:
            _signal_group(process, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await asyncio.gather(*(process.wait() for process in living))
        for process in living:
            # Also where the leader has ended: what it started may have stayed.
            _signal_group(process, signal.SIGKILL)
        await asyncio.gather(*(process.wait() for process in living))

    async def _keep(self, child: Child) -> None:
        patience, short_lives = self._patience, 0
        while True:
            started_s = time.monotonic()
            process = child.process
            if process is None:
                return
            child.last_exit = await self._ended(process, child.program)
            _signal_group(process, signal.SIGKILL)
            lived_s = time.monotonic() - started_s
            short_lives = 0 if lived_s > patience.healthy_s else short_lives + 1
            self._log.emit(
                "process_ended",
                name=child.program.name,
                exit=child.last_exit,
                lived_s=round(lived_s, 1),
            )
            # It said what a person must do: trying again helps only if another process ends late.
            explained = self._complaint(child.program.name) is not None
            has_worked = lived_s > patience.healthy_s or _felt_s(child.program.pulse) is not None
            child.has_worked = child.has_worked or has_worked
            forgiven = self.relentless and child.has_worked
            if not forgiven and short_lives >= (
                _EXPLAINED_ATTEMPTS if explained else patience.attempts
            ):
                child.given_up = True
                self._on_give_up(child)
                return
            pause_s = patience.first_pause_s * 2 ** max(0, short_lives - 1)
            await asyncio.sleep(min(pause_s, patience.longest_pause_s))
            child.restarts += 1
            await self._respawned(child)

    async def _respawned(self, child: Child) -> None:
        """Start a program again, also where the machine has no memory or disk for it just now."""
        while True:
            try:
                return await self._spawn(child)
            except OSError as error:
                self._log.emit("cannot_start", name=child.program.name, error=str(error))
                await asyncio.sleep(self._patience.longest_pause_s)

    async def _ended(self, process: asyncio.subprocess.Process, program: Program) -> int:
        """The exit status of a process, which is killed if it hangs."""
        started_s, silent_looks = time.time(), 0
        while True:
            try:
                async with asyncio.timeout(self._patience.look_s):
                    return await process.wait()
            except TimeoutError:
                pulse_s = _felt_s(program.pulse)
                felt_s = max(started_s, pulse_s or 0.0)
                is_silent = pulse_s is not None and time.time() - felt_s > self._patience.silence_s
                silent_looks = silent_looks + 1 if is_silent else 0
            if silent_looks >= _SILENT_LOOKS:
                self._log.emit("process_hangs", name=program.name, silent_s=time.time() - felt_s)
                _signal_group(process, signal.SIGKILL)
                return await process.wait()

    async def _spawn(self, child: Child) -> None:
        program = child.program
        with self._output(program.name) as output:
            child.process = await asyncio.create_subprocess_exec(
                *program.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **program.environment},
                start_new_session=True,
                preexec_fn=_before_exec(program.nice),
            )
        self._log.emit("process_started", name=program.name, pid=child.process.pid)

    def _output_path(self, name: str) -> Path:
        return self._logs / f"{name}.out"

    def _output(self, name: str) -> IO[bytes]:
        path = self._output_path(name)
        if path.exists() and path.stat().st_size > _OUTPUT_BYTES:
            path.replace(path.with_suffix(".1.out"))
        return path.open("ab")


def _felt_s(pulse: Path | None) -> float | None:
    """When a pulse was last felt, Unix seconds; None for a process that never gave any."""
    try:
        return pulse.stat().st_mtime if pulse else None
    except OSError:
        return None


def _signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _before_exec(nice: int) -> Callable[[], None]:
    """What a child does between fork and exec: no allocation beyond this, no imports."""
    parent = os.getpid()
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def prepare() -> None:
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
        if nice:
            os.nice(nice)

    return prepare
