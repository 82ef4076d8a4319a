"""Between OpenAI's embeddings form and the messages of an embedding subnet: pure translation.

An embedding subnet is one whose `Ask` has `input`, a list of texts, and whose `Answer` has
`vectors`, one per text in base64 of little-endian float32, and `tokens`. That is OpenAI's base64
form, so a vector passes through as it came unless a consumer wants numbers.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mycelia.gateway.errors import invalid, unsupported

# JSON from a stranger: untyped until `Ask` has validated it.
Json = Mapping[str, Any]

_KNOWN = {"model", "input", "encoding_format", "dimensions", "user"}


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """A request as far as it does not depend on the subnet that will answer it."""

    model: str
    texts: list[str]
    is_base64: bool
    """How vectors are wanted: as they come, or as numbers."""


class Embedded(Protocol):
    """What an embedding subnet answers."""

    @property
    def vectors(self) -> Sequence[str]: ...
    @property
    def tokens(self) -> int: ...


def parse_embeddings(body: Json) -> EmbeddingRequest:
    """Read a request. Raises ApiError 400 that names the parameter at fault."""
    for name, value in body.items():
        if name not in _KNOWN and value is not None:
            raise unsupported(name, "it is unknown here")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise invalid("No model is named.", "See /v1/models for those there are.", param="model")
    if body.get("dimensions") is not None:
        raise unsupported("dimensions", "vectors have the length that the model gives them")
    encoding = body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise invalid("Not an encoding.", "Send float or base64.", param="encoding_format")
    return EmbeddingRequest(model, _texts(body.get("input")), is_base64=encoding == "base64")


def check_vectors(count: int) -> Any:
    """Return a check that an answer has so many vectors of one length, all finite."""

    def check(answer: Embedded) -> None:
        if len(answer.vectors) != count:
            raise ValueError("as many vectors as texts")
        lengths = {len(_numbers(vector)) for vector in answer.vectors}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError("vectors of one length")

    return check


def embedding_list(request: EmbeddingRequest, answer: Embedded) -> dict[str, Any]:
    """Return the response. The answer's vectors must have been checked."""
    # A token has at least one character, give or take the two that frame each text.
    most = sum(len(text) + 2 for text in request.texts)
    tokens = min(max(answer.tokens, 0), most)
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": vector if request.is_base64 else list(_numbers(vector)),
        }
        for index, vector in enumerate(answer.vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": request.model, "usage": usage}


def _texts(value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts:
        raise invalid("There is no input.", "Send a text or a list of texts.", param="input")
    if all(isinstance(text, int | list) for text in texts):
        raise unsupported("input", "only texts are, not tokens")
    if not all(isinstance(text, str) for text in texts):
        raise invalid("The input is no list of texts.", "Send texts only.", param="input")
    return texts


def _numbers(vector: str) -> tuple[float, ...]:
    """Decode one vector. Raises ValueError."""
    try:
        raw = base64.b64decode(vector, validate=True)
        numbers = struct.unpack(f"<{len(raw) // 4}f", raw)
    except (binascii.Error, struct.error) as error:
        raise ValueError("a vector is not float32 in base64") from error
    if not all(map(math.isfinite, numbers)):
        raise ValueError("a vector holds no numbers")
    return numbers
