"""The state a pallet sees: an overlay with a journal, and the block's events, undone together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from mycelia.codec import Scale


class Journal(Protocol):
    """Typed values by raw key over a committed state, with marks to roll back to. See `mycelia.state.Overlay`."""

    def get(self, key: bytes, scale: Scale[Any]) -> Any | None: ...
    def put(self, key: bytes, value: Any, scale: Scale[Any]) -> None: ...
    def delete(self, key: bytes) -> None: ...
    def contains(self, key: bytes) -> bool: ...
    def keys(self, prefix: bytes) -> list[bytes]: ...
    def mark(self) -> int: ...
    def rollback(self, mark: int) -> None: ...
    def release(self, mark: int) -> None: ...


@dataclass(frozen=True)
class Told:
    """One event: the wire name of its pallet, the event, and when in the block it was told."""

    pallet: str
    event: Any
    phase: Any


class State:
    """One journal and one event log, shared by all pallets of a runtime."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.get, self.put, self.delete = journal.get, journal.put, journal.delete
        self.contains, self.keys = journal.contains, journal.keys
        self.told: list[Told] = []
        self.phase: Any = None
        """When in the block we are; the executor sets it."""

    def deposit(self, pallet: str, event: Any) -> None:
        """Append an event to the block's log."""
        self.told.append(Told(pallet, event, self.phase))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all changes and events of the block inside, or on an exception none."""
        mark, events = self.journal.mark(), len(self.told)
        try:
            yield
        except BaseException:
            self.journal.rollback(mark)
            del self.told[events:]
            raise
        self.journal.release(mark)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Run a view: whatever it changes is undone."""
        mark, events = self.journal.mark(), len(self.told)
        try:
            yield
        finally:
            self.journal.rollback(mark)
            del self.told[events:]
