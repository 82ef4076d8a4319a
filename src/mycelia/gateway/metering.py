"""What each account used, and the receipts that prove what it got.

Both are rows of one file, written together, and a consumer is told the id of a receipt only when
its row is safe. What was delivered of an answer that broke off, or whose consumer left, counts as
well; it just has no receipt. While one commit is under way the rows of the next one gather: the
more there is to do, the less each row costs. Tokens are counted from what was delivered; only the
length of a prompt, which the gateway cannot count without the model's vocabulary, is the miner's
word, within reason.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mycelia.gateway.directory import Route
from mycelia.gateway.keys import Account
from mycelia.gateway.metrics import Metrics
from mycelia.neuron import receipts
from mycelia.neuron.journal import Journal, JournalError
from mycelia.neuron.receipts import ReceiptBook
from mycelia.wire.contract import Signer
from mycelia.wire.receipt import Exchange, Receipt, Times

_log = logging.getLogger(__name__)
_SCHEMA = """
CREATE TABLE usage (
    id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, account TEXT NOT NULL, model TEXT NOT NULL,
    subnet TEXT NOT NULL, miner TEXT NOT NULL, prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL, receipt BLOB);
CREATE INDEX usage_by_account ON usage (account, model);
"""
_BATCH = 256
"""Rows of one commit at most: what cannot be written is kept in memory by commits."""
_GATHER_S = 0.004
"""How long a commit waits for more rows if the last one had several: each syncs the disk.
Source: PostgreSQL's `commit_delay` and `commit_siblings`."""


@dataclass(slots=True)
class Use:
    """One answer, and what it counts for."""

    account: Account
    model: str
    """As the consumer named it; the subnet's name for its own form of call."""
    route: Route
    receipt: Receipt | None
    """None for an answer that did not come to its end."""
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(slots=True)
class _Row:
    """What is to be written of one use, and who waits for it."""

    usage: tuple[object, ...]
    statement: tuple[str, int, bytes, receipts.CoSigned] | None
    """As `insert_all` takes it."""
    is_safe: asyncio.Future[bool]


