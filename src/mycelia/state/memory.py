"""A store in memory, for tests and simulations: the twin of `mycelia.state.lmdb`."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping

from mycelia.state.root import Accumulators
from mycelia.state.store import BEFORE_GENESIS, HISTORY_BLOCKS, require_kept, require_next


class MemoryStore:
    """Keeps the head in a dict, and per key the values it had before the heights that changed it.

    Args:
        archive: keep every height.
        history: heights below the head that stay readable otherwise.
    """

    def __init__(self, *, archive: bool = False, history: int = HISTORY_BLOCKS) -> None:
        self._archive = archive
        self._history = history
        self._head = BEFORE_GENESIS
        self._floor = BEFORE_GENESIS
        self._values: dict[bytes, bytes] = {}
        self._sorted: list[bytes] = []
        self._before: dict[bytes, list[tuple[int, bytes | None]]] = {}
        self._changed: dict[int, list[bytes]] = {}
        self._accumulators = Accumulators({})
        self._records: dict[bytes, bytes] = {}

    def head(self) -> MemoryView:
        return MemoryView(self, self._head)

    def at(self, height: int) -> MemoryView:
        require_kept(height, head=self._head, floor=self._floor)
        return MemoryView(self, height)

    def commit(
        self,
        height: int,
        changes: Mapping[bytes, bytes | None],
        roots: Mapping[bytes, bytes],
        records: Mapping[bytes, bytes],
    ) -> None:
        require_next(height, head=self._head)
        first = self._head == BEFORE_GENESIS
        changed = self._changed[height] = []
        for key, value in changes.items():
            before = self._values.get(key)
            if before == value:
                continue
            if not first:
                self._before.setdefault(key, []).append((height, before))
                changed.append(key)
            self._set(key, value, was_there=before is not None)
        self._accumulators.adopt(roots)
        self._records.update(records)
        self._head = height
        if first:
            self._floor = height
        if not self._archive:
            self._prune(max(self._floor, height - self._history))

    def rewind(self, height: int, gone: Iterable[bytes]) -> None:
        require_kept(height, head=self._head, floor=self._floor)
        restored: dict[bytes, bytes | None] = {}
        for later in range(self._head, height, -1):
            for key in self._changed.pop(later):
                entries = self._before[key]
                _, restored[key] = entries.pop()
                if not entries:
                    del self._before[key]
        current = {key: self._values.get(key) for key in restored}
        self._accumulators.adopt(self._accumulators.update(restored, current))
        for key, value in restored.items():
            if current[key] != value:
                self._set(key, value, was_there=current[key] is not None)
        for key in gone:
            self._records.pop(key, None)
        self._head = height

    def record(self, key: bytes) -> bytes | None:
        return self._records.get(key)

    def accumulators(self) -> dict[bytes, bytes]:
        return self._accumulators.all()

    def root(self) -> bytes:
        return self._accumulators.root()

    def close(self) -> None:
        """Nothing to release."""

    def _set(self, key: bytes, value: bytes | None, *, was_there: bool) -> None:
        if value is None:
            del self._values[key]
            del self._sorted[bisect_left(self._sorted, key)]
            return
        if not was_there:
            insort(self._sorted, key)
        self._values[key] = value

    def _prune(self, floor: int) -> None:
        for height in range(self._floor, floor + 1):
            for key in self._changed.pop(height, ()):
                entries = self._before[key]
                del entries[0]  # heights ascend, and lower ones went before
                if not entries:
                    del self._before[key]
        self._floor = floor

    def _get(self, key: bytes, height: int) -> bytes | None:
        require_kept(height, head=self._head, floor=self._floor)
        if height == BEFORE_GENESIS:
            return None
        if height < self._head:
            entries = self._before.get(key, ())
            at = bisect_right(entries, height, key=lambda entry: entry[0])
            if at < len(entries):
                return entries[at][1]
        return self._values.get(key)

    def _keys(self, prefix: bytes, after: bytes | None, height: int) -> list[bytes]:
        require_kept(height, head=self._head, floor=self._floor)
        if height == BEFORE_GENESIS:
            return []
        start = bisect_left(self._sorted, prefix)
        if after is not None and after >= prefix:
            start = bisect_right(self._sorted, after)
        end = start
        while end < len(self._sorted) and self._sorted[end].startswith(prefix):
            end += 1
        current = self._sorted[start:end]
        if height == self._head:
            return current
        past = [
            key for key in self._before if key.startswith(prefix) and (after is None or key > after)
        ]
        candidates = sorted(dict.fromkeys(current + past))
        return [key for key in candidates if self._get(key, height) is not None]


class MemoryView:
    """One height of a `MemoryStore`."""

    def __init__(self, store: MemoryStore, height: int) -> None:
        self._store = store
        self._height = height

    @property
    def height(self) -> int:
        return self._height

    def get(self, key: bytes) -> bytes | None:
        return self._store._get(key, self._height)  # noqa: SLF001 - the two are one

    def keys(
        self, prefix: bytes, after: bytes | None = None, limit: int | None = None
    ) -> Iterator[bytes]:
        found = self._store._keys(prefix, after, self._height)  # noqa: SLF001 - the two are one
        return iter(found if limit is None else found[:limit])
