"""Sentence embeddings: texts to unit vectors of which near ones mean alike.

The model is all-MiniLM-L6-v2 with eight-bit weights. A vector is the mean of the last layer over
the text's tokens, scaled to length 1. Texts are evaluated one by one, so that a vector depends on
its text alone and not on what else was asked with it.

Source: Reimers, Gurevych, "Sentence-BERT" (2019), mean pooling; the model card's own recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mycelia.models.catalog import MINILM, MINILM_VOCABULARY
from mycelia.models.onnx import Graph, Optimised
from mycelia.models.store import ModelStore
from mycelia.models.wordpiece import WordPiece

DIMENSIONS = 384
CONTEXT = 256
"""Tokens that are read of a text, with its begin and end; the rest is left out."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Embedded:
    """Vectors (n, DIMENSIONS) of n texts, and how many tokens were read for them."""

    vectors: Vectors
    tokens: int


class Embedder:
    """A graph and its vocabulary. Calls block; one caller at a time (`worker.py` queues)."""

    def __init__(self, graph: Graph, vocabulary: WordPiece) -> None:
        self._graph = graph
        self._vocabulary = vocabulary

    def embed(self, texts: Sequence[str], context: int = CONTEXT) -> Embedded:
        """Vectors of texts, in their order; at most `context` tokens of each are read."""
        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        read = 0
        for row, text in enumerate(texts):
            tokens = self._vocabulary.tokens(text, context)
            read += len(tokens)
            vectors[row] = self._vector(tokens)
        return Embedded(vectors, read)

    def count(self, texts: Sequence[str]) -> int:
        """How many tokens `embed` would read of texts."""
        return sum(len(self._vocabulary.tokens(text, CONTEXT)) for text in texts)

    def _vector(self, tokens: Sequence[int]) -> Vectors:
        ids = np.array([tokens], dtype=np.int64)
        states = self._graph.run(
            {
                "input_ids": ids,
                "attention_mask": np.ones_like(ids),
                "token_type_ids": np.zeros_like(ids),
            }
        )["last_hidden_state"]
        mean = states[0].astype(np.float64).mean(axis=0)
        vector: Vectors = (mean / np.linalg.norm(mean)).astype(np.float32)
        return vector


def load_embedder(models: ModelStore, *, optimised: Optimised = "all") -> Embedder:
    """Load the model that the catalogue declares."""
    graph = Graph(models.path(MINILM.name), optimised=optimised)
    return Embedder(graph, WordPiece(models.path(MINILM_VOCABULARY.name)))
