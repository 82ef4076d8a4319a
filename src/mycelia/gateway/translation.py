"""Translation on the gateway's own machine, by Apertium, where that is installed.

A step of a pipeline like those that miners answer, with the difference that the gateway itself does
it and so signs both sides of its receipt. Apertium translates by rules: the same text gives the
same translation each time, and anybody who has the program can check it.

The program is a chain of processes per call: few run at once, each has a deadline, and what it may
take in and give out is bounded.
Source: the manual page apertium(1): `-l` lists pairs, `-u` leaves unknown words unmarked.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from typing import Protocol

from mycelia.gateway.errors import ApiError, unsupported

PROGRAM = "apertium"
_LIST_S = 5.0
CALL_S = 10.0
_AT_ONCE = 2
_MOST_CHARACTERS = 16_000
_MOST_BYTES = 256 * 1024


class Translator(Protocol):
    """Translates between pairs of languages, named like `eng-spa`."""

    @property
    def pairs(self) -> frozenset[str]: ...

    async def translate(self, text: str, pair: str) -> str:
        """Return the translation. Raises ApiError."""


class Apertium:
    """Runs the program, once per text."""

    def __init__(self, program: str, pairs: frozenset[str], *, call_s: float = CALL_S) -> None:
        self.pairs = pairs
        self._program = program
        self._call_s = call_s
        self._slots = asyncio.Semaphore(_AT_ONCE)

    @classmethod
    def found(cls) -> Apertium | None:
        """Return it with the pairs it has; None where it, or any pair, is not installed."""
        program = shutil.which(PROGRAM)
        if program is None:
            return None
        try:
            listed = subprocess.run(
                [program, "-l"],
                capture_output=True,
                timeout=_LIST_S,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        pairs = frozenset(listed.stdout.decode("utf-8", "replace").split())
        return cls(program, pairs) if pairs else None

    async def translate(self, text: str, pair: str) -> str:
        """Translate one text. Raises ApiError when it is too long or the program fails."""
        if pair not in self.pairs:
            raise unsupported("translate", f"one of {', '.join(sorted(self.pairs))} is")
        if len(text) > _MOST_CHARACTERS:
            raise ApiError(
                422,
                "text_too_long",
                f"The text to translate has more than {_MOST_CHARACTERS} characters.",
                "Ask for fewer tokens.",
            )
        try:
            async with asyncio.timeout(self._call_s), self._slots:
                # It ends its own sentences, and takes a zero byte for the end of a text.
                return await self._run(text.replace("\0", " ").encode(), pair)
        except TimeoutError:
            raise _failed(504, f"did not answer within {self._call_s:g} s") from None

    async def _run(self, text: bytes, pair: str) -> str:
        try:
            process = await asyncio.create_subprocess_exec(
                self._program,
                "-u",
                pair,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
                # A session of its own, so that the whole chain of processes can be ended.
                start_new_session=True,
            )
        except OSError as error:
            raise _failed(503, f"could not be started: {error.strerror}") from error
        if process.stdin is None or process.stdout is None:
            raise _failed(503, "has no pipes")
        try:
            _, translated = await asyncio.gather(
                _fed(process.stdin, text), _bounded(process.stdout)
            )
            status = await process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.stdin.close()
            # What was written but not read would keep the pipe, and so the process, from its end.
            while await process.stdout.read(64 * 1024):
                pass
            await process.wait()
        if status != 0 or not translated:
            raise _failed(503, f"ended with status {status}")
        return translated.decode("utf-8", "replace").rstrip("\n")


async def _fed(pipe: asyncio.StreamWriter, text: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        pipe.write(text)
        await pipe.drain()
    pipe.close()


async def _bounded(pipe: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := await pipe.read(64 * 1024):
        size += len(part)
        if size > _MOST_BYTES:
            raise _failed(503, f"wrote more than {_MOST_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


def _failed(status: int, what: str) -> ApiError:
    return ApiError(
        status,
        "translation_failed",
        f"The translator {what}.",
        "Try again, or leave 'translate' out.",
        retry_after_s=1,
    )
