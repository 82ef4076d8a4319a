"""The blocks of a store, for whoever reads: by height, by hash. Works on a read-only store in any process.

There are no forks here: engines commit only what is final, so a height has one block for good. Only a development chain
that is told to go back replaces blocks; its readers `forget`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final, Protocol

from mycelia.chain.header import Block, Header, decode_body, decode_header
from mycelia.codec import Bytes, scale
from mycelia.primitives import Bug
from mycelia.runtime import Rules

_HEADER_AT: Final = b"block/header/"
_BODY_AT: Final = b"block/body/"
_HEIGHT_OF: Final = b"block/height/"
_GENESIS: Final = b"genesis"
_RULES: Final = b"rules"
_STATE: Final = scale(tuple[tuple[Bytes, Bytes], ...])
_HEIGHT_BYTES: Final = 4
_CACHED_HASHES: Final = 8_192


class View(Protocol):
    """One height of a store."""

    @property
    def height(self) -> int: ...


class Records(Protocol):
    """The part of a store that holds blocks."""

    def head(self) -> View: ...
    def record(self, key: bytes) -> bytes | None: ...


def records_of(block: Block) -> dict[bytes, bytes]:
    """What a store keeps of a block beside the state."""
    header_at, body_at, height_of = record_keys_of(block.height, block.hash)
    return {
        header_at: block.header.encode(),
        body_at: block.encode_body(),
        height_of: block.height.to_bytes(_HEIGHT_BYTES, "big"),
    }


def record_keys_of(height: int, hash_: bytes) -> tuple[bytes, ...]:
    """Where a store keeps what `records_of` gives of a block."""
    at = height.to_bytes(_HEIGHT_BYTES, "big")
    return _HEADER_AT + at, _BODY_AT + at, _HEIGHT_OF + hash_


def genesis_records(state: Mapping[bytes, bytes | None], rules: Rules) -> dict[bytes, bytes]:
    """What a store keeps of a network's start: all of it, so that any replay can begin there."""
    items = tuple((key, value) for key, value in sorted(state.items()) if value is not None)
    return {_GENESIS: _STATE.encode(items), _RULES: json.dumps(asdict(rules)).encode()}


class History:
    """Read access to the blocks of a store."""

    def __init__(self, store: Records) -> None:
        self._store = store
        self._hashes: dict[int, bytes] = {}

    def forget(self) -> None:
        """Read everything anew: the chain went back, so heights may get other blocks."""
        self._hashes.clear()

    def height(self) -> int:
        """Height of the newest block; -1 before genesis."""
        return self._store.head().height

    def header_at(self, height: int) -> Header | None:
        """The header at a height; None above the head or below genesis."""
        data = self._record(_HEADER_AT, height)
        return None if data is None else decode_header(data)

    def block_at(self, height: int) -> Block | None:
        """The block at a height; None above the head or below genesis."""
        header, body = self.header_at(height), self._record(_BODY_AT, height)
        if header is None or body is None:
            return None
        return Block(header, decode_body(body))

    def hash_at(self, height: int) -> bytes | None:
        """The block hash at a height; None above the head or below genesis."""
        known = self._hashes.get(height)
        if known is None:
            header = self.header_at(height)
            if header is None:
                return None
            known = header.hash()
            if len(self._hashes) >= _CACHED_HASHES:
                del self._hashes[next(iter(self._hashes))]
            self._hashes[height] = known
        return known

    def height_of(self, hash_: bytes) -> int | None:
        """The height of a block hash; None for one that is not ours."""
        data = self._store.record(_HEIGHT_OF + hash_)
        return None if data is None else int.from_bytes(data, "big")

    def head(self) -> Header:
        """The newest header."""
        header = self.header_at(self.height())
        if header is None:
            raise Bug("The newest block has no header, though both are written in one transaction.")
        return header

    def genesis_hash(self) -> bytes:
        """The hash of block 0, which names the network."""
        known = self.hash_at(0)
        if known is None:
            raise Bug("No block 0: a store is opened only after its genesis is written.")
        return known

    def genesis_state(self) -> dict[bytes, bytes]:
        """Raw keys and values after block 0."""
        data = self._store.record(_GENESIS)
        if data is None:
            raise Bug("No state of block 0: it is written with it, in one transaction.")
        return dict(_STATE.decode(data))

    def rules(self) -> Rules:
        """The choices of rules that this network started with."""
        data = self._store.record(_RULES)
        if data is None:
            raise Bug("No rules: they are written with block 0, in one transaction.")
        return Rules(**json.loads(data))

    def _record(self, kind: bytes, height: int) -> bytes | None:
        if not 0 <= height < 1 << 8 * _HEIGHT_BYTES:
            return None
        return self._store.record(kind + height.to_bytes(_HEIGHT_BYTES, "big"))
