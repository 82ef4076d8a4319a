"""Sheets: one picture of many distorted digits, made from a seed.

A sheet is an ordinary grey picture, sent as a binary PGM file. Who knows the seed can make the same
sheet again; who doesn't cannot find its digits in the public data, because none of them is there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mycelia.models.digits import CELL, Cells, Digits, distorted

SHAPES = ((8, 8), (4, 16), (16, 4), (2, 32), (32, 2))
"""Rows and columns that validators' sheets have; 64 cells each, so that all weigh alike."""

_PGM = re.compile(rb"P5\s+(\d{1,4})\s+(\d{1,4})\s+255\s")


@dataclass(frozen=True)
class Sheet:
    """Grey values from 0 (ink) to 255 (paper), and what the cells show, row by row."""

    pixels: NDArray[np.uint8]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Hand:
    """In which way one validator draws: from which pictures, and how wildly.

    Validators with hands of their own have no picture in common. A recogniser that is only good at
    what one of them shows is not what the others see, and consensus pays it little.
    """

    third: int
    """Which third of the pictures."""
    strength: float
    """Of the distortion, see `digits.distorted`."""

    def own(self, digits: Digits) -> Digits:
        """Pictures that this hand draws."""
        return Digits(digits.images[self.third :: 3], digits.labels[self.third :: 3])


HANDS = (Hand(0, 1.0), Hand(1, 0.85), Hand(2, 1.15))
"""A validator has the one of its uid, modulo their number."""


def compose(digits: Digits, seed: bytes, hand: Hand) -> Sheet:
    """Make the sheet of a seed: random pictures, each distorted in its own way."""
    rng = np.random.default_rng(int.from_bytes(seed, "little"))
    pool = hand.own(digits)
    down, right = SHAPES[rng.integers(len(SHAPES))]
    chosen = rng.integers(0, len(pool.labels), down * right)
    cells = distorted(pool.images[chosen], rng, hand.strength)
    grey = np.round(255.0 * (1.0 - cells)).astype(np.uint8)
    rows = grey.reshape(down, right, CELL, CELL).transpose(0, 2, 1, 3)
    labels = tuple(int(label) for label in pool.labels[chosen])
    return Sheet(rows.reshape(down * CELL, right * CELL), labels)


def cells(pixels: NDArray[np.uint8]) -> Cells:
    """Cut a picture into cells, row by row: (n, 256) values from 0 (paper) to 1 (ink)."""
    down, right = pixels.shape[0] // CELL, pixels.shape[1] // CELL
    ink = 1.0 - pixels.astype(np.float32) / np.float32(255.0)
    return ink.reshape(down, CELL, right, CELL).transpose(0, 2, 1, 3).reshape(-1, CELL * CELL)


def encode_pgm(pixels: NDArray[np.uint8]) -> bytes:
    """Write the picture as a binary PGM file."""
    height, width = pixels.shape
    return b"P5 %d %d 255\n" % (width, height) + pixels.tobytes()


def decode_pgm(raw: bytes) -> NDArray[np.uint8]:
    """Read a binary PGM file whose sides are whole cells; raises ValueError on anything else."""
    header = _PGM.match(raw)
    if header is None:
        raise ValueError("not a binary PGM picture with 256 grey values")
    width, height = int(header[1]), int(header[2])
    if width == 0 or height == 0 or width % CELL or height % CELL:
        raise ValueError(f"the sides must be multiples of {CELL} pixels")
    if len(raw) - header.end() != width * height:
        raise ValueError("the picture's size is not what its header says")
    return np.frombuffer(raw, dtype=np.uint8, offset=header.end()).reshape(height, width)
