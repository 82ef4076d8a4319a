"""State root: one lattice-hash accumulator per storage item, and a hash over their digests.

An item is what shares the first 32 bytes of a raw key: the two hashes of pallet and storage name.
Its accumulator is the sum of its elements, lane by lane modulo 2^16; an element is the 1,024-lane
expansion of one (key, value). Adding and taking away are exact inverses and the order doesn't
matter, so a block costs what it changed, not what the state holds.

Units: an accumulator is 2,048 bytes, lanes little-endian; the root and all digests are 32 bytes.
Source: LtHash16 of Lewi, Kim, Maykov and Weis, "Securing Update Propagation with Homomorphic
Hashing" (2019), section 4.
Differs: the expansion is BLAKE3 keyed with our domain instead of BLAKE2Xb (faster), the sum is per
item (so that two nodes that disagree can name where), and an item without keys has no accumulator
(so that the root tells nothing of the past).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from typing import Final

import numpy as np
from blake3 import blake3

from mycelia.primitives.errors import Bug
from mycelia.state.store import ReadView

ITEM_BYTES: Final = 32
LANES: Final = 1024
ACCUMULATOR_BYTES: Final = 2 * LANES
NO_KEYS: Final = b""
"""Stands for the accumulator of an item that has no keys."""

Lanes = np.ndarray[tuple[int], np.dtype[np.uint16]]

_LANE: Final = np.dtype("<u2")
_DOMAIN: Final = b"mycelia state element v1".ljust(32, b"\0")
_BATCH: Final = 64  # elements expanded at a time: 128 KiB, which the second cache level holds


def item_of(key: bytes) -> bytes:
    """Give the item prefix of a raw key; a short key such as `:code` is an item of its own."""
    return key[:ITEM_BYTES]


def _expansion(key: bytes, value: bytes) -> bytes:
    """The lanes of one element, as bytes."""
    element = b"%b%b%b" % (len(key).to_bytes(4, "little"), key, value)
    return blake3(element, key=_DOMAIN).digest(ACCUMULATOR_BYTES)


def _expanded(elements: Iterable[tuple[bytes, bytes]]) -> Lanes:
    """Sum of the expansions of (key, value) pairs."""
    total = np.zeros(LANES, _LANE)
    rest: Iterator[tuple[bytes, bytes]] = iter(elements)
    while lanes := [_expansion(key, value) for key, value in islice(rest, _BATCH)]:
        if len(lanes) == 1:  # most items change in one key
            total += np.frombuffer(lanes[0], _LANE)
            continue
        rows = np.frombuffer(b"".join(lanes), _LANE).reshape(-1, LANES)
        total += np.add.reduce(rows, axis=0, dtype=_LANE)
    return total


def accumulator_of(elements: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Accumulator of an item that holds exactly these (key, value) pairs, from scratch."""
    return _packed(_expanded(elements))


def _packed(lanes: Lanes) -> bytes:
    return lanes.tobytes() if lanes.any() else NO_KEYS


def _lanes_of(accumulator: bytes) -> Lanes:
    if accumulator == NO_KEYS:
        return np.zeros(LANES, _LANE)
    if len(accumulator) != ACCUMULATOR_BYTES:
        raise Bug(f"an accumulator has {ACCUMULATOR_BYTES} bytes, this one {len(accumulator)}")
    return np.frombuffer(accumulator, _LANE)


@lru_cache(maxsize=1024)  # asked for three times per block: for the header, and by whoever adopts
def digest_of(accumulator: bytes) -> bytes:
    """Give what the root hashes in place of an accumulator."""
    return blake3(accumulator).digest()


def _root_of(digests: Mapping[bytes, bytes]) -> bytes:
    parts = b"".join(
        [b"%c%b%b" % (len(prefix), prefix, digests[prefix]) for prefix in sorted(digests)]
    )
    return blake2b(parts, digest_size=32, person=b"mycelia root v1").digest()


