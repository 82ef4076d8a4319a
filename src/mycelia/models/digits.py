"""Handwritten digits: the data, the distortion that makes each picture new, and three recognisers.

The data are the 1,797 pictures of 8 by 8 pixels that scikit-learn ships. Every third is held out:
challenges are made of those, and no recogniser has seen them. The three recognisers differ in what
they can express, so their quality differs for a reason: a network with a hidden layer, a linear
classifier, and the distance to each digit's mean picture.

Terms: *cell* - one distorted digit, 16 by 16 grey values from 0 (paper) to 1 (ink).

Training takes seconds and happens once, on the first use; miners load the ONNX files it leaves.
"""

from __future__ import annotations

import gzip
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelia.models.catalog import DIGITS
from mycelia.models.store import ModelStore, Progress
from mycelia.primitives.errors import AppError

CELL = 16
"""Side of a cell in pixels."""

Cells = NDArray[np.float32]
Labels = NDArray[np.uint8]

_HELD_OUT_EVERY = 3
_COPIES = 20  # distorted copies of each training picture
_TRAINING_SEED = 20_260_101


class DataMissing(AppError):
    """scikit-learn's digits are not where they should be."""

    def __init__(self) -> None:
        super().__init__(
            "data_missing",
            "The digits that scikit-learn ships were not found.",
            "Install scikit-learn again, for instance with `make up`.",
        )


@dataclass(frozen=True)
class Digits:
    """Pictures (n, 8, 8) with ink from 0 to 16, and what they show."""

    images: NDArray[np.uint8]
    labels: Labels

    @classmethod
    def load(cls, store: ModelStore, *, held_out: bool | None = None) -> Digits:
        """Load all pictures, or only the held-out ones, or only the others."""
        with np.load(store.path(DIGITS.name)) as data:
            images, labels = data["images"], data["labels"]
        if held_out is None:
            return cls(images, labels)
        chosen = (np.arange(len(labels)) % _HELD_OUT_EVERY == 0) == held_out
        return cls(images[chosen], labels[chosen])


def extract(_store: ModelStore, target: Path, progress: Progress) -> None:
    """Copy the data out of scikit-learn without importing it, which takes seconds and memory."""
    spec = importlib.util.find_spec("sklearn")
    folders = (spec and spec.submodule_search_locations) or ()
    files = [Path(f) / "datasets" / "data" / "digits.csv.gz" for f in folders]
    source = next((file for file in files if file.is_file()), None)
    if source is None:
        raise DataMissing
    with gzip.open(source, "rt") as rows:
        table = np.loadtxt(rows, delimiter=",", dtype=np.uint8)
    images, labels = table[:, :64].reshape(-1, 8, 8), table[:, 64]
    with target.open("wb") as file:
        np.savez_compressed(file, images=images, labels=labels)
    progress("copy digits", 1, 1)


def distorted(images: NDArray[np.uint8], rng: np.random.Generator, strength: float = 1.0) -> Cells:
    """Draw each 8 by 8 picture anew into a cell: turned, slanted, scaled, moved, on dirty paper.

    Pixels are read back from the picture by the inverse of a random affine map, interpolated
    between the four nearest; then come contrast, a shade across the paper, and noise. `strength`
    multiplies how far pictures are turned and slanted.
    """
    n = len(images)
    angle = rng.normal(0.0, 0.13 * strength, n)
    slant = rng.normal(0.0, 0.1 * strength, n)
    width, height = rng.uniform(1.5, 1.8, (2, n))
    shift = rng.uniform(-0.7, 0.7, (n, 2))
    cos, sin = np.cos(angle), np.sin(angle)
    forward = np.empty((n, 2, 2))
    forward[:, 0, 0], forward[:, 0, 1] = height * cos, -height * sin
    forward[:, 1, 0], forward[:, 1, 1] = width * (sin + slant * cos), width * (cos - slant * sin)
    inverse = np.linalg.inv(forward)
    axis = np.arange(CELL) - (CELL - 1) / 2
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(1, -1, 2)
    where = np.einsum("nij,npj->npi", inverse, grid - shift[:, None, :]) + 3.5
    ink = _interpolated(images / 16.0, where).reshape(n, CELL, CELL)
    shade = np.einsum("ni,pi->np", rng.normal(0.0, 0.012, (n, 2)), grid[0]).reshape(ink.shape)
    ink = ink * rng.uniform(0.55, 1.0, (n, 1, 1)) + shade + rng.uniform(0.0, 0.2, (n, 1, 1))
    ink += rng.normal(0.0, 1.0, ink.shape) * rng.uniform(0.03, 0.12, (n, 1, 1))
    cells: Cells = np.clip(ink, 0.0, 1.0).astype(np.float32)
    return cells


