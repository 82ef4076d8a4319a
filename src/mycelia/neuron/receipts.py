"""The receipts a caller holds, counter-signed, and one number per epoch that stands for all.

A receipt is a miner's word about one request. The caller adds its own: with both signatures the row
is a statement that neither can take back, about who was asked what and what came of it. Validators
rest scores on it, gateways bills.

At the end of an epoch the book is *sealed*: the Merkle root over all its statements is signed and
may be published. From then on nobody can slip a receipt in or out unnoticed, and any single one is
shown to belong by a proof of a few hashes, without showing the others.

Terms: *statement* - the text of a receipt and both signatures; *leaf* - its digest, and the id of
the row. Leaves are in ascending order, so the root follows from the set alone.
Source: RFC 6962 section 2.1 (shape of the tree, prefixes of leaves and nodes, paths).
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from mycelia.neuron.journal import Journal
from mycelia.primitives.errors import AppError
from mycelia.wire.btauth import is_signed_by, scheme_of
from mycelia.wire.contract import Signer
from mycelia.wire.receipt import Receipt

VERSION = 2
SCHEMA = """
CREATE TABLE receipts (
    leaf BLOB PRIMARY KEY, subnet TEXT NOT NULL, epoch INTEGER NOT NULL,
    miner TEXT NOT NULL, caller TEXT NOT NULL, request_digest BLOB NOT NULL,
    response_digest BLOB NOT NULL, status INTEGER NOT NULL, started_ms INTEGER NOT NULL,
    first_byte_ms INTEGER NOT NULL, finished_ms INTEGER NOT NULL, claim BLOB,
    scheme TEXT NOT NULL, signature BLOB NOT NULL,
    counter_scheme TEXT NOT NULL, counter_signature BLOB NOT NULL,
    tokens_in INTEGER, tokens_out INTEGER) WITHOUT ROWID;
CREATE INDEX receipts_by_epoch ON receipts (subnet, epoch, leaf);
CREATE TABLE roots (
    subnet TEXT NOT NULL, epoch INTEGER NOT NULL, count INTEGER NOT NULL, root BLOB NOT NULL,
    caller TEXT NOT NULL, scheme TEXT NOT NULL, signature BLOB NOT NULL,
    PRIMARY KEY (subnet, epoch)) WITHOUT ROWID;
"""
"""Of the tables here; a program may keep more in the same file."""
STEPS = {
    1: "ALTER TABLE receipts ADD COLUMN tokens_in INTEGER;"
    "ALTER TABLE receipts ADD COLUMN tokens_out INTEGER;"
}
"""What brings a file of each older format to this one."""
_COUNTER = b"mycelia-counter/1\n"
_ROOT = "mycelia-receipts/1"


class ReceiptError(AppError):
    """There is no such receipt or root, or it does not say what it should."""


@dataclass(frozen=True, slots=True)
class CoSigned:
    """A receipt with the caller's signature beside the miner's."""

    receipt: Receipt
    scheme: str
    signature: bytes

    @classmethod
    def by(cls, caller: Signer, receipt: Receipt) -> CoSigned:
        """Counter-sign a receipt that was verified."""
        signature = caller.sign(_COUNTER + receipt.text() + receipt.signature)
        return cls(receipt, scheme_of(caller), signature)

    @property
    def leaf(self) -> bytes:
        """The statement's place in the tree, and its id."""
        text = self.receipt.text() + self.receipt.signature + self.signature
        return hashlib.sha256(b"\x00" + text).digest()

    def verify(self) -> None:
        """Raise `BadReceipt` or `ReceiptError` unless both signed."""
        self.receipt.verify()
        text = _COUNTER + self.receipt.text() + self.receipt.signature
        if not is_signed_by(text, self.signature, self.receipt.caller, self.scheme):
            raise _invalid("The counter-signature is not the caller's.")


