"""Opening a SQLite file of ours: made if there is none, brought up to our format, refused if it is no such file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mycelia.primitives.errors import AppError


@dataclass(frozen=True, slots=True)
class Kind:
    """What sort of file it is."""

    name: str
    """Begins the codes of its errors."""
    error: type[AppError]
    synchronous: Literal["FULL", "NORMAL"]
    """Whether a commit is safe against a loss of power, or only against that of the process."""
    successor: str
    """What becomes of a file's place once it was moved away."""


def opened(
    path: Path,
    kind: Kind,
    steps: Mapping[int, str],
    version: int,
    *,
    check_same_thread: bool = True,
) -> sqlite3.Connection:
    """Open a file in WAL mode; `steps` bring one of each older version to this one, and 0 is an empty file.

    Raises the kind's error when the file is foreign, corrupt or newer than this program.
    """
    remedy = f"Move {path} away; {kind.successor}."
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=check_same_thread)
        with ExitStack() as unless_good:
            unless_good.callback(db.close)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute(f"PRAGMA synchronous={kind.synchronous}")
            found = int(db.execute("PRAGMA user_version").fetchone()[0])
            if step := steps.get(found):
                db.executescript(f"BEGIN; {step} PRAGMA user_version={version}; COMMIT;")
            if found > version:
                raise kind.error(
                    f"{kind.name}_newer",
                    f"{path} has format {found}; this program knows {version}.",
                    "Run the newer program, or: " + remedy,
                )
            unless_good.pop_all()
    except sqlite3.Error as error:
        raise kind.error(f"{kind.name}_unreadable", f"{path}: {error}.", remedy) from error
    return db
