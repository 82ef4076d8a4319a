"""What each account used, and the receipts that prove what it got.

Both are rows of one file, written together, and a consumer is told the id of a receipt only when
its row is safe. Tokens are counted from what was delivered; only the length of a prompt, which the
gateway cannot count without the model's vocabulary, is the miner's word, within reason.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mycelia.gateway.directory import Route
from mycelia.gateway.keys import Account
from mycelia.gateway.metrics import Metrics
from mycelia.neuron import receipts
from mycelia.neuron.journal import Journal, JournalError
from mycelia.neuron.receipts import ReceiptBook
from mycelia.wire.contract import Signer
from mycelia.wire.receipt import Receipt

_SCHEMA = """
CREATE TABLE usage (
    id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, account TEXT NOT NULL, model TEXT NOT NULL,
    subnet TEXT NOT NULL, miner TEXT NOT NULL, prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL, receipt BLOB);
CREATE INDEX usage_by_account ON usage (account, model);
"""


@dataclass(frozen=True, slots=True)
class Use:
    """One answer, and what it counts for."""

    account: Account
    model: str
    """As the consumer named it; the subnet's name for its own form of call."""
    route: Route
    receipt: Receipt
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Meter:
    """Counts uses. Without a file it counts in memory only, and keeps no receipts."""

    def __init__(self, metrics: Metrics, journal: Journal | None = None) -> None:
        self._metrics = metrics
        self._journal = journal
        self._book: ReceiptBook | None = None
        self._signers: dict[str, Signer] = {}
        self._totals: Counter[tuple[str, str, str]] = Counter()

    @classmethod
    def open(cls, path: Path, signers: Sequence[Signer], metrics: Metrics) -> Meter:
        """Open or create the file. Raises `JournalError`.

        `signers` are the hotkeys that ask miners: each counter-signs the receipts of its own
        requests, and the first one seals the epochs.
        """
        journal = Journal(path, receipts.SCHEMA + _SCHEMA, receipts.VERSION)
        meter = cls(metrics, journal)
        meter._book = ReceiptBook(journal, signers[0])
        meter._signers = {signer.ss58_address: signer for signer in signers}
        return meter

    @property
    def book(self) -> ReceiptBook | None:
        """The receipts, if they are kept."""
        return self._book

    def close(self) -> None:
        """Write what is waiting, then release the file."""
        if self._journal is not None:
            self._journal.close()

    async def record(self, use: Use) -> str | None:
        """Record a use; return the id of its receipt, or None if that is not safe (yet)."""
        self._metrics.tokens(use.model, use.prompt_tokens, use.completion_tokens)
        account, model = use.account.name, use.model
        self._totals[account, model, "requests"] += 1
        self._totals[account, model, "prompt_tokens"] += use.prompt_tokens
        self._totals[account, model, "completion_tokens"] += use.completion_tokens
        if self._journal is None or self._book is None:
            return None
        row = (
            time.time_ns() // 1_000_000,
            account,
            model,
            use.route.subnet,
            use.route.endpoint.hotkey,
            use.prompt_tokens,
            use.completion_tokens,
        )
        statement = receipts.CoSigned.by(self._signers[use.receipt.caller], use.receipt)
        leaf = statement.leaf

        def write(db: sqlite3.Connection) -> None:
            receipts.insert(db, use.route.subnet, use.route.epoch, statement)
            db.execute("INSERT INTO usage VALUES (NULL,?,?,?,?,?,?,?,?)", (*row, leaf))

        try:
            # Shielded: a consumer that leaves at the last moment was served all the same.
            await asyncio.shield(self._journal.write(write))
        except JournalError:
            # The answer is good and the row will be written; it just cannot be promised now.
            self._metrics.late_receipts += 1
            return None
        return leaf.hex()

    def usage(self, account: Account) -> dict[str, dict[str, int]]:
        """Return what an account used, by model: of all time if there is a file."""
        found: dict[str, dict[str, int]] = {}
        if self._journal is None:
            for (name, model, what), count in self._totals.items():
                if name == account.name:
                    found.setdefault(model, {})[what] = count
            return found
        with closing(self._journal.reader()) as db:
            rows = db.execute(
                "SELECT model, count(*), sum(prompt_tokens), sum(completion_tokens)"
                " FROM usage WHERE account = ? GROUP BY model",
                (account.name,),
            )
            for model, requests, prompt, completion in rows:
                found[model] = {
                    "requests": requests,
                    "prompt_tokens": prompt,
                    "completion_tokens": completion,
                }
        return found
