"""The vision subnet: read the digits on a sheet.

Terms: *sheet* - a picture of digits in cells of 16 by 16 pixels, see `sheet.py`.

Each challenge is a new sheet from a fresh seed; the ask carries a commitment to the seed, and a
later ask reveals it, so miners can check that they were judged by what was really drawn.
"""

from __future__ import annotations

import base64
import binascii
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field, field_validator

from mycelia.models import ModelStore
from mycelia.models.digits import Digits
from mycelia.neuron import Challenge, Limits, Meta, Reply, Request, Subnet
from mycelia.subnets.vision.sheet import Sheet, commitment, compose, decode_pgm, encode_pgm

FLOOR = 0.25
"""Share of right cells that is worth nothing. Guessing gets a tenth right, and seldom more than
a quarter of 64 cells."""


class Ask(Request):
    """A picture whose digits are to be read."""

    image: str = Field(max_length=60_000)
    """A binary PGM file in base64; sides are multiples of 16 pixels, at most 64 cells."""
    commitment: str | None = None
    """Hash of the seed of a validator's sheet; users leave it out."""
    revealed: str | None = None
    """Seed, in hex, of an earlier sheet of the same validator."""

    @field_validator("image")
    @classmethod
    def _is_a_picture(cls, value: str) -> str:
        decode_pgm(_unpacked(value))
        return value

    def picture(self) -> Any:
        """Grey values of the picture, (height, width) bytes."""
        return decode_pgm(_unpacked(self.image))


class Answer(Reply):
    """What the cells show, row by row."""

    labels: list[int] = Field(max_length=4_096)


def _unpacked(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as cause:
        raise ValueError("the image is not base64") from cause


@dataclass
class _Disclosure:
    """Seeds that were used, until they are old enough to be told."""

    seeds: deque[tuple[float, bytes]] = field(default_factory=deque)

    def due(self, now_s: float, age_s: float) -> str | None:
        """Newest seed of at least this age, in hex; older ones are dropped."""
        due = None
        while self.seeds and now_s - self.seeds[0][0] >= age_s:
            due = self.seeds.popleft()[1].hex()
        return due


class Vision(Subnet):
    """Pays miners for the share of digits they read correctly."""

    name: ClassVar[str] = "vision"
    version: ClassVar[int] = 1
    Ask = Ask
    Answer = Answer
    limits: ClassVar[Limits] = Limits(deadline_s=10.0, first_byte_s=10.0, body_bytes=64 * 1024)

    def __init__(self, models: ModelStore) -> None:
        super().__init__(models)
        self._used = _Disclosure()

    @cached_property
    def _digits(self) -> Digits:
        return Digits.load(self.models, held_out=True)

    async def challenge(self, rng: random.Random) -> Challenge:
        """Draw a sheet; reveal the seed of one that nobody can still be working on."""
        seed = rng.randbytes(16)
        now_s = time.monotonic()
        revealed = self._used.due(now_s, age_s=2 * self.limits.deadline_s)
        self._used.seeds.append((now_s, seed))
        sheet = compose(self._digits, seed)
        ask = Ask(image=packed(sheet), commitment=commitment(seed), revealed=revealed)
        return Challenge(ask, truth=sheet.labels)

    async def score(self, ask: Any, answer: Any, truth: Any, meta: Meta) -> float | None:
        """Share of cells read correctly above `FLOOR`, stretched to 0..1."""
        del ask, meta
        return merit(answer.labels, truth)


def merit(labels: Sequence[int], truth: Sequence[int]) -> float:
    """Worth of an answer, 0..1; nothing for one of the wrong length."""
    if len(labels) != len(truth):
        return 0.0
    right = sum(said == shown for said, shown in zip(labels, truth, strict=True))
    return max(0.0, (right / len(truth) - FLOOR) / (1.0 - FLOOR))


def packed(sheet: Sheet) -> str:
    """Return a sheet as the `image` of an ask."""
    return base64.b64encode(encode_pgm(sheet.pixels)).decode()
