"""A validator's memory: every round, sample and weight vector, in one SQLite file.

The book is not stored: it is the fold of the samples (`book.replayed`), so a restart loses
nothing and a reader can check every weight. Seeds of finished rounds are public knowledge.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mycelia.neuron.book import Identity, Sample, Standing, Verdict, replayed
from mycelia.primitives.errors import AppError

_VERSION = 2
_SCHEMA = """
CREATE TABLE rounds (
    subnet TEXT NOT NULL, round INTEGER NOT NULL, seed BLOB NOT NULL, height INTEGER NOT NULL,
    PRIMARY KEY (subnet, round)) WITHOUT ROWID;
CREATE TABLE samples (
    id INTEGER PRIMARY KEY, subnet TEXT NOT NULL, round INTEGER NOT NULL,
    uid INTEGER NOT NULL, hotkey TEXT NOT NULL, registered_at INTEGER NOT NULL,
    verdict TEXT NOT NULL, score REAL NOT NULL, reason TEXT NOT NULL,
    latency_ms REAL NOT NULL, first_byte_ms REAL NOT NULL, checks TEXT NOT NULL DEFAULT '{}');
CREATE INDEX samples_by_subnet ON samples (subnet, id);
CREATE TABLE weights (
    id INTEGER PRIMARY KEY, subnet TEXT NOT NULL, height INTEGER NOT NULL,
    last_sample INTEGER NOT NULL, weights TEXT NOT NULL);
"""


_FROM_1 = "ALTER TABLE samples ADD COLUMN checks TEXT NOT NULL DEFAULT '{}';"


class LedgerError(AppError):
    """The file is not a ledger that this version can use."""


@dataclass(frozen=True)
class SetWeights:
    """A weight vector that the chain took."""

    height: int
    last_sample: int
    """Id of the last sample it rests on: the fold up to it gives these weights."""
    weights: Mapping[int, float]


class Ledger:
    """Opens or creates the file. One writer; readers may look on (WAL)."""

    def __init__(self, path: Path) -> None:
        """Raises LedgerError when the file is foreign, corrupt or newer than this program."""
        remedy = f"Move {path} away; the validator starts a new one."
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
            if version == 0:
                self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={_VERSION}; COMMIT;")
            elif version == 1:
                self._db.executescript(f"BEGIN; {_FROM_1} PRAGMA user_version={_VERSION}; COMMIT;")
        except sqlite3.Error as error:
            raise LedgerError("ledger_unreadable", f"{path}: {error}.", remedy) from error
        if version > _VERSION:
            raise LedgerError(
                "ledger_newer",
                f"{path} has format {version}; this program knows {_VERSION}.",
                "Run the newer program, or: " + remedy,
            )

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def next_round(self, subnet: str) -> int:
        """Number of the first round not yet recorded."""
        row = self._db.execute("SELECT max(round) FROM rounds WHERE subnet = ?", (subnet,))
        return int((row.fetchone()[0] or 0) + 1)

    def add_round(
        self, subnet: str, number: int, seed: bytes, height: int, samples: Iterable[Sample]
    ) -> None:
        """Record a finished round with its samples, all or nothing."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute("INSERT INTO rounds VALUES (?,?,?,?)", (subnet, number, seed, height))
            self._db.executemany(
                "INSERT INTO samples VALUES (NULL,?,?,?,?,?,?,?,?,?,?,?)",
                [
                    (
                        subnet,
                        sample.round,
                        sample.miner.uid,
                        sample.miner.hotkey,
                        sample.miner.registered_at,
                        sample.verdict.value,
                        sample.score,
                        sample.reason,
                        sample.latency_ms,
                        sample.first_byte_ms,
                        json.dumps(dict(sample.checks)),
                    )
                    for sample in samples
                ],
            )

    def samples(self, subnet: str, up_to: int | None = None) -> list[Sample]:
        """Samples in the order recorded, optionally up to and including an id."""
        rows = self._db.execute(
            "SELECT uid, hotkey, registered_at, round, verdict, score, reason, latency_ms,"
            " first_byte_ms, checks FROM samples WHERE subnet = ? AND id <= ? ORDER BY id",
            (subnet, up_to if up_to is not None else (1 << 62)),
        )
        return [
            Sample(
                Identity(uid, hotkey, born),
                number,
                Verdict(verdict),
                score,
                reason,
                latency_ms,
                first_byte_ms,
                json.loads(checks),
            )
            for uid, hotkey, born, number, verdict, score, reason, latency_ms, first_byte_ms, checks in rows
        ]

    def subnets(self) -> list[str]:
        """Names of the subnets it has rounds of."""
        return [row[0] for row in self._db.execute("SELECT DISTINCT subnet FROM rounds ORDER BY 1")]

    def book(self, subnet: str) -> dict[int, Standing]:
        """The book of all samples so far."""
        return replayed(self.samples(subnet))

    def seed(self, subnet: str, number: int) -> bytes | None:
        """The seed of a finished round: from it anyone can make the same challenge."""
        row = self._db.execute(
            "SELECT seed FROM rounds WHERE subnet = ? AND round = ?", (subnet, number)
        ).fetchone()
        return bytes(row[0]) if row else None

    def prune(self, subnet: str, keep: int) -> None:
        """Drop all but the newest `keep` samples, and the rounds and weights that rest on others.

        What is left is still exact about itself: a book is the fold of the samples there are.
        """
        row = self._db.execute(
            "SELECT id, round FROM samples WHERE subnet = ? ORDER BY id DESC LIMIT 1 OFFSET ?",
            (subnet, keep),
        ).fetchone()
        if row is None:
            return
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute("DELETE FROM samples WHERE subnet = ? AND id <= ?", (subnet, row[0]))
            self._db.execute("DELETE FROM rounds WHERE subnet = ? AND round < ?", (subnet, row[1]))
            self._db.execute("DELETE FROM weights WHERE subnet = ?", (subnet,))

    def last_sample(self, subnet: str) -> int:
        """Id of the newest sample; 0 without any."""
        row = self._db.execute("SELECT max(id) FROM samples WHERE subnet = ?", (subnet,))
        return int(row.fetchone()[0] or 0)

    def add_weights(self, subnet: str, taken: SetWeights) -> None:
        """Record a weight vector together with the last sample it rests on."""
        self._db.execute(
            "INSERT INTO weights VALUES (NULL, ?, ?, ?, ?)",
            (subnet, taken.height, taken.last_sample, json.dumps(dict(taken.weights))),
        )

    def weights(self, subnet: str) -> list[SetWeights]:
        """Every weight vector set, oldest first."""
        rows = self._db.execute(
            "SELECT height, last_sample, weights FROM weights WHERE subnet = ? ORDER BY id",
            (subnet,),
        )
        return [
            SetWeights(height, last, {int(uid): weight for uid, weight in json.loads(text).items()})
            for height, last, text in rows
        ]
