"""The vision subnet: read the digits on a sheet.

Terms: *sheet* - a picture of digits in cells of 16 by 16 pixels, see `sheet.py`.

Each challenge is a new sheet from a fresh seed, drawn by the validator's own hand. An ask is a
picture and nothing else, like anybody's: what would let miners check the judgement must not tell
them that they are being judged. It is also not needed there. A picture binds the validator to what
it drew, and the seed of a round, which stays in its ledger, makes the round's pictures again.
"""

from __future__ import annotations

import base64
import binascii
import random
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field, field_validator

from mycelia.models.digits import Digits
from mycelia.neuron import Challenge, Limits, Meta, Reply, Request, Subnet
from mycelia.subnets.vision.sheet import HANDS, Sheet, compose, decode_pgm, encode_pgm

FLOOR = 0.25
"""Share of right cells that is worth nothing. Guessing gets a tenth right, and seldom more than
a quarter of 64 cells."""


class Ask(Request):
    """A picture whose digits are to be read."""

    image: str = Field(max_length=60_000)
    """A binary PGM file in base64; sides are multiples of 16 pixels, at most 64 cells."""

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


class Vision(Subnet):
    """Pays miners for the share of digits they read correctly."""

    name: ClassVar[str] = "vision"
    version: ClassVar[int] = 1
    Ask = Ask
    Answer = Answer
    limits: ClassVar[Limits] = Limits(deadline_s=10.0, first_byte_s=10.0, body_bytes=64 * 1024)
    floor: ClassVar[float] = 0.2
    """Far below what any recogniser gets on a single sheet, far above what guessing does."""

    @cached_property
    def _digits(self) -> Digits:
        return Digits.load(self.models, held_out=True)

    async def challenge(self, rng: random.Random) -> Challenge:
        """Draw a sheet."""
        sheet = compose(self._digits, rng.randbytes(16), HANDS[self.uid % len(HANDS)])
        return Challenge(Ask(image=packed(sheet)), truth=sheet.labels)

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
