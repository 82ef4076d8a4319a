"""What validators said and what they hold, laid out for arithmetic on arrays.

Both layouts have one *cell* for each pair of validator and miner that can matter, and the same
operations on cells, so that the fast kernel is written once:

- `Block`: a cell for every pair, in rows. For subnets of usual size.
- `Entries`: a cell for every pair that is named by a weight or a bond, and no other, in the order of
  rows, then columns. For large subnets of which each validator weighs a small part.

Terms: *row* - the place of a validator among those that matter; *column* - a uid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mycelia.pallets.subtensor.epoch.arrays import U64, Bools
from mycelia.pallets.subtensor.epoch.types import SparseRow

Places = NDArray[np.intp]

SCORE_BITS: Final = 33
MAX_BLOCK_CELLS: Final = 2**23
"""A block of more cells has to be a quarter full."""


@dataclass(frozen=True)
class Named:
    """Entries of rows as they were named, in that order: row, column and 16-bit value of each."""

    rows: Places
    columns: Places
    values: U64

    def where(self, kept: Bools) -> Named:
        return Named(self.rows[kept], self.columns[kept], self.values[kept])

    def in_order(self) -> Named:
        """The same in the order of rows, then columns."""
        if bool((np.diff(self.rows * (self.columns.max(initial=0) + 1) + self.columns) > 0).all()):
            return self
        order = np.lexsort((self.columns, self.rows))
        return Named(self.rows[order], self.columns[order], self.values[order])

    def met(self, n: int) -> Bools:
        """Which a reader meets that goes forward only; see `bonds.forward_only`."""
        keys = self.rows * n + self.columns
        met = np.ones(len(keys), dtype=np.bool_)
        met[1:] = keys[1:] > np.maximum.accumulate(keys)[:-1]
        return met


def named(entries: Mapping[int, SparseRow], rows: Sequence[int], n: int) -> Named:
    """The named rows one after another, without columns beyond n."""
    found = [np.asarray(entries.get(uid, ()), dtype=np.int64).reshape(-1, 2) for uid in rows]
    pairs = np.concatenate(found) if found else np.zeros((0, 2), dtype=np.int64)
    places = np.repeat(np.arange(len(found)), [len(row) for row in found])
    flat = Named(places, pairs[:, 0], pairs[:, 1].astype(np.uint64))
    return flat if not len(pairs) or flat.columns.max() < n else flat.where(flat.columns < n)


class Block:
    """A cell for every pair: arrays of shape (rows, columns)."""

    def __init__(self, rows: int, n: int) -> None:
        self.shape = (rows, n)

    def cells(self, entries: Named, values: U64 | None = None) -> U64:
        """The entries' own values, or others for them, in their cells; zero elsewhere."""
        cells = np.zeros(self.shape, dtype=np.uint64)
        cells[entries.rows, entries.columns] = entries.values if values is None else values
        return cells

    def marks(self, entries: Named) -> Bools:
        """Which cells the entries name."""
        marks = np.zeros(self.shape, dtype=np.bool_)
        marks[entries.rows, entries.columns] = True
        return marks

    def picked(self, cells: Bools, entries: Named) -> Bools:
        """Of the entries, those whose cell is set."""
        picked: Bools = cells[entries.rows, entries.columns]
        return picked

    def by_row(self, vector: U64) -> U64:
        return vector[:, None]

    def by_column(self, vector: U64) -> U64:
        return vector[None, :]

    def row_sums(self, cells: U64) -> U64:
        sums: U64 = cells.sum(axis=1)
        return sums

    def column_sums(self, cells: U64) -> U64:
        sums: U64 = cells.sum(axis=0)
        return sums

    def column_peaks(self, cells: U64) -> U64:
        peaks: U64 = cells.max(axis=0, initial=0)
        return peaks

    def row(self, cells: U64, row: int, order: Places | None) -> tuple[Places, U64]:
        """Columns and values of a row's cells that are not zero, in rising or in another order."""
        columns = np.flatnonzero(cells[row]) if order is None else order[cells[row, order] != 0]
        return columns, cells[row, columns]

    def medians(self, votes: U64, scores: U64, minority: int) -> U64:
        """For each column the first score, in rising order, at which votes exceed the minority."""
        voters = np.flatnonzero(votes)
        if len(voters) == 0:
            return np.zeros(self.shape[1], dtype=np.uint64)
        # Sorting numbers is several times as fast as sorting places, so a place rides along.
        bits = np.uint64(len(voters).bit_length())
        keys = (scores[voters] << bits) + np.arange(len(voters), dtype=np.uint64)[:, None]
        keys = np.sort(np.ascontiguousarray(keys.T), axis=1)
        order = (keys & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.intp)
        counted = np.cumsum(votes[voters][order], axis=1).astype(np.int64)
        exceeds = counted > minority
        exceeds[:, -1] = True
        medians: U64 = keys[np.arange(len(keys)), exceeds.argmax(axis=1)] >> bits
        return medians


