"""Words come apart into the longest known pieces; what is unknown stays one token."""

import json
from pathlib import Path

import pytest

from mycelia.models.store import ModelUnreadable
from mycelia.models.wordpiece import WordPiece

PIECES = [
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "un",
    "##aff",
    "##able",
    "##a",
    "able",
    "cafe",
    ",",
    "[",
    "]",
    "cls",
]


def written(path: Path, **changes: object) -> Path:
    model = {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "vocab": {piece: number for number, piece in enumerate(PIECES)},
    }
    path.write_text(json.dumps({"model": model | changes}))
    return path


def pieces(tmp_path: Path, text: str, limit: int = 200) -> list[str]:
    vocabulary = WordPiece(written(tmp_path / "tokenizer.json"))
    return [PIECES[number] for number in vocabulary.tokens(text, limit)]


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("", []),
        ("unaffable", ["un", "##aff", "##able"]),
        ("able unable", ["able", "un", "##able"]),
        ("unknown", ["[UNK]"]),
        ("Café,CAFÉ", ["cafe", ",", "cafe"]),
        ("un" + "a" * 98, ["un", *["##a"] * 98]),
        ("un" + "a" * 99, ["[UNK]"]),
        ("[CLS]", ["[", "cls", "]"]),
        ("able\u0000\u200b\tun", ["able", "un"]),
    ],
)
def test_texts_come_apart(tmp_path: Path, text: str, inner: list[str]) -> None:
    assert pieces(tmp_path, text) == ["[CLS]", *inner, "[SEP]"]


def test_the_rest_of_a_long_text_is_left_out(tmp_path: Path) -> None:
    assert pieces(tmp_path, "able " * 50, limit=5) == ["[CLS]", "able", "able", "able", "[SEP]"]


@pytest.mark.parametrize(
    "changes", [{"type": "BPE"}, {"vocab": {"a": 0}}, {"unk_token": "?"}, {"vocab": None}]
)
def test_other_vocabularies_are_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(ModelUnreadable):
        WordPiece(written(tmp_path / "tokenizer.json", **changes))
    (tmp_path / "no.json").write_text("[")
    with pytest.raises(ModelUnreadable):
        WordPiece(tmp_path / "no.json")
