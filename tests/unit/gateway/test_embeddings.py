"""OpenAI's embeddings form, in both directions."""

import base64
import struct
from dataclasses import dataclass

import pytest

from mycelia.gateway.embeddings import check_vectors, embedding_list, parse_embeddings
from mycelia.gateway.errors import ApiError


@dataclass
class Answer:
    vectors: tuple[str, ...]
    tokens: int = 5


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def test_a_text_or_a_list_of_texts():
    assert parse_embeddings({"model": "m", "input": "hello"}).texts == ["hello"]
    request = parse_embeddings({"model": "m", "input": ["a", "b"], "user": "u", "dimensions": None})
    assert (request.texts, request.is_base64) == (["a", "b"], False)
    given = {"model": "m", "input": "a", "encoding_format": "base64"}
    assert parse_embeddings(given).is_base64


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 5}, "model"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": [1, 2, 3]}, "input"),
        ({"input": [[1], [2]]}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({"input": {"a": 1}}, "input"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"dimensions": 64}, "dimensions"),
        ({"truncate": True}, "truncate"),
    ],
)
def test_mistakes_are_named(change, param):
    with pytest.raises(ApiError) as refused:
        parse_embeddings({"model": "m", "input": "hello"} | change)
    assert (refused.value.status, refused.value.param) == (400, param)


def test_vectors_go_out_as_they_came_or_as_numbers():
    answer = Answer((packed(1.0, -0.5), packed(0.25, 2.0)), tokens=7)
    body = {"model": "m", "input": ["first", "second"]}
    numbers = embedding_list(parse_embeddings(body), answer)
    assert [row["embedding"] for row in numbers["data"]] == [[1.0, -0.5], [0.25, 2.0]]
    assert [row["index"] for row in numbers["data"]] == [0, 1]
    assert numbers["usage"] == {"prompt_tokens": 7, "total_tokens": 7}
    coded = embedding_list(parse_embeddings(body | {"encoding_format": "base64"}), answer)
    assert [row["embedding"] for row in coded["data"]] == list(answer.vectors)


def test_an_absurd_token_count_is_not_believed():
    listed = embedding_list(
        parse_embeddings({"model": "m", "input": "four"}), Answer((packed(1.0),), tokens=10**9)
    )
    assert listed["usage"]["prompt_tokens"] == 6


@pytest.mark.parametrize(
    "vectors",
    [
        (),
        (packed(1.0),),
        (packed(1.0), packed(1.0, 2.0)),
        (packed(), packed()),
        (packed(1.0), "????"),
        (packed(1.0), base64.b64encode(b"abc").decode()),
        (packed(1.0), packed(float("nan"))),
        (packed(1.0), packed(float("inf"))),
    ],
)
def test_what_is_no_vector_is_found_out(vectors):
    with pytest.raises(ValueError, match=r".+"):
        check_vectors(2)(Answer(vectors))
    check_vectors(2)(Answer((packed(1.0), packed(2.0))))
