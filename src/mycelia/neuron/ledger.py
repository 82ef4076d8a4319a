"""A validator's memory: every round, sample and weight vector, in one SQLite file.

The book is not stored: it is the fold of the samples (`book.replayed`), so a restart loses
nothing and a reader can check every weight. Seeds of finished rounds are public knowledge.

Old samples are dropped; what they led to is kept as the *base*, from which the fold of the others
goes on. So a book, and weights that rest on samples still there, come out the same as before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mycelia.neuron.book import Identity, Sample, Standing, Verdict, replayed
from mycelia.neuron.sqlite_file import Kind, opened
from mycelia.primitives.errors import AppError

_VERSION = 3
_SCHEMA = """
CREATE TABLE rounds (
    subnet TEXT NOT NULL, round INTEGER NOT NULL, seed BLOB NOT NULL, height INTEGER NOT NULL,
    PRIMARY KEY (subnet, round)) WITHOUT ROWID;
CREATE TABLE samples (
    id INTEGER PRIMARY KEY, subnet TEXT NOT NULL, round INTEGER NOT NULL,
    uid INTEGER NOT NULL, hotkey TEXT NOT NULL, registered_at INTEGER NOT NULL,
    verdict TEXT NOT NULL, score REAL NOT NULL, reason TEXT NOT NULL,
    latency_ms REAL NOT NULL, first_byte_ms REAL NOT NULL, checks TEXT NOT NULL DEFAULT '{}',
    claim TEXT NOT NULL DEFAULT '');
CREATE INDEX samples_by_subnet ON samples (subnet, id);
CREATE TABLE weights (
    id INTEGER PRIMARY KEY, subnet TEXT NOT NULL, height INTEGER NOT NULL,
    last_sample INTEGER NOT NULL, weights TEXT NOT NULL);
"""
_ADDED_IN_3 = """
CREATE TABLE bases (
    subnet TEXT NOT NULL, uid INTEGER NOT NULL, hotkey TEXT NOT NULL,
    registered_at INTEGER NOT NULL, quality REAL NOT NULL, samples INTEGER NOT NULL,
    failures INTEGER NOT NULL, latency_ms REAL NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (subnet, uid)) WITHOUT ROWID;
CREATE TABLE claims (
    subnet TEXT NOT NULL, hotkey TEXT NOT NULL, digest TEXT NOT NULL, about TEXT NOT NULL,
    state TEXT NOT NULL, until_ms INTEGER NOT NULL, PRIMARY KEY (subnet, hotkey)) WITHOUT ROWID;
