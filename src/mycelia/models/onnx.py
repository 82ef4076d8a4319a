"""Classifiers in ONNX files, on one thread of ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mycelia.models.store import ModelUnreadable


class Classifier:
    """A graph from rows of float32 features to one whole number each."""

    def __init__(self, path: Path) -> None:
        """Load a verified file; raises ModelUnreadable if the runtime refuses it."""
        import onnxruntime  # noqa: PLC0415 -- tens of MB, for classifiers only

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # small models: keep memory small too
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as cause:  # the runtime's errors share no base below Exception
            raise ModelUnreadable(path) from cause
        self._input: str = self._session.get_inputs()[0].name

    def labels(self, rows: NDArray[np.float32]) -> list[int]:
        """Class of each row of an (n, features) array."""
        (found,) = self._session.run(None, {self._input: rows})
        return [int(label) for label in found]
