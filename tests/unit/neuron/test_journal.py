"""A write that objects is undone alone and told so; the writer lives on."""

import asyncio
import contextlib

import pytest

from mycelia.neuron.journal import Journal, JournalError, _Job

_SCHEMA = "CREATE TABLE numbers (number INTEGER PRIMARY KEY) WITHOUT ROWID;"


def _adding(number):
    return lambda db: db.execute("INSERT INTO numbers VALUES (?)", (number,)).rowcount


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path / "numbers", _SCHEMA, 1)
    yield opened
    opened.close()


class Closing:
    """A loop that is closed between the question and the call."""

    def is_closed(self):
        return False

    def call_soon_threadsafe(self, *_):
        raise RuntimeError("Event loop is closed")


async def test_who_asked_from_a_loop_that_is_gone_ends_nothing(journal):
    journal._queue.put(_Job(_adding(1), Closing(), None))
    async with asyncio.timeout(30):
        assert await journal.write(_adding(2)) == 1
    with contextlib.closing(journal.reader()) as database:
        assert database.execute("SELECT number FROM numbers").fetchall() == [(1,), (2,)]


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
