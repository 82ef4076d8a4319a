"""Does the vision subnet pay by quality? `python -m mycelia.subnets.vision.calibrate`.

Eight honest recognisers of graded quality are trained: larger and smaller networks, linear ones,
mean pictures, on more and fewer pictures. Their true quality is the share of digits that they read
right on many sheets which no validator draws. Then three validators each draw sheets by a hand
of their own, score the recognisers as they score miners, and weigh them; the table shows quality
beside pay.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mycelia.models import ModelStore
from mycelia.models.catalog import DIGITS
from mycelia.models.digits import (
    Cells,
    Digits,
    Labels,
    Layers,
    centroid,
    linear,
    network,
    save,
    training_set,
)
from mycelia.models.onnx import Graph
from mycelia.subnets.figures import rank_correlation, shares
from mycelia.subnets.vision.sheet import HANDS, Hand, cells, compose
from mycelia.subnets.vision.subnet import merit

LEAST_CORRELATION = 0.9

Train = Callable[[Cells, Labels], Layers]
GRADES: Mapping[str, tuple[int, int, Train]] = {
    "network of 96 units": (8, 1, lambda x, y: network(x, y, units=96, epochs=8)),
    "network of 32 units": (4, 1, lambda x, y: network(x, y, units=32, epochs=6)),
    "network of 12 units": (4, 1, lambda x, y: network(x, y, units=12, epochs=6)),
    "network of 8 units": (4, 1, lambda x, y: network(x, y, units=8, epochs=8)),
    "linear": (4, 1, linear),
    "linear, a tenth of the data": (1, 10, linear),
    "mean picture": (4, 1, centroid),
    "mean picture, a tenth of the data": (1, 10, centroid),
}
"""Copies of each picture, every how many-th of them is used, and what is trained on them."""


def trained(store: ModelStore) -> dict[str, Graph]:
    """The eight recognisers, by what they are. The same on every run."""
    graphs = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (copies, step, train) in GRADES.items():
            rows, labels = training_set(store, copies)
            target = Path(folder) / "model.onnx"
            save(target, train(rows[::step], labels[::step]))
            graphs[name] = Graph(target)
    return graphs


def drawn(
    digits: Digits, rng: random.Random, count: int, hands: Sequence[Hand]
) -> list[tuple[Cells, tuple[int, ...]]]:
    """Sheets as validators draw them, by each hand in turn: cut into cells, and what they show."""
    sheets = [compose(digits, rng.randbytes(16), hands[i % len(hands)]) for i in range(count)]
    return [(cells(sheet.pixels), sheet.labels) for sheet in sheets]


def read(graph: Graph, rows: Cells) -> NDArray[np.int64]:
    """What a recogniser sees in each cell."""
    return graph.run({"cells": rows})["digits"]


def main(arguments: list[str] | None = None) -> int:
    """Run the measurement; exit status 1 if pay does not follow quality."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sheets", type=int, default=60, help="that each validator draws")
    parser.add_argument("--truth", type=int, default=300, help="sheets for the true quality")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    store = ModelStore()
    store.ensure(DIGITS.name)
    graphs, digits = trained(store), Digits.load(store, held_out=True)
    exam = drawn(digits, random.Random(f"{options.seed} truth"), options.truth, HANDS)  # noqa: S311
    quality = {
        name: float(np.mean([np.mean(read(graph, rows) == labels) for rows, labels in exam]))
        for name, graph in graphs.items()
    }
    pay, kept = dict.fromkeys(graphs, 0.0), True
    for number, hand in enumerate(HANDS, start=1):
        rng = random.Random(f"{options.seed} validator {number}")  # noqa: S311 -- repeatable
        asked = drawn(digits, rng, options.sheets, [hand])
        scores = {
            name: [merit(read(graph, rows).tolist(), labels) for rows, labels in asked]
            for name, graph in graphs.items()
        }
        earned = shares(scores, seed=number)
        found = rank_correlation(list(quality.values()), list(earned.values()))
        kept &= found >= LEAST_CORRELATION
        sys.stdout.write(f"validator {number}: rank correlation of quality and pay {found:.3f}\n")
        pay = {name: pay[name] + share / len(HANDS) for name, share in earned.items()}
    found = rank_correlation(list(quality.values()), list(pay.values()))
    sys.stdout.write(f"all validators: rank correlation of quality and pay {found:.3f}\n")
    for name in sorted(graphs, key=quality.__getitem__, reverse=True):
        sys.stdout.write(f"{name:34} reads {quality[name]:6.1%}   earns {pay[name]:6.1%}\n")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
