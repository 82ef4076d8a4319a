"""Declaring a method once: the decorator turns a function into what the server, `rpc_methods` and tests read.

A method takes the node, then its parameters; their annotations say how JSON becomes values:

    Hex              bytes from hex, with or without 0x
    Hash             the same, of 32 bytes
    int              a whole number, or one as 0x-hex
    str, bool        themselves
    list[T], T | None
    T | U            the first that can be read
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import (
    Any,
    Final,
    NewType,
    ParamSpec,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from mycelia.rpc.errors import RpcError, invalid_params

P = ParamSpec("P")
R = TypeVar("R")

Hex = NewType("Hex", bytes)
Hash = NewType("Hash", bytes)

_HASH_BYTES: Final = 32
_LONGEST_INT: Final = len("0x") + 16
Reader = Callable[[Any], Any]  # Any: JSON on one side, whatever the annotation says on the other


@dataclass(frozen=True)
class Parameter:
    """One parameter: how to read it, and whether it may be left out."""

    name: str
    read: Reader
    is_required: bool


@dataclass(frozen=True)
class Method:
    """One method as declared."""

    name: str
    aliases: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    call: Callable[..., Any]
    doc: str
    takes_session: bool

    def arguments(self, params: Any) -> list[Any]:
        """Values for the call from the `params` member; raises the invalid-params error."""
        if params is None:
            params = []
        if isinstance(params, dict):
            params = self._in_order(params)
        if not isinstance(params, list):
            raise invalid_params("`params` is neither a list nor an object.")
        known = self.parameters
        if len(params) > len(known):
            # Clients append nulls for what they leave out.
            if any(extra is not None for extra in params[len(known) :]):
                raise invalid_params(f"{self.name} takes {len(known)} values, not {len(params)}.")
            params = params[: len(known)]
        values = []
        for parameter, value in zip(known, params, strict=False):
            try:
                values.append(parameter.read(value))
            except (TypeError, ValueError) as cause:
                raise invalid_params(f"{parameter.name}: {cause}") from cause
        for parameter in known[len(params) :]:
            if parameter.is_required:
                raise invalid_params(f"{parameter.name} is missing.")
        return values

    def _in_order(self, params: dict[str, Any]) -> list[Any]:
        unknown = sorted(params.keys() - {parameter.name for parameter in self.parameters})
        if unknown:
            raise invalid_params(f"{self.name} has no parameter {unknown[0]!r}.")
        return [params.get(parameter.name) for parameter in self.parameters]


METHODS: Final[dict[str, Method]] = {}
"""Every method by name and alias, filled when `mycelia.rpc.methods` is imported."""


def method(*names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare a method under a name and aliases. A second parameter called `session` gets the connection's."""

    def declare(function: Callable[P, R]) -> Callable[P, R]:
        parameters = list(inspect.signature(function).parameters.values())[1:]
        takes_session = bool(parameters) and parameters[0].name == "session"
        hints = get_type_hints(function)
        spec = Method(
            name=names[0],
            aliases=names[1:],
            parameters=tuple(
                Parameter(p.name, reader(hints[p.name]), p.default is p.empty)
                for p in parameters[takes_session:]
            ),
            call=function,
            doc=inspect.getdoc(function) or "",
            takes_session=takes_session,
        )
        for name in names:
            if name in METHODS:
                raise TypeError(f"RPC method {name} is declared twice. Rename one.")
            METHODS[name] = spec
        return function

    return declare


def lookup(name: Any) -> Method:
    """The method of a request; raises the method-not-found error."""
    spec = METHODS.get(name) if isinstance(name, str) else None
    if spec is None:
        raise RpcError(-32601, "Method not found", f"{name!s:.80} is no method of this node.")
    return spec


def read_hex(value: Any) -> bytes:
    """Bytes from hex, with or without 0x."""
    if not isinstance(value, str):
        raise TypeError("expected a hex string.")
    return bytes.fromhex(value[2:] if value[:2] in ("0x", "0X") else value)


def read_hash(value: Any) -> bytes:
    """Thirty-two bytes from hex."""
    raw = read_hex(value)
    if len(raw) != _HASH_BYTES:
        raise ValueError(f"expected {_HASH_BYTES} bytes of hex, found {len(raw)}.")
    return raw


def read_int(value: Any) -> int:
    """A whole number, or one as 0x-hex; booleans are none."""
    if isinstance(value, str) and value[:2] == "0x":
        if len(value) > _LONGEST_INT:  # JSON's own whole numbers end there, too
            raise ValueError("expected at most 64 bits.")
        return int(value, 16)
    if type(value) is not int:
        raise TypeError("expected a whole number.")
    return value


_READERS: Final[dict[Any, Reader]] = {Hex: read_hex, Hash: read_hash, int: read_int}


def reader(annotation: Any) -> Reader:
    """How JSON becomes a value of the annotated type."""
    if annotation in _READERS:
        return _READERS[annotation]
    if annotation in (str, bool):
        return _exactly(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is list:
        return _list_of(reader(arguments[0]))
    if origin in (Union, UnionType):
        choice = _first_of([reader(kind) for kind in arguments if kind is not NoneType])
        return _optional(choice) if NoneType in arguments else choice
    raise TypeError(f"{annotation!r} cannot be an RPC parameter. See the table of this module.")


def _exactly(kind: type) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, kind):
            raise TypeError(f"expected {kind.__name__}.")
        return value

    return read


def _list_of(inner: Reader) -> Reader:
    def read(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise TypeError("expected a list.")
        return [inner(item) for item in value]

    return read


def _first_of(choices: list[Reader]) -> Reader:
    if len(choices) == 1:
        return choices[0]

    def read(value: Any) -> Any:
        for choice in choices[:-1]:
            try:
                return choice(value)
            except (TypeError, ValueError):
                continue
        return choices[-1](value)

    return read


def _optional(inner: Reader) -> Reader:
    def read(value: Any) -> Any:
        return None if value is None else inner(value)

    return read