class Entries:
    """A cell for every named pair: flat arrays."""

    def __init__(self, rows: int, n: int, *sources: Named) -> None:
        self.shape = (rows, n)
        keys = np.sort(np.concatenate([self._keys(source) for source in sources]))
        self.keys = keys[np.diff(keys, prepend=-1) > 0]
        self.rows, self.columns = np.divmod(self.keys, n)
        self.starts = np.searchsorted(self.rows, np.arange(rows + 1))

    def _keys(self, entries: Named) -> Places:
        return entries.rows * self.shape[1] + entries.columns

    def places(self, entries: Named) -> Places:
        return np.searchsorted(self.keys, self._keys(entries))

    def cells(self, entries: Named, values: U64 | None = None) -> U64:
        """The entries' own values, or others for them, in their cells; zero elsewhere."""
        cells = np.zeros(len(self.keys), dtype=np.uint64)
        cells[self.places(entries)] = entries.values if values is None else values
        return cells

    def marks(self, entries: Named) -> Bools:
        """Which cells the entries name."""
        marks = np.zeros(len(self.keys), dtype=np.bool_)
        marks[self.places(entries)] = True
        return marks

    def picked(self, cells: Bools, entries: Named) -> Bools:
        """Of the entries, those whose cell is set."""
        picked: Bools = cells[self.places(entries)]
        return picked

    def by_row(self, vector: U64) -> U64:
        return vector[self.rows]

    def by_column(self, vector: U64) -> U64:
        return vector[self.columns]

    def row_sums(self, cells: U64) -> U64:
        sums = np.zeros(self.shape[0], dtype=np.uint64)
        np.add.at(sums, self.rows, cells)
        return sums

    def column_sums(self, cells: U64) -> U64:
        sums = np.zeros(self.shape[1], dtype=np.uint64)
        np.add.at(sums, self.columns, cells)
        return sums

    def column_peaks(self, cells: U64) -> U64:
        peaks = np.zeros(self.shape[1], dtype=np.uint64)
        np.maximum.at(peaks, self.columns, cells)
        return peaks

    def row(self, cells: U64, row: int, order: Places | None) -> tuple[Places, U64]:
        """Columns and values of a row's cells that are not zero, in rising or in another order."""
        part = slice(self.starts[row], self.starts[row + 1])
        columns, values = self.columns[part], cells[part]
        at = np.arange(len(values)) if order is None else np.searchsorted(columns, order)
        at = at[values[at] != 0]
        return columns[at], values[at]

    def medians(self, votes: U64, scores: U64, minority: int) -> U64:
        """For each column the first score, in rising order, at which votes exceed the minority.

        Who has no cell in a column scores zero there, and is counted before all others.
        """
        n = self.shape[1]
        rows, columns, scores = self._by_score(np.flatnonzero(votes[self.rows]), scores)
        starts = np.searchsorted(columns, np.arange(n + 1))
        sums = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(votes[rows], out=sums[1:])
        absent = int(votes.sum()) - np.diff(sums[starts])
        counted = sums[1:] - (sums[starts[:-1]] - absent)[columns]
        passed = np.zeros(n, dtype=np.intp)
        np.add.at(passed, columns, (counted <= minority).astype(np.intp))
        sizes = np.diff(starts)
        heard = (sizes > 0) & ((absent == 0) | (absent <= minority))
        medians = np.zeros(n, dtype=np.uint64)
        medians[heard] = scores[(starts[:-1] + np.minimum(passed, sizes - 1))[heard]]
        return medians

    def _by_score(self, cells: Places, scores: U64) -> tuple[Places, Places, U64]:
        """Rows, columns and scores of the cells, by column, then by score.

        Sorting numbers is several times as fast as sorting places: where all three fit into one
        number, that is what is sorted.
        """
        rows, columns, scores = self.rows[cells], self.columns[cells], scores[cells]
        row_bits, column_bits = (size.bit_length() for size in self.shape)
        if row_bits + column_bits + SCORE_BITS > 64:
            order = np.lexsort((scores, columns))
            return rows[order], columns[order], scores[order]
        upper, lower = np.uint64(SCORE_BITS + row_bits), np.uint64(row_bits)
        keys = (columns.astype(np.uint64) << upper) + (scores << lower) + rows.astype(np.uint64)
        keys.sort()
        rows = (keys & np.uint64((1 << row_bits) - 1)).astype(np.intp)
        scores = keys >> lower & np.uint64((1 << SCORE_BITS) - 1)
        return rows, (keys >> upper).astype(np.intp), scores


Layout = Block | Entries


def layout_for(rows: int, n: int, *sources: Named) -> Layout:
    """The layout that suits so many rows and columns."""
    entries = max(len(source.rows) for source in sources)
    if rows * n <= MAX_BLOCK_CELLS or rows * n <= 4 * entries:
        return Block(rows, n)
    return Entries(rows, n, *sources)
