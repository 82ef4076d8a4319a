"""Programs that PyTorch exported. PyTorch is no part of the lock: install `mycelia[torch]`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from mycelia.models.adapters.local import Local, commonest, described
from mycelia.models.cards import card_of
from mycelia.models.face import Arrays, AskRefused, Model
from mycelia.models.store import ModelUnreadable

_SCHEDULE = "one-thread"


def load(path: Path) -> Model[Arrays, Arrays]:
    """Load a verified `.pt2` file that `torch.export.save` wrote, with arrays in and out.

    Asks have the names of the program's inputs, answers those of its outputs.

    Raises:
        ModelUnreadable: the file holds no exported program of this version of PyTorch.
    """
    torch: Any = import_module("torch")  # gigabytes, and only where a program runs
    torch.set_num_threads(1)
    try:
        program = torch.export.load(path)
        module = program.module()
    except Exception as cause:  # its loader raises whatever its parts raise
        raise ModelUnreadable(path) from cause
    inputs = [str(name) for name in program.graph_signature.user_inputs]
    outputs = [str(name) for name in program.graph_signature.user_outputs]

    def run(arrays: Arrays) -> Arrays:
        if arrays.keys() != set(inputs):
            raise AskRefused(f"it takes {', '.join(inputs)}, and was given {described(arrays)}")
        try:
            with torch.inference_mode():
                found = module(*(torch.from_numpy(arrays[name].copy()) for name in inputs))
        except (RuntimeError, TypeError, ValueError, AssertionError) as cause:
            # The program's own guards check types and sides, and raise any of these.
            raise AskRefused(str(cause).splitlines()[0].rstrip(".")) from cause
        several = found if isinstance(found, list | tuple) else [found]
        return {name: value.numpy() for name, value in zip(outputs, several, strict=True)}

    return Local(run, card_of(path, "torch", lambda: _quantisation(program), _SCHEDULE))


def _quantisation(program: Any) -> str | None:
    weights = program.state_dict.values()
    return commonest((str(w.dtype).removeprefix("torch."), w.numel()) for w in weights)
