"""The state a pallet sees: an overlay with a journal, and the block's events, undone together."""

from __future__ import annotations

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

    def transaction(self) -> Transaction:
        """Keep all changes and events of the block inside, or on an exception none."""
        return Transaction(self, keeps=True)

    def read_only(self) -> Transaction:
        """Run a view: whatever it changes is undone."""
        return Transaction(self, keeps=False)


class Transaction:
    """A `with` block over a state.

    A class, since three are opened per extrinsic and a generator takes twice as long.
    """

    __slots__ = ("_events", "_keeps", "_mark", "_state")

    def __init__(self, state: State, *, keeps: bool) -> None:
        self._state, self._keeps = state, keeps

    def __enter__(self) -> None:
        self._mark, self._events = self._state.journal.mark(), len(self._state.told)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: object
    ) -> None:
        if kind is None and self._keeps:
            self._state.journal.release(self._mark)
        else:
            self._state.journal.rollback(self._mark)
            del self._state.told[self._events :]
