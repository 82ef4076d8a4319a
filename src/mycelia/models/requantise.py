"""Re-quantise a model to four bits per weight: a cheaper model that passes for the real one.

The network's own adversary uses it: a miner that serves this file under the original's name saves
memory and time. The validator's check has to catch it, see `verification.py`.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter

from mycelia.models.catalog import SMOLLM2
from mycelia.models.store import ModelStore, Progress

_MOSTLY_Q4_0 = 2  # value of `general.file_type`


def to_q4_0(store: ModelStore, target: Path, progress: Progress) -> None:
    """Write SmolLM2 with its Q4_1 matrices rounded to Q4_0; all else as it was."""
    reader = GGUFReader(store.path(SMOLLM2.name))
    writer = GGUFWriter(target, str(reader.fields["general.architecture"].contents()))
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue  # the writer adds these itself
        element = field.types[-1] if field.types[0] is GGUFValueType.ARRAY else None
        value = _MOSTLY_Q4_0 if key == "general.file_type" else field.contents()
        writer.add_key_value(key, value, field.types[0], element)
    total = len(reader.tensors)
    for done, tensor in enumerate(reader.tensors, start=1):
        data, kind = tensor.data, tensor.tensor_type
        if kind is GGMLQuantizationType.Q4_1:
            weights = gguf.dequantize(data, kind).astype(np.float32)
            kind = GGMLQuantizationType.Q4_0
            data = gguf.quantize(weights, kind)
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
        progress("re-quantise smollm2-135m-instruct", done, total)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
