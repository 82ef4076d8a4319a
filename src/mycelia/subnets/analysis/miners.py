"""Miners of the analysis subnet: two with the declared model, three that save themselves the work."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelia.models import ModelStore
from mycelia.models.catalog import MINILM, MINILM_VOCABULARY
from mycelia.models.embedding import CONTEXT, DIMENSIONS, Embedded, load_embedder
from mycelia.models.wordpiece import WordPiece
from mycelia.models.worker import Worker
from mycelia.neuron import Miner, Variant
from mycelia.subnets.analysis.kernel import answered
from mycelia.subnets.analysis.messages import Answer, Ask
from mycelia.subnets.analysis.subnet import Analysis

_SKIMMED = 12
"""Tokens that a skimmer reads, a twentieth of what it should."""
_STALE = 10
"""Answers that a stale miner gives with the vectors of one."""


def honest(models: ModelStore) -> Miner:
    """Make a miner with the declared model."""
    model = load_embedder(models)
    worker = Worker("embedder")

    @Analysis.miner
    async def analyse(ask: Ask) -> Answer:
        return answered(ask, await worker.call(lambda: model.embed(ask.texts())))

    return analyse


def skimmer(models: ModelStore) -> Miner:
    """Cheat: read the first words of each text, which is most of the work saved."""
    model = load_embedder(models)
    worker = Worker("skimmer")

    def skim(texts: tuple[str, ...]) -> Embedded:
        return Embedded(model.embed(texts, _SKIMMED).vectors, model.count(texts))

    @Analysis.miner
    async def analyse(ask: Ask) -> Answer:
        return answered(ask, await worker.call(lambda: skim(ask.texts())))

    return analyse


def stale(models: ModelStore) -> Miner:
    """Cheat: embed once in a while, and give those vectors for the texts that follow."""
    model = load_embedder(models)
    worker = Worker("stale")
    kept, given = np.empty((0, DIMENSIONS), dtype=np.float32), _STALE

    def repeat(texts: tuple[str, ...]) -> Embedded:
        nonlocal kept, given
        if given >= _STALE:
            kept, given = model.embed(texts).vectors, 0
        given += 1
        return Embedded(np.resize(kept, (len(texts), DIMENSIONS)), model.count(texts))

    @Analysis.miner
    async def analyse(ask: Ask) -> Answer:
        return answered(ask, await worker.call(lambda: repeat(ask.texts())))

    return analyse


def hashed(models: ModelStore) -> Miner:
    """Cheat: another model, which adds up one random vector per token. It even means a little."""
    vocabulary = WordPiece(models.path(MINILM_VOCABULARY.name))

    def add_up(texts: tuple[str, ...]) -> Embedded:
        tokens = [vocabulary.tokens(text, CONTEXT) for text in texts]
        vectors = np.stack([_summed(row) for row in tokens]).astype(np.float32)
        return Embedded(vectors, sum(map(len, tokens)))

    @Analysis.miner
    async def analyse(ask: Ask) -> Answer:
        return answered(ask, add_up(ask.texts()))

    return analyse


def _summed(tokens: list[int]) -> NDArray[np.float64]:
    total = sum(
        (np.random.default_rng(token).normal(size=DIMENSIONS) for token in tokens),
        start=np.zeros(DIMENSIONS),
    )
    return total / np.linalg.norm(total)


MINERS = {
    variant.name: variant
    for variant in (
        Variant("honest-a", honest=True, make=honest, about="the declared model",
                model=MINILM.name),
        Variant("honest-b", honest=True, make=honest, about="the declared model",
                model=MINILM.name),
        Variant("skimmer", honest=False, make=skimmer,
                about="the declared model on the first words of each text", model=MINILM.name),
        Variant("stale", honest=False, make=stale, about="vectors of earlier texts",
                model=MINILM.name),
        Variant("hashed", honest=False, make=hashed, about="another, far cheaper model",
                model=MINILM.name),
    )
}  # fmt: skip
