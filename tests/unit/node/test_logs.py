"""What the lines of a node's log look like."""

from __future__ import annotations

import logging
import re
import sys

from mycelia.node.logs import OneLine

LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO|WARNING|ERROR|CRITICAL) [a-z.]+ [a-z_0-9]+"
    r"( [a-z_]+=('[^']*'|\"[^\"]*\"|\S+))*"
)


def line(message: str, *values: object, failure: bool = False) -> str:
    cause = sys.exc_info() if failure else None
    record = logging.LogRecord("mycelia.node", logging.INFO, __file__, 1, message, values, cause)
    record.created, record.msecs = 1_000_000_000.5, 500.0
    return OneLine().format(record)


def test_an_event_is_a_line_in_utc() -> None:
    said = line("extrinsic_refused hash=0x%s cause=%r", "ab", "Transaction is outdated")
    assert said == (
        "2001-09-09T01:46:40.500Z INFO mycelia.node"
        " extrinsic_refused hash=0xab cause='Transaction is outdated'"
    )
    assert LINE.fullmatch(said)


def test_a_traceback_stays_on_its_line() -> None:
    try:
        raise ZeroDivisionError("first\nsecond")
    except ZeroDivisionError:
        said = line("extrinsic_broke_a_rule", failure=True)
    assert "\n" not in said
    assert "ZeroDivisionError: first\\nsecond" in said


def test_no_character_begins_a_line_of_its_own() -> None:
    said = line("extrinsic_refused cause=%s", "one\r\ntwo\x85three\u2028four\x1b[2J")
    assert said.splitlines() == [said]
    assert said.isprintable()