@dataclass(frozen=True, slots=True)
class SealedRoot:
    """What a caller publishes about its receipts of one epoch."""

    subnet: str
    epoch: int
    count: int
    root: bytes
    caller: str
    scheme: str
    signature: bytes

    def text(self) -> bytes:
        """Return the bytes that the signature covers."""
        return (
            f"{_ROOT}\n{self.subnet}\n{self.epoch}\n{self.count}\n{self.root.hex()}\n{self.caller}"
        ).encode()

    def commitment(self) -> str:
        """Return the words by which it stands on the chain, beside its caller's weights."""
        return f"{_ROOT} {self.epoch} {self.count} {self.root.hex()}"

    def verify(self) -> None:
        """Raise `ReceiptError` unless the caller signed this root."""
        if not is_signed_by(self.text(), self.signature, self.caller, self.scheme):
            raise _invalid("The root is not signed by its caller.")


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A proof that a statement is among `count`: the siblings on its way up, lowest first."""

    index: int
    count: int
    path: tuple[bytes, ...]

    def verify(self, statement: CoSigned, root: bytes) -> None:
        """Raise `ReceiptError` unless the way up from the statement ends at the root."""
        if _climb(statement.leaf, self.index, self.count, self.path) != root:
            raise _invalid("The statement is not under this root.")


class ReceiptBook:
    """A caller's book, in a journal that has the tables of `SCHEMA`. `caller` signs and seals."""

    def __init__(self, journal: Journal, caller: Signer) -> None:
        self._journal = journal
        self.caller = caller

    @classmethod
    def open(cls, path: Path, caller: Signer) -> ReceiptBook:
        """Open or create a file of its own. Raises `JournalError` when it cannot be used."""
        return cls(Journal(path, SCHEMA, VERSION, STEPS), caller)

    def close(self) -> None:
        """Write what is waiting, then release the file."""
        self._journal.close()

    async def add(self, subnet: str, epoch: int, receipt: Receipt) -> bytes:
        """Counter-sign a verified receipt; return its leaf once the row is safe.

        One that comes after its epoch was sealed counts for the first one still open.
        Raises `JournalError` when the disk takes nothing; the row is then written later.
        """
        statement = CoSigned.by(self.caller, receipt)
        await self._journal.write(lambda db: insert(db, subnet, epoch, statement))
        return statement.leaf

    async def seal(self, subnet: str, epoch: int) -> SealedRoot:
        """Close an epoch, and what before it was left open; return its root.

        Sealing again returns the same.
        """

        def write(db: sqlite3.Connection) -> SealedRoot:
            kept = _root(db, subnet, epoch)
            if kept is not None:
                return kept
            # Late ones, and those of epochs whose end nobody was there to seal.
            db.execute(
                "UPDATE receipts SET epoch = ? WHERE subnet = ? AND epoch > ? AND epoch < ?",
                (epoch, subnet, _last_sealed(db, subnet), epoch),
            )
            leaves = _leaves(db, subnet, epoch)
            root = merkle_root(leaves)
            caller, scheme = self.caller.ss58_address, scheme_of(self.caller)
            bare = SealedRoot(subnet, epoch, len(leaves), root, caller, scheme, b"")
            signature = self.caller.sign(bare.text())
            db.execute(
                "INSERT INTO roots VALUES (?,?,?,?,?,?,?)",
                (subnet, epoch, len(leaves), root, caller, scheme, signature),
            )
            return SealedRoot(subnet, epoch, len(leaves), root, caller, scheme, signature)

        return await self._journal.write(write)

    def find(self, leaf: bytes) -> CoSigned:
        """Return a statement. Raises `ReceiptError` if it is not in the book."""
        with closing(self._journal.reader()) as db:
            return _find(db, leaf)[0]

    def proof(self, leaf: bytes) -> tuple[Inclusion, SealedRoot]:
        """Return the proof that a statement is under the root of its sealed epoch.

        Raises `ReceiptError` if it is not in the book, or its epoch is still open.
        """
        with closing(self._journal.reader()) as db:
            _, subnet, epoch = _find(db, leaf)
            root = _root(db, subnet, epoch)
            if root is None:
                raise ReceiptError(
                    "epoch_open",
                    f"Epoch {epoch} of {subnet} is not sealed yet.",
                    "Ask again after its end.",
                )
            leaves = _leaves(db, subnet, epoch)
        return merkle_proof(leaves, leaves.index(leaf)), root

    def count(self, subnet: str, epoch: int) -> int:
        """Statements of an epoch so far."""
        with closing(self._journal.reader()) as db:
            return len(_leaves(db, subnet, epoch))


