"""Receipts are counter-signed, safe when the await returns, and provable under one root."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import astuple, replace
from pathlib import Path

import bittensor_core
import pytest

from mycelia.neuron.journal import Journal, JournalError
from mycelia.neuron.receipts import (
    SCHEMA,
    CoSigned,
    Inclusion,
    ReceiptBook,
    ReceiptError,
    merkle_proof,
    merkle_root,
)
from mycelia.wire import BadReceipt, Receipt
from mycelia.wire.contract import Usage
from mycelia.wire.receipt import Exchange, Times

MINER = bittensor_core.Keypair.create_from_uri("//miner")
CALLER = bittensor_core.Keypair.create_from_uri("//caller")


def receipt(number: int, claim: bytes | None = None, usage: Usage | None = None) -> Receipt:
    digest = number.to_bytes(32, "big")
    exchange = Exchange(MINER.ss58_address, CALLER.ss58_address, digest, claim, usage)
    wire = exchange.sign(MINER, digest, 200, Times(number, number + 1, number + 2))
    return Exchange(MINER.ss58_address, CALLER.ss58_address, digest).read(wire, digest, 200)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[ReceiptBook]:
    book = ReceiptBook.open(tmp_path / "receipts.db", CALLER)
    yield book
    book.close()


@pytest.mark.parametrize(
    ("claim", "usage"), [(None, None), (b"c" * 32, None), (b"c" * 32, Usage(5, 0))]
)
async def test_a_statement_comes_back_with_both_signatures(book, claim, usage):
    given = receipt(1, claim, usage)
    leaf = await book.add("text", 7, given)
    found = book.find(leaf)
    found.verify()
    assert (found.receipt, found.leaf) == (given, leaf)


async def test_a_book_of_the_first_format_is_taken_over(tmp_path):
    path = tmp_path / "receipts.db"
    old = SCHEMA.replace(",\n    tokens_in INTEGER, tokens_out INTEGER)", ")")
    assert old != SCHEMA
    journal = Journal(path, old, 1)
    statement = CoSigned.by(CALLER, receipt(1))
    fields = astuple(statement.receipt)[:-2]
    row = (statement.leaf, "text", 7, *fields, statement.scheme, statement.signature)
    insert = f"INSERT INTO receipts VALUES ({'?,' * 15}?)"
    await journal.write(lambda db: db.execute(insert, row).rowcount)
    journal.close()
    for number in (2, 3):
        book = ReceiptBook.open(path, CALLER)
        assert book.find(statement.leaf) == statement
        leaf = await book.add("text", 7, receipt(number, usage=Usage(1, 2)))
        assert book.find(leaf).receipt.usage == Usage(1, 2)
        book.close()


def test_each_signature_is_needed():
    statement = CoSigned.by(CALLER, receipt(1))
    statement.verify()
    with pytest.raises(ReceiptError):
        replace(statement, signature=CoSigned.by(CALLER, receipt(2)).signature).verify()
    with pytest.raises(ReceiptError):
        CoSigned.by(MINER, receipt(1)).verify()
    with pytest.raises(BadReceipt):
        replace(statement, receipt=replace(statement.receipt, finished_ms=9)).verify()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 33])
async def test_every_statement_is_proven_under_the_sealed_root(book, count):
    leaves = await asyncio.gather(*(book.add("text", 3, receipt(n)) for n in range(count)))
    await book.add("text", 4, receipt(count))
    await book.add("other", 3, receipt(count + 1))
    root = await book.seal("text", 3)
    root.verify()
    assert root.count == count
    for leaf in leaves:
        proof, proven = book.proof(leaf)
        assert proven == root
        proof.verify(book.find(leaf), root.root)
        if count > 1:
            with pytest.raises(ReceiptError):
                replace(proof, path=(*proof.path[:-1], bytes(32))).verify(
                    book.find(leaf), root.root
                )


async def test_a_late_receipt_goes_to_the_open_epoch_and_leaves_the_root_alone(book):
    await book.add("text", 3, receipt(1))
    root = await book.seal("text", 3)
    leaf = await book.add("text", 3, receipt(2))
    assert await book.seal("text", 3) == root
    assert (book.count("text", 3), book.count("text", 4)) == (1, 1)
    with pytest.raises(ReceiptError) as refused:
        book.proof(leaf)
    assert refused.value.code == "epoch_open"


async def test_what_no_seal_has_covered_goes_under_the_next_one(book):
    # The program was not running when this one's epoch ended.
    missed = await book.add("text", 3, receipt(1))
    await book.seal("text", 23)
    # The seal came while these two were under way; epochs are heights, and 24 is none.
    late = [await book.add("text", 23, receipt(2)), await book.add("text", 3, receipt(3))]
    elsewhere = await book.add("vision", 3, receipt(4))
    sealed = await book.seal("text", 43)
    assert sealed.count == 2
    for leaf, epoch in [(missed, 23), *((leaf, 43) for leaf in late)]:
        proof, root = book.proof(leaf)
        assert root.epoch == epoch
        proof.verify(book.find(leaf), root.root)
    with pytest.raises(ReceiptError):
        book.proof(elsewhere)


async def test_a_root_covers_its_place_and_count(book):
    await book.add("text", 3, receipt(1))
    root = await book.seal("text", 3)
    for changed in ({"epoch": 4}, {"subnet": "x"}, {"count": 2}, {"root": bytes(32)}):
        with pytest.raises(ReceiptError):
            replace(root, **changed).verify()


def test_unknown_receipts_are_said_to_be(book):
    with pytest.raises(ReceiptError) as refused:
        book.find(bytes(32))
    assert refused.value.code == "receipt_not_found"


@pytest.mark.parametrize("count", range(1, 20))
def test_no_proof_fits_another_leaf_place_or_tree(count):
    rng = random.Random(count)
    leaves = sorted(rng.randbytes(32) for _ in range(count))
    root = merkle_root(leaves)

    class Leaf:
        def __init__(self, leaf: bytes) -> None:
            self.leaf = leaf

    for index, leaf in enumerate(leaves):
        proof = merkle_proof(leaves, index)
        proof.verify(Leaf(leaf), root)
        wrong = [
            (Leaf(rng.randbytes(32)), proof),
            (Leaf(leaf), replace(proof, path=(*proof.path, leaf))),
            (Leaf(leaf), Inclusion(count, count, proof.path)),
        ]
        if count > 1:
            wrong.append((Leaf(leaf), replace(proof, path=proof.path[:-1])))
            wrong.append((Leaf(leaves[index - 1]), proof))
        for statement, bad in wrong:
            with pytest.raises(ReceiptError):
                bad.verify(statement, root)


KILLED = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_receipts import CALLER, ReceiptBook, receipt

async def main():
    book = ReceiptBook.open(Path(sys.argv[1]), CALLER)
    number = 0
    async def one(n):
        leaf = await book.add("text", 1, receipt(n))
        print(leaf.hex(), flush=True)
    while True:
        await asyncio.gather(*(one(number + n) for n in range(20)))
        number += 20

asyncio.run(main())
"""


