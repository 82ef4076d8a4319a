"""Nothing that clients read from the metadata moves unnoticed.

Record again with `MYCELIA_RECORD=1 pytest tests/golden`, and read the difference: `metadata.txt` lists every pallet,
item, call, event, error, runtime API and type. A change that clients see raises `SPEC_VERSION`.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest

from tests.golden.listing import lines

GOLDEN = Path(__file__).with_name("metadata.txt")
SHOWN = 60


def test_metadata_has_not_moved() -> None:
    found = lines()
    if os.environ.get("MYCELIA_RECORD"):
        GOLDEN.write_text("\n".join(found) + "\n", encoding="utf-8")
        pytest.skip("recorded")
    expected = GOLDEN.read_text(encoding="utf-8").splitlines()
    moved = list(difflib.unified_diff(expected, found, "recorded", "found", lineterm="", n=0))
    assert not moved, "\n".join(["The metadata moved:", *moved[:SHOWN]])
