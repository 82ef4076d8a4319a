"""What a block changes on top of a committed height: decoded values and a journal.

Terms: *mark* - a point to roll back to; marks nest. *Touched* - written or deleted since the view's
height. Values are immutable by agreement: frozen records, tuples, read-only arrays. A caller that
changed one in place would change the state behind the journal's back. A value put must equal what
its bytes decode to: after the commit it is read from the cache here and from the bytes on a node
that restarted.
Not here: which keys exist and what their types are; that is `mycelia.frame`.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Final, Protocol

from mycelia.primitives.errors import Bug
from mycelia.state.root import ITEM_BYTES
from mycelia.state.store import ReadView


class Codec(Protocol):
    """What the overlay asks of a type: `mycelia.codec.scale.Scale` satisfies it."""

    def encode(self, value: Any, /) -> bytes: ...  # Any: each key has its own type

    def decode(self, data: bytes, /) -> Any: ...


class _Absent:
    """The key has no value; None could be one."""

    def __repr__(self) -> str:
        return "<absent>"


_ABSENT: Final = _Absent()
_UNKNOWN: Final = object()
CACHE_ENTRIES: Final = 1_000_000
"""Decoded values kept between blocks; at some 300 bytes each, 300 MB when full."""


class DecodedCache:
    """Decoded values of one height by raw key, kept from block to block.

    An overlay on another height reads past it, so several may share one. When full, the older half
    goes.
    """

    def __init__(self, entries: int = CACHE_ENTRIES) -> None:
        self._entries = entries
        self.height: int | None = None
        self.values: dict[bytes, Any] = {}

    def keep(self, key: bytes, value: Any) -> None:
        if len(self.values) >= self._entries:
            for old in list(islice(self.values, max(1, self._entries // 2))):
                del self.values[old]
        self.values[key] = value


class Overlay:
    """Typed reads and writes on a view, undone by mark, handed to a store by `drain`."""

    def __init__(self, view: ReadView, cache: DecodedCache | None = None) -> None:
        self._view = view
        self._height = view.height
        self._cache = DecodedCache() if cache is None else cache
        if self._cache.height is None:
            self._cache.height = view.height
        self._touched: dict[bytes, tuple[Any, Codec | None]] = {}
        self._by_item: dict[bytes, dict[bytes, None]] = {}
        self._journal: list[tuple[bytes, tuple[Any, Codec | None] | None]] = []
        self._marks: list[int] = []

    @property
    def view(self) -> ReadView:
        return self._view

    @property
    def height(self) -> int:
        """Height of the state underneath, hence of the block before this one."""
        return self._height

    def get(self, key: bytes, scale: Codec) -> Any | None:
        """Give the value of `key`, None where there is none. Raises what `scale.decode` raises."""
        entry = self._touched.get(key)
        value = self._committed(key, scale) if entry is None else entry[0]
        return None if value is _ABSENT else value

    def contains(self, key: bytes) -> bool:
        entry = self._touched.get(key)
        if entry is not None:
            return entry[0] is not _ABSENT
        if self._cache.height == self._height:
            value = self._cache.values.get(key, _UNKNOWN)
            if value is not _UNKNOWN:
                return value is not _ABSENT
        return self._view.get(key) is not None

    def put(self, key: bytes, value: Any, scale: Codec) -> None:
        self._touch(key, (value, scale))

    def delete(self, key: bytes) -> None:
        self._touch(key, (_ABSENT, None))

    def keys(self, prefix: bytes) -> list[bytes]:
        """Keys that start with `prefix`, ascending: committed or written, and not deleted."""
        committed = list(self._view.keys(prefix))
        touched = self._touched_under(prefix)
        if not touched:
            return committed
        merged = {key: None for key in committed if key not in self._touched}
        merged.update((key, None) for key in touched if self._touched[key][0] is not _ABSENT)
        return sorted(merged)

    def mark(self) -> int:
        """Set a point to return to. Every mark ends in one `rollback` or `release`."""
        self._marks.append(len(self._journal))
        return len(self._marks) - 1

    def rollback(self, mark: int) -> None:
        """Undo every write since `mark`, and end it with the marks inside it."""
        at = self._position(mark)
        for key, before in reversed(self._journal[at:]):
            if before is None:
                del self._touched[key]
                item = self._by_item[key[:ITEM_BYTES]]
                del item[key]
                if not item:
                    del self._by_item[key[:ITEM_BYTES]]
            else:
                self._touched[key] = before
        del self._journal[at:]
        del self._marks[mark:]

    def release(self, mark: int) -> None:
        """Keep the writes since `mark`, and end it with the marks inside it."""
        self._position(mark)
        del self._marks[mark:]
        if not self._marks:
            self._journal.clear()

    def drain(self) -> dict[bytes, bytes | None]:
        """Encode what was touched: value per raw key, None for a key that goes; keys ascending.

        The overlay stays as it is: call `rebase` once the changes are committed. Raises what
        `scale.encode` raises.
        """
        return {
            key: None if scale is None else scale.encode(value)
            for key, (value, scale) in sorted(self._touched.items(), key=lambda entry: entry[0])
        }

    def rebase(self, view: ReadView) -> None:
        """Stand on `view`, which holds the drained changes. Decoded values stay valid."""
        if self._marks:
            raise Bug("a block is committed after its last call, and every call ends its mark")
        cache = self._cache
        if cache.height == self._height:
            for key, (value, _) in self._touched.items():
                cache.keep(key, value)
            cache.height = view.height
        elif cache.height != view.height:
            cache.values.clear()
            cache.height = view.height
        self._view = view
        self._height = view.height
        self._touched.clear()
        self._by_item.clear()
        self._journal.clear()

    def discard(self) -> None:
        """Forget every write and mark: the overlay is the view again."""
        self._touched.clear()
        self._by_item.clear()
        self._journal.clear()
        self._marks.clear()

    def _committed(self, key: bytes, scale: Codec) -> Any:
        cache = self._cache
        if cache.height != self._height:
            raw = self._view.get(key)
            return _ABSENT if raw is None else scale.decode(raw)
        value = cache.values.get(key, _UNKNOWN)
        if value is _UNKNOWN:
            raw = self._view.get(key)
            value = _ABSENT if raw is None else scale.decode(raw)
            cache.keep(key, value)
        return value

    def _touch(self, key: bytes, entry: tuple[Any, Codec | None]) -> None:
        before = self._touched.get(key)
        if self._marks:
            self._journal.append((key, before))
        if before is None:
            self._by_item.setdefault(key[:ITEM_BYTES], {})[key] = None
        self._touched[key] = entry

    def _touched_under(self, prefix: bytes) -> list[bytes]:
        if len(prefix) >= ITEM_BYTES:
            item = self._by_item.get(prefix[:ITEM_BYTES], {})
            return [key for key in item if key.startswith(prefix)]
        return [key for key in self._touched if key.startswith(prefix)]

    def _position(self, mark: int) -> int:
        if not 0 <= mark < len(self._marks):
            raise Bug(f"marks end in the reverse order they were set; {mark} has ended already")
        return self._marks[mark]
