"""Tokens are those of the tokeniser that the embedding model was trained with."""

import json
import os
from pathlib import Path

import pytest

from mycelia.models import ModelStore
from mycelia.models.catalog import MINILM_VOCABULARY
from mycelia.models.store import ModelUnavailable
from mycelia.models.wordpiece import WordPiece

pytestmark = pytest.mark.net

RECORDED = json.loads((Path(__file__).parent / "data" / "wordpiece.json").read_text())


@pytest.fixture(scope="module")
def vocabulary() -> WordPiece:
    try:
        return WordPiece(ModelStore().ensure(MINILM_VOCABULARY.name))
    except ModelUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.mark.parametrize(("text", "tokens"), RECORDED["cases"])
def test_tokens_are_those_recorded(vocabulary: WordPiece, text: str, tokens: list[int]) -> None:
    assert vocabulary.tokens(text, 32) == tokens
