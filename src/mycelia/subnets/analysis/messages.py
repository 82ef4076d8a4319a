"""What is said on the analysis subnet."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from mycelia.models.embedding import DIMENSIONS, Vectors
from mycelia.neuron import Reply, Request
from mycelia.wire.contract import Usage

Text = Annotated[str, Field(max_length=16_000)]


class Class(BaseModel):
    """A label, and texts that deserve it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(min_length=1, max_length=100)
    examples: tuple[Text, ...] = Field(min_length=1, max_length=16)


class Ask(Request):
    """Texts to turn into vectors; or, if classes are given, to find the class of."""

    input: tuple[Text, ...] = Field(min_length=1, max_length=64)
    classes: tuple[Class, ...] = Field(default=(), max_length=32)

    def texts(self) -> tuple[str, ...]:
        """All that is to be embedded: the inputs, then every class's examples."""
        return (*self.input, *(text for kind in self.classes for text in kind.examples))


class Answer(Reply):
    """One vector per input; or one label per input, with the similarities that decide it."""

    vectors: tuple[str, ...] = Field(default=(), max_length=64)
    """Unit vectors: 384 little-endian float32, in base64."""
    labels: tuple[str, ...] = Field(default=(), max_length=64)
    similarities: tuple[tuple[float, ...], ...] = Field(default=(), max_length=64)
    """Per input, the cosine to each class's centroid, in the order of the classes."""
    tokens: int = Field(default=0, ge=0)
    """Read for the answer."""

    def usage(self) -> Usage:
        """Tokens that were read; an answer has none."""
        return Usage(self.tokens, 0)


def packed(vectors: Vectors) -> tuple[str, ...]:
    """Vectors as an answer carries them."""
    little = np.ascontiguousarray(vectors, dtype="<f4")
    return tuple(base64.b64encode(row.tobytes()).decode() for row in little)


def unpacked(vectors: Sequence[str]) -> Vectors:
    """Vectors of an answer, (n, DIMENSIONS); raises ValueError if one is malformed."""
    try:
        raw = [base64.b64decode(text, validate=True) for text in vectors]
    except binascii.Error as cause:
        raise ValueError("a vector is not base64") from cause
    if any(len(row) != 4 * DIMENSIONS for row in raw):
        raise ValueError(f"a vector has not {DIMENSIONS} elements")
    return np.frombuffer(b"".join(raw), dtype="<f4").reshape(-1, DIMENSIONS).astype(np.float32)
