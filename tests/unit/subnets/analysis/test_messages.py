"""Vectors survive their text form, and malformed ones are noticed."""

import base64

import numpy as np
import pytest
from pydantic import ValidationError

from mycelia.models.embedding import DIMENSIONS
from mycelia.subnets.analysis.messages import Ask, Class, packed, unpacked


def test_vectors_survive_their_text_form() -> None:
    vectors = np.random.default_rng(1).normal(size=(3, DIMENSIONS)).astype(np.float32)
    assert np.array_equal(unpacked(packed(vectors)), vectors)
    assert unpacked(()).shape == (0, DIMENSIONS)


@pytest.mark.parametrize("text", ["", "no base64", base64.b64encode(bytes(8)).decode()])
def test_malformed_vectors_are_noticed(text: str) -> None:
    with pytest.raises(ValueError, match="vector"):
        unpacked((text,))


def test_inputs_come_before_the_examples_of_the_classes() -> None:
    classes = (Class(label="x", examples=("c", "d")), Class(label="y", examples=("e",)))
    assert Ask(input=("a", "b"), classes=classes).texts() == ("a", "b", "c", "d", "e")


@pytest.mark.parametrize(
    "body",
    [{"input": []}, {"input": ["x"] * 65}, {"input": ["x" * 16_001]},
     {"input": ["x"], "classes": [{"label": "", "examples": ["y"]}]},
     {"input": ["x"], "classes": [{"label": "a", "examples": []}]}],
)  # fmt: skip
def test_impossible_asks_are_refused(body: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Ask.model_validate(body)
