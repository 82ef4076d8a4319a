"""Answers to consumers, kept for a moment so that a validator can judge them as it does those to challenges.

A miner that can tell a validator's challenges from consumers' requests could be honest in challenges
alone. So a gateway lays a few of the answers it hands on into the *tray* of a validator, a folder on
their common machine, and the validator judges them too.

Only a bad answer counts. If good ones did, a miner could wash a bad record by asking itself; and it
can make nobody else's answers bad.

Consumers' words are in it: it is for its owner's eyes, holds few at a time, and none for long.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mycelia.primitives.errors import AppError

MOST = 32
"""Answers of one subnet that wait in a tray; a validator that is behind gets no more."""
_LIFE_S = 600.0
"""What was not judged by then is thrown away unread."""
_MOST_BYTES = 1 << 20
_WHOLE = ".json"


class TrayError(AppError):
    """There can be no tray where one is wanted."""


class Audit(BaseModel):
    """A complete answer that a consumer was given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    netuid: int
    hotkey: str
    """SS58 of the miner that signed the receipt."""
    claim: str = ""
    """Digest of the manifest under which it answered, in hex; empty without one."""
    latency_ms: float
    first_byte_ms: float
    """Both by the receipt, which is to say by the miner's clock."""
    ask: dict[str, Any]
    answer: dict[str, Any]


class Tray:
    """A folder of answers to judge. One process lays them in, another takes them out."""

    def __init__(self, folder: Path) -> None:
        """Raises TrayError where there can be no such folder."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise TrayError(
                "tray_unusable",
                f"{folder} cannot be the folder of answers to judge: {error.strerror}.",
                "Make room, or move away what is in its place.",
            ) from error
        self._folder = folder

    def put(self, audit: Audit) -> bool:
        """Lay an answer in; False if its subnet has enough here or it is too big. Raises OSError."""
        data = audit.model_dump_json().encode()
        # Each subnet has room of its own: not every validator judges all that a gateway serves.
        waiting = sum(_netuid(path) == str(audit.netuid) for path in self._waiting())
        if len(data) > _MOST_BYTES or waiting >= MOST:
            return False
        name = f"{time.time_ns()}-{audit.netuid}-{secrets.token_hex(4)}"
        made = self._folder / name
        try:
            with open(made, "xb", opener=_for_the_owner) as file:
                file.write(data)
            made.rename(made.with_suffix(_WHOLE))
        except OSError:
            made.unlink(missing_ok=True)
            raise
        return True

    def take(self, netuid: int) -> Audit | None:
        """Take out the oldest of a subnet's answers; None if there is none. Raises OSError."""
        for path in self._waiting():
            # One that has no suffix yet is still being written.
            if path.suffix != _WHOLE or _netuid(path) != str(netuid):
                continue
            data = path.read_bytes()
            path.unlink(missing_ok=True)
            with contextlib.suppress(ValidationError):  # laid in by another version
                return Audit.model_validate_json(data)
        return None

    def tidy(self) -> None:
        """Throw away what has lain here for too long, though nobody lays in or takes. Raises OSError."""
        self._waiting()

    def _waiting(self) -> list[Path]:
        """What lies here, oldest first; throws away what has lain here for too long."""
        oldest_ns = time.time_ns() - int(_LIFE_S * 1e9)
        waiting = []
        # Told by their names: to look at a file would fail if it was taken out meanwhile.
        for path in sorted(self._folder.iterdir()):
            born_ns, _, rest = path.name.partition("-")
            if born_ns.isdigit() and rest:
                if int(born_ns) < oldest_ns:
                    path.unlink(missing_ok=True)
                else:
                    waiting.append(path)
        return waiting


def _netuid(path: Path) -> str:
    return path.name.split("-")[1]


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
