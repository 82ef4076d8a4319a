"""Runs cases against a target, within bounds of time per case, memory and time altogether."""

from __future__ import annotations

import contextlib
import random
import resource
import signal
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Final

from tests.fuzz.targets import TARGETS

CASE_S: Final = 5.0
"""No input may keep anyone busy for longer."""
GROWTH_BYTES: Final = 512 * 1024 * 1024
"""What the process may grow by in a whole run."""


class Failure(AssertionError):
    """A case that is not as it must be; the text says how to repeat it."""


class Hang(Exception):
    """A case took too long."""


@dataclass(frozen=True)
class Report:
    """What a run did. `growth_bytes` is of the process's largest size."""

    target: str
    cases: int
    seconds: float
    slowest_ms: float
    growth_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.target}: {self.cases} cases in {self.seconds:.0f} s, "
            f"slowest {self.slowest_ms:.0f} ms, grown by {self.growth_bytes >> 20} MiB"
        )


def run(
    target: str,
    *,
    seed: int,
    seconds: float | None = None,
    cases: int | None = None,
    first: int = 0,
) -> Report:
    """Run `cases` cases, or as many as fit; raises `Failure` for the first that breaks something."""
    subject = TARGETS[target]()
    subject.case(random.Random(0))  # what is made on first use is no growth
    before = _largest_bytes()
    began = time.perf_counter()
    slowest_s, number = 0.0, first
    while (cases is None or number - first < cases) and (
        seconds is None or time.perf_counter() - began < seconds
    ):
        started = time.perf_counter()
        try:
            with _bounded():
                subject.case(random.Random(f"{seed}/{number}"))
        except Exception as cause:
            again = f"python -m tests.fuzz {target} --seed {seed} --case {number}"
            raise Failure(f"{again}\n{traceback.format_exc(limit=-6)}") from cause
        slowest_s = max(slowest_s, time.perf_counter() - started)
        number += 1
        if _largest_bytes() - before > GROWTH_BYTES:
            raise Failure(f"{target}, seed {seed}: memory grew without end up to case {number}.")
    took = time.perf_counter() - began
    grown = _largest_bytes() - before
    return Report(target, number - first, took, slowest_s * 1000, grown)


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """Interrupt what takes longer than a case may."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise Hang(f"more than {CASE_S} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, CASE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _largest_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
