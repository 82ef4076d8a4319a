"""The arithmetic of labels and the judgement of answers, on a toy model."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from mycelia.models.embedding import DIMENSIONS, Embedded
from mycelia.subnets.analysis.judge import Judge
from mycelia.subnets.analysis.kernel import TOLERANCE, answered, deviation, similarities
from mycelia.subnets.analysis.messages import Answer, Ask, Class, packed, unpacked


class Letters:
    """A model whose vectors count letters."""

    def __init__(self) -> None:
        self.calls = 0

    def embed(self, texts: Sequence[str]) -> Embedded:
        self.calls += 1
        rows = np.full((len(texts), DIMENSIONS), 1e-3, dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for char in text:
                row[ord(char)] += 1.0
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return Embedded(unit.astype(np.float32), sum(map(len, texts)))


PLAIN = Ask(input=("abc", "xyz"))
SORTED = Ask(
    input=("aab", "yyx"),
    classes=(Class(label="ends", examples=("xy", "yx")), Class(label="starts", examples=("ab",))),
)


@pytest.fixture
def model() -> Letters:
    return Letters()


@pytest.fixture
def judge(model: Letters) -> Judge:
    return Judge(model)  # type: ignore[arg-type]


def honest(ask: Ask) -> Answer:
    return answered(ask, Letters().embed(ask.texts()))


@pytest.mark.parametrize("ask", [PLAIN, SORTED])
def test_an_honest_answer_uses_up_nothing_or_little(judge: Judge, ask: Ask) -> None:
    assert judge.strain(ask, honest(ask)) < 1e-3


def test_labels_follow_from_the_nearest_centroid() -> None:
    assert honest(SORTED).labels == ("starts", "ends")
    near = similarities(SORTED, Letters().embed(SORTED.texts()).vectors)
    assert near.shape == (2, 2)
    assert near[0, 1] == pytest.approx(3 / math.sqrt(10), abs=0.01)  # (2, 1) and (1, 1)


def test_a_round_is_embedded_once(judge: Judge, model: Letters) -> None:
    for _ in range(3):
        judge.strain(PLAIN, honest(PLAIN))
    assert model.calls == 1


def test_deviation_of_vectors_is_their_distance(judge: Judge) -> None:
    vectors = unpacked(honest(PLAIN).vectors).copy()
    vectors[1, 0] += 2 * TOLERANCE
    moved = honest(PLAIN).model_copy(update={"vectors": packed(vectors)})
    assert judge.strain(PLAIN, moved) == pytest.approx(2.0, rel=1e-3)
    assert deviation(vectors[:1], vectors) == math.inf


@pytest.mark.parametrize(
    "changes",
    [
        {"vectors": ()},
        {"vectors": ("AAAA", "AAAA")},
        {"vectors": packed(np.full((2, DIMENSIONS), np.nan, dtype=np.float32))},
        {"labels": ("a", "b")},
        {"similarities": ((1.0,), (1.0,))},
        {"tokens": 5},
    ],
)
def test_malformed_vectors_are_worth_nothing(judge: Judge, changes: dict[str, object]) -> None:
    assert judge.strain(PLAIN, honest(PLAIN).model_copy(update=changes)) == math.inf


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": ("ends", "ends")},
        {"labels": ("starts",)},
        {"labels": ("starts", "middle")},
        {"similarities": ()},
        {"similarities": ((0.1, 0.2), (0.3,))},
        {"similarities": ((math.nan, 0.2), (0.3, 0.1))},
        {"similarities": ((), ())},
        {"vectors": packed(np.zeros((2, DIMENSIONS), dtype=np.float32))},
        {"tokens": 0},
    ],
)
def test_labels_that_do_not_follow_are_worth_nothing(
    judge: Judge, changes: dict[str, object]
) -> None:
    assert judge.strain(SORTED, honest(SORTED).model_copy(update=changes)) == math.inf


def test_guessed_similarities_are_too_far_off(judge: Judge) -> None:
    guess = {"similarities": ((0.1, 0.9), (0.9, 0.1))}
    assert judge.strain(SORTED, honest(SORTED).model_copy(update=guess)) > 1.0