def state_root(accumulators: Mapping[bytes, bytes]) -> bytes:
    """State root of accumulators by item prefix, from scratch."""
    return _root_of(
        {prefix: digest_of(sums) for prefix, sums in accumulators.items() if sums != NO_KEYS}
    )


class Accumulators:
    """The accumulators of one height, and what a block makes of them.

    `update` changes nothing here: a proposal may be dropped. `adopt` takes over what was committed.
    """

    def __init__(self, accumulators: Mapping[bytes, bytes]) -> None:
        self._sums = {prefix: sums for prefix, sums in accumulators.items() if sums != NO_KEYS}
        self._digests = {prefix: digest_of(sums) for prefix, sums in self._sums.items()}

    def update(
        self, changes: Mapping[bytes, bytes | None], old: Mapping[bytes, bytes | None]
    ) -> dict[bytes, bytes]:
        """Give the accumulators that differ after `changes`.

        Args:
            changes: value per raw key, None for a key that goes.
            old: value before, for every key of `changes`; None for a key that was not there.
        """
        gone: dict[bytes, list[tuple[bytes, bytes]]] = {}
        come: dict[bytes, list[tuple[bytes, bytes]]] = {}
        for key, value in changes.items():
            before = old[key]
            if before == value:
                continue
            if before is not None:
                gone.setdefault(key[:ITEM_BYTES], []).append((key, before))
            if value is not None:
                come.setdefault(key[:ITEM_BYTES], []).append((key, value))
        updated = {}
        for prefix in sorted(gone.keys() | come.keys()):
            lanes = _lanes_of(self._sums.get(prefix, NO_KEYS)).copy()
            if prefix in come:
                lanes += _expanded(come[prefix])
            if prefix in gone:
                lanes -= _expanded(gone[prefix])
            updated[prefix] = _packed(lanes)
        return updated

    def root(self, updated: Mapping[bytes, bytes] | None = None) -> bytes:
        """State root with `updated` put over the accumulators held here."""
        if not updated:
            return _root_of(self._digests)
        digests = dict(self._digests)
        for prefix, sums in updated.items():
            if sums == NO_KEYS:
                digests.pop(prefix, None)
            else:
                digests[prefix] = digest_of(sums)
        return _root_of(digests)

    def adopt(self, updated: Mapping[bytes, bytes]) -> None:
        for prefix, sums in updated.items():
            if sums == NO_KEYS:
                self._sums.pop(prefix, None)
                self._digests.pop(prefix, None)
            else:
                self._sums[prefix] = sums
                self._digests[prefix] = digest_of(sums)

    def all(self) -> dict[bytes, bytes]:
        return dict(self._sums)


def values_before(view: ReadView, changes: Iterable[bytes]) -> dict[bytes, bytes | None]:
    """Give what `Accumulators.update` takes as `old`: the values at `view` of the keys."""
    return {key: view.get(key) for key in changes}


def recompute(view: ReadView) -> dict[bytes, bytes]:
    """Accumulators of a whole state, from its keys and values alone.

    Reads everything: about 4 us per key. For offline checks and imports.
    """
    found: dict[bytes, bytes] = {}
    item: list[tuple[bytes, bytes]] = []
    current: bytes | None = None
    for key in view.keys(b""):
        if key[:ITEM_BYTES] != current:
            if current is not None:
                found[current] = accumulator_of(item)
            current, item = key[:ITEM_BYTES], []
        value = view.get(key)
        if value is None:
            raise Bug("a view lists a key it has no value for")
        item.append((key, value))
    if current is not None:
        found[current] = accumulator_of(item)
    return found


def diverging(left: Mapping[bytes, bytes], right: Mapping[bytes, bytes]) -> list[bytes]:
    """Item prefixes whose accumulators differ, ascending: where to look when two roots do."""
    return [
        prefix
        for prefix in sorted(left.keys() | right.keys())
        if left.get(prefix, NO_KEYS) != right.get(prefix, NO_KEYS)
    ]