def insert(db: sqlite3.Connection, subnet: str, epoch: int, statement: CoSigned) -> None:
    """Put a statement under the epoch, or the first one still open. For use inside a write."""
    insert_all(db, [(subnet, epoch, statement.leaf, statement)])


def insert_all(db: sqlite3.Connection, rows: Sequence[tuple[str, int, bytes, CoSigned]]) -> None:
    """Put (subnet, epoch, leaf, statement) as `insert` does, at the price of fewer."""
    sealed: dict[str, int] = {}
    for subnet, *_ in rows:
        if subnet not in sealed:
            sealed[subnet] = _last_sealed(db, subnet)
    db.executemany(
        "INSERT INTO receipts VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        [
            _row(subnet, max(epoch, sealed[subnet] + 1), leaf, statement)
            for subnet, epoch, leaf, statement in rows
        ],
    )


def _row(subnet: str, epoch: int, leaf: bytes, statement: CoSigned) -> tuple[object, ...]:
    receipt = statement.receipt
    return (
        leaf,
        subnet,
        epoch,
        receipt.miner,
        receipt.caller,
        receipt.request_digest,
        receipt.response_digest,
        receipt.status,
        receipt.started_ms,
        receipt.first_byte_ms,
        receipt.finished_ms,
        receipt.claim,
        receipt.scheme,
        receipt.signature,
        statement.scheme,
        statement.signature,
        receipt.tokens_in,
        receipt.tokens_out,
    )


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaves; of none, the digest of nothing."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def merkle_proof(leaves: Sequence[bytes], index: int) -> Inclusion:
    """Return the siblings on the way from a leaf to the root."""
    level, at, path = list(leaves), index, []
    while len(level) > 1:
        if at ^ 1 < len(level):
            path.append(level[at ^ 1])
        level, at = _above(level), at // 2
    return Inclusion(index, len(leaves), tuple(path))


def _climb(leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root at the end of a path; None if the path does not fit the tree."""
    node, at, width, left = leaf, index, count, list(reversed(path))
    if not 0 <= index < count:
        return None
    while width > 1:
        if at ^ 1 < width:
            if not left:
                return None
            sibling = left.pop()
            node = _node(sibling, node) if at & 1 else _node(node, sibling)
        at, width = at // 2, (width + 1) // 2
    return None if left else node


def _above(level: list[bytes]) -> list[bytes]:
    """Join neighbours; a last one without a neighbour goes up as it is."""
    joined = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return joined + level[len(level) & ~1 :]


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _leaves(db: sqlite3.Connection, subnet: str, epoch: int) -> list[bytes]:
    rows = db.execute(
        "SELECT leaf FROM receipts WHERE subnet = ? AND epoch = ? ORDER BY leaf", (subnet, epoch)
    )
    return [bytes(row[0]) for row in rows]


def _last_sealed(db: sqlite3.Connection, subnet: str) -> int:
    """Return the newest sealed epoch; -1 before the first."""
    last = db.execute("SELECT max(epoch) FROM roots WHERE subnet = ?", (subnet,)).fetchone()[0]
    return -1 if last is None else int(last)


def _root(db: sqlite3.Connection, subnet: str, epoch: int) -> SealedRoot | None:
    row = db.execute(
        "SELECT * FROM roots WHERE subnet = ? AND epoch = ?", (subnet, epoch)
    ).fetchone()
    return SealedRoot(*row) if row else None


def _find(db: sqlite3.Connection, leaf: bytes) -> tuple[CoSigned, str, int]:
    row = db.execute("SELECT * FROM receipts WHERE leaf = ?", (leaf,)).fetchone()
    if row is None:
        raise ReceiptError(
            "receipt_not_found", f"There is no receipt {leaf.hex()[:16]}.", "Check its id."
        )
    _, subnet, epoch, *fields, scheme, signature, tokens_in, tokens_out = row
    receipt = replace(Receipt(*fields), tokens_in=tokens_in, tokens_out=tokens_out)
    return CoSigned(receipt, scheme, signature), subnet, epoch


def _invalid(message: str) -> ReceiptError:
    return ReceiptError(
        "receipt_invalid", message, "Do not rely on it; ask the caller for its own."
    )