def _interpolated(images: NDArray[np.float64], where: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bilinear values of (n, 8, 8) images at (n, points, 2) rows and columns; 0 outside."""
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2)))
    where = np.clip(where + 1.0, 0.0, 9.0)
    low = np.floor(where).astype(np.intp)
    part = where - low
    index = np.arange(len(images))[:, None]
    out = np.zeros(where.shape[:2])
    for down in (0, 1):
        for right in (0, 1):
            weight = np.abs(1 - down - part[..., 0]) * np.abs(1 - right - part[..., 1])
            out += weight * padded[index, low[..., 0] + down, low[..., 1] + right]
    return out


def train_network(store: ModelStore, target: Path, progress: Progress) -> None:
    """Train the best recogniser: one hidden layer."""
    cells, labels = training_set(store, _COPIES)
    layers = network(cells, labels, units=128, epochs=10, progress=progress)
    save(target, layers)


def train_linear(store: ModelStore, target: Path, progress: Progress) -> None:
    """Train the middle recogniser: multinomial logistic regression."""
    save(target, linear(*training_set(store, 4)))
    progress("train digits-linear", 1, 1)


def train_centroid(store: ModelStore, target: Path, progress: Progress) -> None:
    """Train the simplest recogniser: the nearest mean picture."""
    save(target, centroid(*training_set(store, 4)))
    progress("train digits-centroid", 1, 1)


Layers = list[tuple[Any, Any]]
"""Weights and biases, first layer first."""


def network(
    cells: Cells, labels: Labels, *, units: int, epochs: int, progress: Progress | None = None
) -> Layers:
    """Train a network with one hidden layer of so many units."""
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415 -- heavy, and only here

    found = MLPClassifier((units,), max_iter=1, random_state=1, learning_rate_init=3e-3)
    found.partial_fit(cells[:200], labels[:200], classes=np.arange(10))
    batch = 200
    rng = np.random.default_rng(_TRAINING_SEED)
    for epoch in range(epochs):
        order = rng.permutation(len(cells))
        found.set_params(learning_rate_init=3e-3 * (1 - epoch / epochs))
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            found.partial_fit(cells[chosen], labels[chosen])
        if progress is not None:
            progress("train digits-network", epoch + 1, epochs)
    return list(zip(found.coefs_, found.intercepts_, strict=True))


def linear(cells: Cells, labels: Labels) -> Layers:
    """Train multinomial logistic regression."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 -- as above

    found = LogisticRegression(C=0.05, max_iter=200, tol=1e-3).fit(cells, labels)
    return [(found.coef_.T, found.intercept_)]


def centroid(cells: Cells, labels: Labels) -> Layers:
    """Take the mean picture of each digit.

    The squared distance to mean c is |x|^2 - 2 x.c + |c|^2; the least has the greatest x.c - |c|^2/2.
    """
    from sklearn.neighbors import NearestCentroid  # noqa: PLC0415 -- as above

    means = NearestCentroid().fit(cells, labels).centroids_
    return [(means.T, -0.5 * (means**2).sum(axis=1))]


def training_set(store: ModelStore, copies: int) -> tuple[Cells, Labels]:
    """So many distorted copies of each picture that is not held out, as rows."""
    digits = Digits.load(store, held_out=False)
    rng = np.random.default_rng(_TRAINING_SEED)
    cells = np.concatenate([distorted(digits.images, rng) for _ in range(copies)])
    return cells.reshape(len(cells), -1), np.tile(digits.labels, copies)


def save(target: Path, layers: Layers) -> None:
    """Write layers of weights and biases as an ONNX graph from cells to digits."""
    import onnx  # noqa: PLC0415 -- miners only run what this writes
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 -- as above

    nodes, initial, flowing = [], [], "cells"
    for number, (weights, biases) in enumerate(layers):
        for name, value in (("weights", weights), ("biases", biases)):
            array = np.ascontiguousarray(value, dtype=np.float32)
            initial.append(numpy_helper.from_array(array, f"{name}{number}"))
        nodes.append(
            helper.make_node(
                "Gemm", [flowing, f"weights{number}", f"biases{number}"], [f"sum{number}"]
            )
        )
        flowing = f"sum{number}"
        if number + 1 < len(layers):
            nodes.append(helper.make_node("Relu", [flowing], [f"hidden{number}"]))
            flowing = f"hidden{number}"
    nodes.append(helper.make_node("ArgMax", [flowing], ["digits"], axis=1, keepdims=0))
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("cells", TensorProto.FLOAT, [None, CELL * CELL])],
        [helper.make_tensor_value_info("digits", TensorProto.INT64, [None])],
        initial,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    target.write_bytes(model.SerializeToString())
    onnx.checker.check_model(model)
