"""Models in ONNX files, on one thread of ONNX Runtime."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mycelia.models.store import ModelUnreadable

_NUMPY = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}
"""Element types that numpy has; graphs that take others are refused."""
Optimised = Literal["all", "basic", "none"]
"""How far a graph is rearranged before it runs. What is rearranged more runs faster, and rounds
otherwise."""
_LEVELS = {"all": "ORT_ENABLE_ALL", "basic": "ORT_ENABLE_BASIC", "none": "ORT_DISABLE_ALL"}


@dataclass(frozen=True)
class Port:
    """An input or output of a graph: its element type, and its shape with None where it is free."""

    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]

    def takes(self, array: NDArray[Any]) -> bool:
        """Whether an array fits."""
        return (
            array.dtype == self.dtype
            and array.ndim == len(self.shape)
            and all(
                want in (None, have) for want, have in zip(self.shape, array.shape, strict=True)
            )
        )

    def __str__(self) -> str:
        sides = ", ".join("*" if side is None else str(side) for side in self.shape)
        return f"{self.dtype}[{sides}]"


class Graph:
    """A graph from named arrays to named arrays. Calls block; one caller at a time is enough."""

    def __init__(self, path: Path, *, optimised: Optimised = "all") -> None:
        """Load a verified file; raises ModelUnreadable if the runtime refuses it."""
        import onnxruntime  # noqa: PLC0415 -- tens of MB, only where a graph runs

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # small models: keep memory small too
        options.log_severity_level = 4
        level = getattr(onnxruntime.GraphOptimizationLevel, _LEVELS[optimised])
        options.graph_optimization_level = level
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
            self.inputs = {port.name: _port(port) for port in self._session.get_inputs()}
            self.outputs = {port.name: _port(port) for port in self._session.get_outputs()}
        except Exception as cause:  # the runtime's errors share no base below Exception
            raise ModelUnreadable(path) from cause
        _return_freed_memory()

    def run(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Every output for these inputs, which must fit `inputs`."""
        found = self._session.run(None, dict(arrays))
        return dict(zip(self.outputs, found, strict=True))


def _port(found: Any) -> Port:
    shape = tuple(side if isinstance(side, int) else None for side in found.shape)
    return Port(np.dtype(_NUMPY[found.type]), shape)


def _return_freed_memory() -> None:
    """Give back what the optimiser needed for a moment, often more than the graph keeps."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, others need not
    if trim is not None:
        trim(0)
