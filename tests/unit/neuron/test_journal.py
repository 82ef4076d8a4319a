"""A write that objects is undone alone and told so; the writer lives on."""

import asyncio

import pytest

from mycelia.neuron.journal import Journal, JournalError

_SCHEMA = "CREATE TABLE numbers (number INTEGER PRIMARY KEY) WITHOUT ROWID;"


def _adding(number):
    return lambda db: db.execute("INSERT INTO numbers VALUES (?)", (number,)).rowcount


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path / "numbers", _SCHEMA, 1)
    yield opened
    opened.close()


@pytest.mark.parametrize("unfit", [1 << 80, object(), None], ids=["large", "no value", "null"])
async def test_what_cannot_be_written_takes_nothing_else_with_it(journal, unfit):
    asked = [journal.write(_adding(1)), journal.write(_adding(unfit)), journal.write(_adding(2))]
    async with asyncio.timeout(30):
        first, refused, last = await asyncio.gather(*asked, return_exceptions=True)
    assert (first, last) == (1, 1)
    assert isinstance(refused, Exception)
    assert not isinstance(refused, JournalError)
    async with asyncio.timeout(30):
        assert await journal.write(_adding(3)) == 1