@pytest.mark.slow
def test_what_was_acknowledged_survives_sigkill(tmp_path):
    path = tmp_path / "receipts.db"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    told = [process.stdout.readline().strip() for _ in range(200)]
    process.send_signal(signal.SIGKILL)
    told += process.stdout.read().split()
    process.stdout.close()
    process.wait()
    with closing(sqlite3.connect(path)) as db:
        kept = {row[0].hex() for row in db.execute("SELECT leaf FROM receipts")}
    acknowledged = {word.decode() for word in told if len(word) == 64}
    assert len(acknowledged) >= 200
    assert acknowledged <= kept


async def test_a_full_disk_is_told_and_mended(tmp_path):
    journal = Journal(tmp_path / "j.db", "CREATE TABLE t (x BLOB);", 1)
    try:
        pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
        journal._db.execute(f"PRAGMA max_page_count={pages + 2}")
        big = bytes(100_000)
        with pytest.raises(JournalError) as stuck:
            await journal.write(lambda db: db.execute("INSERT INTO t VALUES (?)", (big,)) and None)
        assert (stuck.value.code, bool(stuck.value.remedy)) == ("journal_stuck", True)
        journal._db.execute("PRAGMA max_page_count=100000")
        async with asyncio.timeout(30):
            assert await journal.write(_count) == 1
    finally:
        journal.close()


async def test_one_bad_write_does_not_undo_the_others(tmp_path):
    journal = Journal(tmp_path / "j.db", "CREATE TABLE t (x INTEGER PRIMARY KEY);", 1)

    def insert(number: int):
        return journal.write(lambda db: db.execute("INSERT INTO t VALUES (?)", (number,)) and None)

    results = await asyncio.gather(*(insert(n) for n in (1, 2, 1, 3)), return_exceptions=True)
    assert [type(result) for result in results].count(sqlite3.IntegrityError) == 1
    assert await journal.write(_count) == 3
    journal.close()


def _count(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM t").fetchone()[0])


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be one" * 20])
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "receipts.db"
    path.write_bytes(content)
    with pytest.raises(JournalError) as refused:
        ReceiptBook.open(path, CALLER)
    assert refused.value.remedy


def test_a_newer_file_is_refused(tmp_path):
    path = tmp_path / "receipts.db"
    ReceiptBook.open(path, CALLER).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(JournalError) as refused:
        ReceiptBook.open(path, CALLER)
    assert refused.value.code == "journal_newer"
