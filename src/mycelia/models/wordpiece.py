"""WordPiece: text to the token numbers of BERT's family, by a vocabulary of word pieces.

A text is cleaned, lowered and stripped of accents, cut at white space and around punctuation, and
each word is taken apart into the longest pieces that the vocabulary has.

Control tokens are not recognised in texts: who types "[CLS]" gets the letters.

Source: Devlin et al., "BERT" (2019), and the `tokenizer.json` of the model, whose settings for
lower case, accents and long words are these.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from mycelia.models.store import ModelUnreadable

_CONTINUED = "##"
_LONGEST_WORD = 100
"""Characters; a longer word is unknown as a whole."""
_CACHED_WORDS = 1 << 14
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


class WordPiece:
    """A vocabulary and the way to spell texts with it."""

    def __init__(self, path: Path) -> None:
        """Load a verified `tokenizer.json`; raises ModelUnreadable if it is of another kind."""
        try:
            model = json.loads(path.read_bytes())["model"]
            if model["type"] != "WordPiece" or model["continuing_subword_prefix"] != _CONTINUED:
                raise ModelUnreadable(path)
            self._numbers: dict[str, int] = model["vocab"]
            self._unknown = self._numbers[model["unk_token"]]
            self._begin, self._end = self._numbers["[CLS]"], self._numbers["[SEP]"]
        except (ValueError, KeyError, TypeError) as cause:
            raise ModelUnreadable(path) from cause
        self._pieces = lru_cache(_CACHED_WORDS)(self._spelled)

    def tokens(self, text: str, limit: int) -> list[int]:
        """At most `limit` tokens of a text, between the begin and the end token."""
        room = limit - 2
        inner: list[int] = []
        for word in _words(text):
            inner += self._pieces(word)
            if len(inner) >= room:
                break
        return [self._begin, *inner[:room], self._end]

    def _spelled(self, word: str) -> tuple[int, ...]:
        """The longest known pieces, left to right; unknown as a whole if one is missing."""
        if len(word) > _LONGEST_WORD:
            return (self._unknown,)
        out: list[int] = []
        start = 0
        while start < len(word):
            prefix = _CONTINUED if start else ""
            for end in range(len(word), start, -1):
                number = self._numbers.get(prefix + word[start:end])
                if number is not None:
                    out.append(number)
                    start = end
                    break
            else:
                return (self._unknown,)
        return tuple(out)


def _words(text: str) -> Iterator[str]:
    """Words and single signs of a text, in order."""
    word: list[str] = []
    for char in _normal(text):
        alone = _is_sign(char)
        if (alone or char.isspace()) and word:
            yield "".join(word)
            word.clear()
        if alone:
            yield char
        elif not char.isspace():
            word.append(char)
    if word:
        yield "".join(word)


def _normal(text: str) -> str:
    """Lower case without accents and control characters, ideographs set apart."""
    kept = "".join(map(_kept, text))
    bare = (c for c in unicodedata.normalize("NFD", kept) if unicodedata.category(c) != "Mn")
    return "".join(char.lower() for char in bare)


def _kept(char: str) -> str:
    if char in "\t\n\r":
        return " "
    if char == "�" or unicodedata.category(char) in ("Cc", "Cf", "Co"):
        return ""
    if char.isspace():
        return " "
    code = ord(char)
    return f" {char} " if any(low <= code <= high for low, high in _IDEOGRAPHS) else char


def _is_sign(char: str) -> bool:
    """Punctuation, or any visible character of ASCII that is neither letter nor digit."""
    if char < "\x7f":
        return char > " " and not char.isalnum()
    return unicodedata.category(char).startswith("P")