"""
_FROM_2 = "ALTER TABLE samples ADD COLUMN claim TEXT NOT NULL DEFAULT '';" + _ADDED_IN_3
_FROM_1 = "ALTER TABLE samples ADD COLUMN checks TEXT NOT NULL DEFAULT '{}';" + _FROM_2
_STEPS = {0: _SCHEMA + _ADDED_IN_3, 1: _FROM_1, 2: _FROM_2}
"""What brings a file of each older format to this one; 0 is an empty file."""
_PRUNED_AT_ONCE = 3_000


class LedgerError(AppError):
    """The file is not a ledger that this version can use."""


_KIND = Kind("ledger", LedgerError, "NORMAL", "the validator starts a new one")


@dataclass(frozen=True)
class SetWeights:
    """A weight vector that the chain took."""

    height: int
    last_sample: int
    """Id of the last sample it rests on: the fold up to it gives these weights."""
    weights: Mapping[int, float]


@dataclass(frozen=True)
class Claimed:
    """What a miner claims to run, and whether this validator attests it."""

    hotkey: str
    digest: str
    """Of the manifest, in hex."""
    about: str
    """The manifest in a few words; empty where it was not read."""
    state: str
    """`attested`, or the reason why not."""
    until_ms: int = 0
    """Until when the last attestation holds, Unix milliseconds."""


class Ledger:
    """Opens or creates the file. One writer; readers may look on (WAL)."""

    def __init__(self, path: Path) -> None:
        """Raises LedgerError when the file is foreign, corrupt or newer than this program."""
        self._db = opened(path, _KIND, _STEPS, _VERSION)

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
                "INSERT INTO samples VALUES (NULL,?,?,?,?,?,?,?,?,?,?,?,?)",
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
                        sample.claim,
                    )
                    for sample in samples
                ],
            )

    def samples(self, subnet: str, up_to: int | None = None) -> list[Sample]:
        """Samples in the order recorded, optionally up to and including an id."""
        return list(self._samples(subnet, up_to))

    def recent(self, subnet: str, most: int) -> list[Sample]:
        """The newest samples, at most so many, in the order recorded."""
        skipped = max(0, self._count(subnet) - most)
        return list(self._samples(subnet, skipped=skipped))

    def _samples(self, subnet: str, up_to: int | None = None, skipped: int = 0) -> Iterator[Sample]:
        rows = self._db.execute(
            "SELECT uid, hotkey, registered_at, round, verdict, score, reason, latency_ms,"
            " first_byte_ms, checks, claim FROM samples WHERE subnet = ? AND id <= ? ORDER BY id"
            " LIMIT -1 OFFSET ?",
            (subnet, up_to if up_to is not None else (1 << 62), skipped),
        )
        return map(_sample, rows)

    def subnets(self) -> list[str]:
        """Names of the subnets it has rounds of."""
        return [row[0] for row in self._db.execute("SELECT DISTINCT subnet FROM rounds ORDER BY 1")]

    def book(self, subnet: str) -> dict[int, Standing]:
        """The book of all samples so far."""
        return replayed(self._samples(subnet), self.base(subnet))

    def base(self, subnet: str) -> dict[int, Standing]:
        """What samples that were dropped led to; empty as long as all are there."""
        rows = self._db.execute("SELECT * FROM bases WHERE subnet = ? ORDER BY uid", (subnet,))
        return {
            uid: Standing(Identity(uid, hotkey, born), *rest)
            for _, uid, hotkey, born, *rest in rows
        }

    def seed(self, subnet: str, number: int) -> bytes | None:
        """The seed of a finished round: from it anyone can make the same challenge."""
        row = self._db.execute(
            "SELECT seed FROM rounds WHERE subnet = ? AND round = ?", (subnet, number)
        ).fetchone()
        return bytes(row[0]) if row else None

    def prune(self, subnet: str, keep: int, most: int = _PRUNED_AT_ONCE) -> int:
        """Drop the oldest samples, `most` at a time, until `keep` are left; how many were dropped.

        The rounds they were made in, and weights that rest on less than is left, go with them.
        """
        surplus = self._count(subnet) - keep
        if surplus <= 0:
            return 0
        dropped = min(surplus, most)
        query = "SELECT id, round FROM samples WHERE subnet = ? ORDER BY id LIMIT 1 OFFSET ?"
        last, _ = self._db.execute(query, (subnet, dropped - 1)).fetchone()
        left = self._db.execute(query, (subnet, dropped)).fetchone()
        base = replayed(self._samples(subnet, last), self.base(subnet))
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute("DELETE FROM samples WHERE subnet = ? AND id <= ?", (subnet, last))
            self._db.execute("DELETE FROM bases WHERE subnet = ?", (subnet,))
            self._db.executemany(
                "INSERT INTO bases VALUES (?,?,?,?,?,?,?,?,?)",
                [(subnet, uid, *_fields(standing)) for uid, standing in base.items()],
            )
            if left is not None:
                self._db.execute(
                    "DELETE FROM rounds WHERE subnet = ? AND round < ?", (subnet, left[1])
                )
            self._db.execute(
                "DELETE FROM weights WHERE subnet = ? AND last_sample < ?", (subnet, last)
            )
        return dropped

    def _count(self, subnet: str) -> int:
        row = self._db.execute("SELECT count(*) FROM samples WHERE subnet = ?", (subnet,))
        return int(row.fetchone()[0])

    def set_claim(self, subnet: str, claimed: Claimed) -> None:
        """Note what became of a miner's claim, in place of what was noted before."""
        self._db.execute(
            "INSERT OR REPLACE INTO claims VALUES (?,?,?,?,?,?)",
            (
                subnet,
                claimed.hotkey,
                claimed.digest,
                claimed.about,
                claimed.state,
                claimed.until_ms,
            ),
        )

    def claim(self, subnet: str, hotkey: str) -> Claimed | None:
        """What was noted last about a miner's claim; None if it never showed one."""
        row = self._db.execute(
            "SELECT hotkey, digest, about, state, until_ms FROM claims"
            " WHERE subnet = ? AND hotkey = ?",
            (subnet, hotkey),
        ).fetchone()
        return Claimed(*row) if row else None

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


def _sample(row: tuple[Any, ...]) -> Sample:
    uid, hotkey, born, number, verdict, score, reason, latency_ms, first_ms, checks, claim = row
    return Sample(
        Identity(uid, hotkey, born),
        number,
        Verdict(verdict),
        score,
        reason,
        latency_ms,
        first_ms,
        json.loads(checks),
        claim,
    )


def _fields(standing: Standing) -> tuple[Any, ...]:
    """A standing as it is kept in a base, but for the uid."""
    return (
        standing.miner.hotkey,
        standing.miner.registered_at,
        standing.quality,
        standing.samples,
        standing.failures,
        standing.latency_ms,
        standing.reason,
    )
