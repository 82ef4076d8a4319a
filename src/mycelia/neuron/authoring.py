"""Reads a subnet from one file of an author's: the class, its miners, its cheats.

The file is Python and is executed, so only run files that you trust.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType

from mycelia.neuron.subnet import Miner, Reply, Request, Role, Spec, Subnet, Variant, role_of
from mycelia.primitives.errors import AppError

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_REMEDY = "`mycelia subnet new NAME` writes one to start from."


class SubnetFileError(AppError):
    """The file is missing, does not run, or does not describe a subnet."""


def load_subnet(path: Path) -> Spec:
    """The subnet of a file. Raises SubnetFileError with the line that is wrong."""
    module = _executed(path)
    subnet = _the_subnet(path, module)
    marked = [
        (name, value, role)
        for name, value in vars(module).items()
        if (role := role_of(value)) is not None and role.subnet is subnet
    ]
    miners = {name: _variant(name, value, role) for name, value, role in marked}
    if not any(variant.honest for variant in miners.values()):
        raise SubnetFileError(
            "no_miner",
            f"{path} has no miner of {subnet.__name__}.",
            f"Write an `async def` from Ask to Answer and mark it with @{subnet.__name__}.miner.",
        )
    honest_first = sorted(miners.values(), key=lambda variant: not variant.honest)
    return Spec(subnet, {variant.name: variant for variant in honest_first})


def _executed(path: Path) -> ModuleType:
    """Run the file. An edge: an author's code may fail in any way; the line is named."""
    name = f"mycelia_subnet_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SubnetFileError("no_subnet_file", f"{path} is no Python file.", _REMEDY)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic looks names of annotations up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        where = [
            f.lineno
            for f in traceback.extract_tb(error.__traceback__)
            if Path(f.filename).resolve() == path.resolve()
        ]
        line = getattr(error, "lineno", None) or (where[-1] if where else None)
        said = error.msg if isinstance(error, SyntaxError) else error
        raise SubnetFileError(
            "subnet_file_fails",
            f"{path}{f', line {line}' if line else ''}: {type(error).__name__}: {said}.",
            "A subnet is one file: what it imports must be installed."
            if isinstance(error, ImportError)
            else "Correct the file and try again.",
        ) from error
    return module


def _the_subnet(path: Path, module: ModuleType) -> type[Subnet]:
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Subnet)
        and value is not Subnet
        and value.__module__ == module.__name__
    ]
    if len(own) != 1:
        raise SubnetFileError(
            "not_one_subnet",
            f"{path} has {len(own)} subclasses of Subnet; a subnet file has one.",
            f"Move all but one of {', '.join(kind.__name__ for kind in own)} to other files."
            if own
            else _REMEDY,
        )
    subnet = own[0]
    for attribute, base in (("Ask", Request), ("Answer", Reply)):
        kind = getattr(subnet, attribute, None)
        if not (isinstance(kind, type) and issubclass(kind, base)):
            raise SubnetFileError(
                "message_missing",
                f"{path}: {subnet.__name__} has no `class {attribute}({base.__name__})`.",
                f"Nest it in {subnet.__name__}; its fields are what goes over the wire.",
            )
    name = getattr(subnet, "name", None)
    if isinstance(name, str) and not _NAME.fullmatch(name):
        raise SubnetFileError(
            "bad_name",
            f"{path}: {name!r} cannot be a subnet's name.",
            "It is part of an address: take small letters, digits, _ and -, as in `echo`.",
        )
    if not isinstance(name, str):
        raise SubnetFileError(
            "name_missing",
            f"{path}: {subnet.__name__} has no name.",
            f'Add a line like `name = "{path.stem}"` to the class; it is part of its address.',
        )
    _check_judge(path, subnet)
    return subnet


def _check_judge(path: Path, subnet: type[Subnet]) -> None:
    """Raise SubnetFileError where the subnet cannot ask, cannot judge, or cannot serve."""
    for method, takes in (("challenge", "self, rng"), ("score", "self, ask, answer, truth, meta")):
        function = getattr(subnet, method)
        if function is getattr(Subnet, method) or not inspect.iscoroutinefunction(function):
            raise SubnetFileError(
                f"{method}_missing",
                f"{path}: {subnet.__name__} has no `async def {method}({takes})`.",
                f"Write one; without {method}() no validator can tell miners apart.",
            )
    for name in ("deadline_s", "first_byte_s", "body_bytes", "inflight"):
        if not getattr(subnet.limits, name, 0) > 0:
            raise SubnetFileError(
                "bad_limits",
                f"{path}: {subnet.__name__} has no {name} above 0 in its limits.",
                "Write `limits = Limits(...)` with what differs from the defaults.",
            )


def _variant(name: str, function: Miner, role: Role) -> Variant:
    about = (getattr(function, "__doc__", None) or "").strip().partition("\n")[0]
    return Variant(name, role.honest, lambda _models: function, about, role.model)
