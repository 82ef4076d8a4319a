"""What tests of the lab share: trials in which nobody is late by the machine's fault."""

import pytest

from mycelia.wire.errors import Rejection


async def _late(_ask: object, _context: object) -> None:
    raise Rejection(408, "timeout", "It sleeps past the deadline.", "Answer in time.")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for replies however slow the machine, and for those that never come not at all."""
    monkeypatch.setattr("mycelia.lab.trial._LEAST_DEADLINE_S", 30.0)
    monkeypatch.setattr("mycelia.lab.entrants.late", _late)
    monkeypatch.setattr("mycelia.lab.entrants._RELAY_WAIT", 0.003)
