"""One SQLite file, one writer thread, and answers only after the disk has it.

Whatever is asked for while a commit is under way goes into the next one together, so the cost of
making a row safe is shared by as many rows as come at once, and the event loop never waits for a
disk. A row is safe when the await returns: it survives the process and, with the disk's word, the
machine.

When the disk is full the rows are kept in memory, those who asked are told, and the write is tried
again until it succeeds.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from mycelia.neuron.sqlite_file import Kind, opened
from mycelia.primitives.errors import AppError

T = TypeVar("T")

_BATCH = 1000
_RETRY_S = 1.0
_KEPT = 20_000
"""Writes kept in memory while the disk takes none; beyond that the oldest are given up."""

Write = Callable[[sqlite3.Connection], T]
"""Runs in the writer's thread, inside a transaction. It may run again: after a failed commit, or when
another write of the same transaction objects."""


class JournalError(AppError):
    """The file cannot be used, or did not take a row in time."""


_KIND = Kind("journal", JournalError, "FULL", "a new one is started")


@dataclass(slots=True)
class _Job:
    write: Write[Any]
    loop: asyncio.AbstractEventLoop | None
    future: asyncio.Future[Any] | None
    result: Any = field(default=None)
    error: Exception | None = None


class Journal:
    """Opens or creates the file. `close` writes what is still waiting."""

    def __init__(
        self, path: Path, schema: str, version: int, steps: Mapping[int, str] | None = None
    ) -> None:
        """`steps` bring a file of each older version to this one.

        Raises `JournalError` when the file is foreign, corrupt or newer than this program.
        """
        self.path = path
        self._db = opened(
            path, _KIND, {0: schema, **(steps or {})}, version, check_same_thread=False
        )
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"journal {path.name}", daemon=True)
        self._thread.start()

    async def write(self, write: Write[T]) -> T:
        """Run a write and return its result once that is safe.

        Raises what the write raises, which undoes it alone, or `JournalError` when the disk takes
        nothing; the write is then still tried again.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Job(write, loop, future))
        # A caller that is cancelled takes only its future with it: what it asked for is done.
        return await future

    def reader(self) -> sqlite3.Connection:
        """Open a connection that sees what is safe. The caller closes it."""
        return sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)

    def close(self) -> None:
        """Write what is waiting, then release the file."""
        self._queue.put(None)
        self._thread.join()
        self._db.close()

    def _run(self) -> None:
        """Write batches until told to stop: the thread's body."""
        kept: list[_Job] = []
        stopping = False
        while not stopping:
            batch, stopping = self._batch(wait=not kept)
            jobs = (kept + batch)[-_KEPT:]
            try:
                self._commit(jobs)
            except sqlite3.Error as error:
                failure = JournalError(
                    "journal_stuck",
                    f"{self.path} takes no rows: {error}.",
                    "Make room on the disk; the rows are kept and written then.",
                )
                self._settle(batch, failure)
                kept = jobs
                if not stopping:
                    time.sleep(_RETRY_S)
            else:
                self._settle(jobs, None)
                kept = []

    def _batch(self, *, wait: bool) -> tuple[list[_Job], bool]:
        """Return the jobs that wait, and whether the journal is being closed."""
        batch: list[_Job] = []
        try:
            while len(batch) < _BATCH:
                job = self._queue.get(block=wait and not batch)
                if job is None:
                    return batch, True
                batch.append(job)
        except Empty:
            pass
        return batch, False

    def _commit(self, jobs: list[_Job]) -> None:
        """Run all jobs in one transaction. One that objects is undone alone.

        Few ever do, so only a batch in which one did pays for a savepoint per job: it begins anew.
        """
        db = self._db
        if not jobs:
            return
        try:
            db.execute("BEGIN IMMEDIATE")
            if not all(map(self._succeeds, jobs)):
                db.execute("ROLLBACK")
                db.execute("BEGIN IMMEDIATE")
                for job in jobs:
                    db.execute("SAVEPOINT job")
                    if not self._succeeds(job):
                        db.execute("ROLLBACK TO job")
                    db.execute("RELEASE job")
            db.execute("COMMIT")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _succeeds(self, job: _Job) -> bool:
        """Run a job inside a transaction; false if it objects. Raises what is the file's fault."""
        try:
            job.result, job.error = job.write(self._db), None
        except Exception as error:  # an edge: whoever asked is told, and the thread lives on
            if _is_of_disk(error):
                raise
            job.error = error
        return job.error is None

    def _settle(self, jobs: list[_Job], failure: JournalError | None) -> None:
        """Tell those who wait how it went, all of a loop in one call."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Job, Exception | None]]] = {}
        for job in jobs:
            if job.loop is not None and not job.loop.is_closed():
                by_loop.setdefault(job.loop, []).append((job, failure or job.error))
            if failure is not None:
                job.loop = None
        for loop, settled in by_loop.items():
            with suppress(RuntimeError):  # the loop was closed a moment ago
                loop.call_soon_threadsafe(_resolve, settled)


def _is_of_disk(error: Exception) -> bool:
    """Whether a write failed by the file's fault, and not by its own: then it may succeed later."""
    return isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError


def _resolve(settled: list[tuple[_Job, Exception | None]]) -> None:
    for job, error in settled:
        future = job.future
        if future is None or future.done():
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(job.result)
