"""A watch over the event loop: an author's code that holds it up is interrupted, and its line named.

A miner that sleeps by `time.sleep`, or computes without an `await`, holds up everything in the
process, the timeouts that should end it included. Only a signal reaches it.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import FrameType

from mycelia.primitives.errors import AppError

_BEAT_S = 0.25
_SIGNAL = signal.SIGUSR1


class LoopHeldUp(Exception):
    """Raised in an author's code that held up the loop."""


class LoopWatch:
    """Watches the loop of the main thread; in any other thread it does nothing."""

    def __init__(self, file: str, limit_s: float) -> None:
        """`file` is the author's; nothing else is ever interrupted."""
        self._file = file
        self._limit_s = limit_s
        self._beats = 0
        self._over = threading.Event()
        self.fault: AppError | None = None
        """What was found, once something was."""

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch until the block ends. Raises the fault, if there was one."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._over.clear()
        before = signal.signal(_SIGNAL, self._interrupt)
        thread = threading.Thread(target=self._wait, daemon=True)
        beating = asyncio.create_task(self._beat())
        thread.start()
        try:
            yield
        except Exception:
            if self.fault is None:
                raise
        finally:
            beating.cancel()
            self._over.set()
            thread.join()
            signal.signal(_SIGNAL, before)
        if self.fault is not None:
            raise self.fault

    async def _beat(self) -> None:
        while True:
            self._beats += 1
            await asyncio.sleep(_BEAT_S)

    def _wait(self) -> None:
        """Count waits without a beat: a machine that stood still in one of them counts it once."""
        seen, waits = -1, 0
        main = threading.main_thread().ident
        while not self._over.wait(_BEAT_S):
            waits = 0 if self._beats != seen else waits + 1
            seen = self._beats
            if waits * _BEAT_S > self._limit_s and main is not None:
                signal.pthread_kill(main, _SIGNAL)

    def _interrupt(self, _number: int, frame: FrameType | None) -> None:
        while frame is not None and frame.f_code.co_filename != self._file:
            frame = frame.f_back
        if frame is None:
            return
        name = f"{Path(self._file).name}, line {frame.f_lineno}"
        self.fault = AppError(
            "loop_held_up",
            f"{frame.f_code.co_name} in {name} held up everything for {self._limit_s:g} s.",
            "`await` what waits, as in `await asyncio.sleep(1)`; put long computations into a"
            " thread, as in `await asyncio.to_thread(work, ask)`.",
        )
        raise LoopHeldUp
