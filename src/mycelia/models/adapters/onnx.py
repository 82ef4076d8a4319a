"""ONNX files, run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

from mycelia.models.adapters.local import Local, commonest, described
from mycelia.models.cards import card_of
from mycelia.models.catalog import GRAPH_SCHEDULE
from mycelia.models.face import Arrays, AskRefused, Model
from mycelia.models.onnx import Graph


def load(path: Path) -> Model[Arrays, Arrays]:
    """Load a verified file. Asks and answers have the names that the graph gives its ports.

    Raises:
        ModelUnreadable: the runtime refuses the file.
    """
    graph = Graph(path)

    def run(arrays: Arrays) -> Arrays:
        fits = arrays.keys() == graph.inputs.keys() and all(
            port.takes(arrays[name]) for name, port in graph.inputs.items()
        )
        if not fits:
            wanted = ", ".join(f"{name} {port}" for name, port in graph.inputs.items())
            raise AskRefused(f"it takes {wanted}, and was given {described(arrays)}")
        return graph.run(arrays)

    return Local(run, card_of(path, "onnxruntime", lambda: _quantisation(path), GRAPH_SCHEDULE))


def _quantisation(path: Path) -> str | None:
    import onnx  # noqa: PLC0415 -- only to look into the file

    weights = onnx.load(path, load_external_data=False).graph.initializer
    return commonest(
        (onnx.helper.tensor_dtype_to_np_dtype(w.data_type).name, _size(w.dims)) for w in weights
    )


def _size(dims: list[int]) -> int:
    size = 1
    for side in dims:
        size *= side
    return size