class Meter:
    """Counts uses. Without a file it counts in memory only, and keeps no receipts."""

    def __init__(self, metrics: Metrics, journal: Journal | None = None) -> None:
        self._metrics = metrics
        self._journal = journal
        self._book: ReceiptBook | None = None
        self._signers: dict[str, Signer] = {}
        self._waiting: list[_Row] = []
        self._writer: asyncio.Task[None] | None = None
        self._is_busy = False
        """The last commit had several rows."""
        self._totals: Counter[tuple[str, str, str]] = Counter()

    @classmethod
    def open(cls, path: Path, signers: Sequence[Signer], metrics: Metrics) -> Meter:
        """Open or create the file. Raises `JournalError`.

        `signers` are the hotkeys that ask miners: each counter-signs the receipts of its own
        requests, and the first one seals the epochs.
        """
        journal = Journal(path, receipts.SCHEMA + _SCHEMA, receipts.VERSION, receipts.STEPS)
        meter = cls(metrics, journal)
        meter._book = ReceiptBook(journal, signers[0])
        meter._signers = {signer.ss58_address: signer for signer in signers}
        return meter

    @property
    def book(self) -> ReceiptBook | None:
        """The receipts, if they are kept."""
        return self._book

    def own(self, asked: bytes, answered: bytes, times: Times) -> Receipt | None:
        """Make the receipt of work that the gateway did itself; None where none are kept."""
        if self._book is None:
            return None
        signer, digest = self._book.caller, hashlib.sha256(answered).digest()
        hotkey = signer.ss58_address
        exchange = Exchange(hotkey, hotkey, hashlib.sha256(asked).digest())
        return exchange.read(exchange.sign(signer, digest, 200, times), digest, 200)

    async def close(self) -> None:
        """Write what is waiting, then release the file."""
        if self._writer is not None:
            await self._writer
        if self._journal is not None:
            self._journal.close()

    async def record(self, use: Use) -> str | None:
        """Record a use; return the id of its receipt, or None if that is not safe (yet)."""
        row = self.note(use)
        if row is None or row.statement is None:
            return None
        # A consumer that leaves at the last moment was served all the same: the row stays.
        return row.statement[2].hex() if await row.is_safe else None

    def note(self, use: Use) -> _Row | None:
        """Record a use without waiting for it to be safe."""
        self._metrics.tokens(use.model, use.prompt_tokens, use.completion_tokens)
        if self._journal is None:
            account, model = use.account.name, use.model
            self._totals[account, model, "requests"] += 1
            self._totals[account, model, "prompt_tokens"] += use.prompt_tokens
            self._totals[account, model, "completion_tokens"] += use.completion_tokens
            return None
        loop = asyncio.get_running_loop()
        row = self._row(use, loop.create_future())
        self._waiting.append(row)
        if self._writer is None:
            self._writer = loop.create_task(self._write(self._journal))
        return row

    def _row(self, use: Use, is_safe: asyncio.Future[bool]) -> _Row:
        route, receipt, statement = use.route, use.receipt, None
        if receipt is not None:
            signed = receipts.CoSigned.by(self._signers[receipt.caller], receipt)
            statement = (route.subnet, route.epoch, signed.leaf, signed)
        usage = (
            time.time_ns() // 1_000_000,
            use.account.name,
            use.model,
            route.subnet,
            route.endpoint.hotkey if receipt is None else receipt.miner,
            use.prompt_tokens,
            use.completion_tokens,
            statement and statement[2],
        )
        return _Row(usage, statement, is_safe)

    async def _write(self, journal: Journal) -> None:
        """Commit the rows that wait, until there are none."""
        while self._waiting:
            if self._is_busy:
                await asyncio.sleep(_GATHER_S)
            rows, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            self._is_busy = len(rows) > 1
            await self._commit(journal, rows)
        self._writer = None

    async def _commit(self, journal: Journal, rows: Sequence[_Row]) -> None:
        """Write rows together; if one of them does not fit, each by itself."""
        try:
            await journal.write(partial(_insert, rows))
        except JournalError:
            # The answers are good and the rows will be written; not now, is all.
            self._metrics.late_receipts += len(rows)
            _settle(rows, is_safe=False)
        except (sqlite3.Error, OverflowError) as error:
            if len(rows) > 1:
                for row in rows:
                    await self._commit(journal, [row])
                return
            _log.error("a use cannot be written: %s", error)
            _settle(rows, is_safe=False)
        else:
            _settle(rows, is_safe=True)

    async def usage(self, account: Account) -> dict[str, dict[str, int]]:
        """Return what an account used, by model: of all time if there is a file."""
        if self._journal is not None:
            return await asyncio.to_thread(_summed, self._journal, account)
        found: dict[str, dict[str, int]] = {}
        for (name, model, what), count in self._totals.items():
            if name == account.name:
                found.setdefault(model, {})[what] = count
        return found


def _summed(journal: Journal, account: Account) -> dict[str, dict[str, int]]:
    """Sum up all that an account ever did, which takes its time."""
    query = (
        "SELECT model, count(*), sum(prompt_tokens), sum(completion_tokens)"
        " FROM usage WHERE account = ? GROUP BY model"
    )
    with closing(journal.reader()) as db:
        return {
            model: {"requests": count, "prompt_tokens": prompt, "completion_tokens": completion}
            for model, count, prompt, completion in db.execute(query, (account.name,))
        }


def _insert(rows: Sequence[_Row], db: sqlite3.Connection) -> None:
    receipts.insert_all(db, [row.statement for row in rows if row.statement is not None])
    usage = [row.usage for row in rows]
    db.executemany("INSERT INTO usage VALUES (NULL,?,?,?,?,?,?,?,?)", usage)


def _settle(rows: Sequence[_Row], *, is_safe: bool) -> None:
    for row in rows:
        if not row.is_safe.done():
            row.is_safe.set_result(is_safe)
