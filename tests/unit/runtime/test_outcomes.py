"""Every error and event that a call declares is reached by a test."""

from __future__ import annotations

from typing import Any

import pytest

from mycelia.frame import CallSpec
from mycelia.runtime.absent.declare import AbsentCall
from mycelia.runtime.compose import COMPOSITION
from tests.unit.conftest import Reached


def declared() -> list[tuple[CallSpec, type[Any]]]:
    """Each call that has rules, with each outcome it declares."""
    return [
        (spec, kind)
        for group in COMPOSITION.groups
        for spec in group.calls
        if not isinstance(spec, AbsentCall)
        for kind in (*spec.fails, *spec.emits)
    ]


def test_every_declared_outcome_was_reached(reached: Reached, *, is_whole_run: bool) -> None:
    if not is_whole_run:
        pytest.skip("looks back on all tests of pallets and runtime: run tests/unit")
    missing = {
        (spec.name, kind.wire_name) for spec, kind in declared() if (spec, kind) not in reached
    }
    assert not missing, (
        "write a test in which the call ends so, or let it not declare what it never does"
    )
