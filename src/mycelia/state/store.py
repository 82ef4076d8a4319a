"""The faces of storage: one height to read, and a store that gains one height per commit.

Terms: *head* - the newest committed height; *floor* - the oldest height whose state is kept;
*record* - bytes the chain keeps beside the state (blocks, headers, indexes), opaque here;
*accumulator* - see `mycelia.state.root`. A store knows nothing of pallets, codecs or blocks, and
checks no rule of the chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

from mycelia.primitives.errors import Bug
from mycelia.state.errors import StateDiscarded, UnknownHeight

BEFORE_GENESIS: Final = -1
"""The height of an empty store."""

HISTORY_BLOCKS: Final = 4096
"""How many heights below the head stay readable unless everything is kept."""


class ReadView(Protocol):
    """The state at one height. Later commits don't change what it says.

    Every method raises `StateDiscarded` once the height has fallen below the store's floor.
    """

    @property
    def height(self) -> int: ...

    def get(self, key: bytes) -> bytes | None: ...

    def keys(
        self, prefix: bytes, after: bytes | None = None, limit: int | None = None
    ) -> Iterator[bytes]:
        """Keys that start with `prefix` and sort after `after`, ascending, at most `limit`."""
        ...


class Store(Protocol):
    """State by height, accumulators and records, changed together or not at all."""

    def head(self) -> ReadView: ...

    def at(self, height: int) -> ReadView:
        """Give the state after block `height`; raises `UnknownHeight` or `StateDiscarded`."""
        ...

    def commit(
        self,
        height: int,
        changes: Mapping[bytes, bytes | None],
        roots: Mapping[bytes, bytes],
        records: Mapping[bytes, bytes],
    ) -> None:
        """Add one height, durably: when this returns, all of it survives a power cut.

        Args:
            height: one above the head; any height from 0 in an empty store.
            changes: value per raw key, None for a key that goes.
            roots: changed accumulators by item prefix, empty for an item that has no keys left.
            records: value per record key, replacing what was there.
        """
        ...

    def rewind(self, height: int, gone: Iterable[bytes]) -> None:
        """Go back to a kept height, durably: the state of then, and nothing of what came after.

        Views of later heights must not be used any more. For development networks: elsewhere what
        is committed is final.

        Args:
            height: at most the head's; raises `UnknownHeight` or `StateDiscarded` for others.
            gone: keys of the records that go.
        """
        ...

    def record(self, key: bytes) -> bytes | None: ...

    def accumulators(self) -> dict[bytes, bytes]:
        """Accumulators of the head by item prefix."""
        ...

    def root(self) -> bytes:
        """State root of the head."""
        ...

    def close(self) -> None: ...


def require_kept(height: int, *, head: int, floor: int) -> None:
    """Raise unless the state of `height` can be read."""
    if not BEFORE_GENESIS <= height <= head:
        raise UnknownHeight(height, head)
    if height < floor and height != BEFORE_GENESIS:
        raise StateDiscarded(height, floor)


def require_next(height: int, *, head: int) -> None:
    """Raise unless `height` may be committed on top of `head`."""
    if height < 0 or (head != BEFORE_GENESIS and height != head + 1):
        raise Bug(f"the engine seals heights in order: {head} is the head, {height} was committed")
