"""Miners of the vision subnet: three that recognise, one that only looks up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mycelia.models import ModelStore
from mycelia.models.adapters import onnx
from mycelia.models.catalog import DIGITS_CENTROID, DIGITS_LINEAR, DIGITS_NETWORK
from mycelia.models.digits import CELL, Cells, Digits
from mycelia.neuron import Miner, Variant
from mycelia.subnets.vision.sheet import cells
from mycelia.subnets.vision.subnet import Answer, Ask, Vision


def recogniser(model: str) -> Callable[[ModelStore], Miner]:
    """Make miners that read cells with a model of the store."""

    def make(models: ModelStore) -> Miner:
        graph = onnx.load(models.path(model))

        @Vision.miner
        async def read(ask: Ask) -> Answer:
            rows = cells(ask.picture())
            found = await graph.run({"cells": rows})
            return Answer(labels=found["digits"].tolist())

        return read

    return make


def lookup(models: ModelStore) -> Miner:
    """Cheat: find each cell among the published pictures; say the commonest digit if it is new.

    Perfect wherever tests are drawn from public data as they are, and as good as a guess here.
    """
    digits = Digits.load(models)
    table = {
        image.tobytes(): int(label)
        for image, label in zip(digits.images, digits.labels, strict=True)
    }
    commonest = int(np.bincount(digits.labels).argmax())

    @Vision.miner
    async def look_up(ask: Ask) -> Answer:
        thumbnails = _thumbnails(cells(ask.picture()))
        return Answer(labels=[table.get(t.tobytes(), commonest) for t in thumbnails])

    return look_up


def _thumbnails(rows: Cells) -> NDArray[np.uint8]:
    """Shrink cells to the 8 by 8 pixels and 17 grey values of the published pictures."""
    half = CELL // 2
    means = rows.reshape(-1, half, 2, half, 2).mean(axis=(2, 4))
    grey: NDArray[np.uint8] = np.round(means * 16).astype(np.uint8)
    return grey


MINERS = {
    variant.name: variant
    for variant in (
        Variant("honest-a", honest=True, make=recogniser(DIGITS_NETWORK.name),
                about="a network with a hidden layer", model=DIGITS_NETWORK.name),
        Variant("honest-b", honest=True, make=recogniser(DIGITS_LINEAR.name),
                about="logistic regression", model=DIGITS_LINEAR.name),
        Variant("honest-c", honest=True, make=recogniser(DIGITS_CENTROID.name),
                about="nearest mean picture", model=DIGITS_CENTROID.name),
        Variant("lookup", honest=False, make=lookup,
                about="looks pictures up in the public data instead of recognising them"),
    )
}  # fmt: skip
