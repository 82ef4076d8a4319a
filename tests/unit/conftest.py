"""Remembers how calls ended in this run, for the last test: whether all that calls declare was reached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mycelia.frame import CallSpec, Error, Origin
from mycelia.runtime import Runtime

LAST = "test_every_declared_outcome_was_reached"


class Reached(set[tuple[CallSpec, type]]):
    """Calls with the errors and events they ended in."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the test that looks back after all others."""
    items.sort(key=lambda item: item.name == LAST)


@pytest.fixture(scope="session")
def is_whole_run(request: pytest.FixtureRequest, root: Path) -> bool:
    """Whether this run has every test of the rules."""
    folders = [root / "tests/unit" / part for part in ("pallets", "runtime")]
    due = {path for folder in folders for path in folder.rglob("test_*.py")}
    config = request.config.option
    return due <= {item.path for item in request.session.items} and not config.keyword


@pytest.fixture(scope="session", autouse=True)
def reached() -> Iterator[Reached]:
    """What calls ended in so far, those inside other calls included."""
    found = Reached()
    make, apply = Runtime._make, Runtime.apply

    def applied(self: Runtime, xt: Any) -> bool:
        before = len(self.state.told)
        succeeded = apply(self, xt)
        found.update((xt.call.spec, type(told.event)) for told in self.state.told[before:])
        return succeeded

    def watched(self: Runtime, call: Any, origin: Origin) -> None:
        before = len(self.state.told)
        try:
            make(self, call, origin)
        except Error as error:
            found.add((call.spec, type(error)))
            raise
        finally:
            found.update((call.spec, type(told.event)) for told in self.state.told[before:])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runtime, "_make", watched)
        patch.setattr(Runtime, "apply", applied)
        yield found
