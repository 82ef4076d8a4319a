"""Metadata as lines that a person can read in a difference: what was added, removed, renumbered or retyped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

from mycelia.codec import Scale, scale
from mycelia.codec.scale import Field, TypeShape
from mycelia.codec.types import docs_of, wire_fields
from mycelia.frame import ViewSpec
from mycelia.frame.storage import StorageSpec
from mycelia.runtime.apis import CoreApis
from mycelia.runtime.compose import COMPOSITION
from mycelia.runtime.composition import Group
from mycelia.runtime.executor import metadata
from mycelia.runtime.rules import Rules


def lines() -> list[str]:
    """The listing of this program's metadata."""
    published = metadata(Rules())
    listing = Listing()
    pallets = [line for group in COMPOSITION.groups for line in listing.pallet(group)]
    views = sorted((*CoreApis.specs(), *COMPOSITION.views()), key=lambda v: (v.api, v.name))
    apis = [listing.api(spec) for spec in views]
    return [
        *(
            f"metadata {version}: {len(raw)} bytes, sha256 {sha256(raw).hexdigest()}"
            for version, raw in ((14, published.v14), (15, published.v15))
        ),
        *pallets,
        "",
        *apis,
        "",
        *listing.types(),
    ]


class Listing:
    """Names types as it meets them, and remembers which ones have parts to be listed."""

    def __init__(self) -> None:
        self._named: dict[str, TypeShape] = {}

    def pallet(self, group: Group) -> Iterator[str]:
        yield ""
        yield f"pallet {group.index} {group.name}  # {_prose(group.docs)}"
        for spec in sorted(group.storage, key=lambda s: s.name):
            yield f"  storage {self._storage(spec)}  # {spec.doc}"
        for constant in sorted(group.constants, key=lambda c: c.entry):
            value = scale(constant.of).encode(constant.value).hex()
            of = self._name(scale(constant.of))
            yield f"  constant {constant.entry}: {of} = 0x{value}  # {constant.doc}"
        for call in group.calls:
            fields = ", ".join(f"{name}: {self._of(hint)}" for name, hint in call.arguments)
            yield f"  call {call.index} {call.name}({fields})  # {_prose(call.docs)}"
        for event in group.events:
            fields = self._fields(wire_fields(event, tuple_like=event.tuple_like))
            yield f"  event {event.index} {event.wire_name}({fields})  # {_prose(docs_of(event))}"
        for error in group.errors:
            yield f"  error {error.index} {error.wire_name}  # {_prose(docs_of(error))}"

    def api(self, spec: ViewSpec) -> str:
        fields = ", ".join(f"{name}: {self._of(hint)}" for name, hint in spec.arguments)
        head = f"api {spec.api}_{spec.name}({fields}) -> {self._of(spec.output)}"
        return f"{head}  # {_prose(spec.docs)}"

    def types(self) -> Iterator[str]:
        """All named types met so far, and what they are made of."""
        done: set[str] = set()
        while rest := sorted(self._named.keys() - done):
            for name in rest:
                done.add(name)
                self._parts(self._named[name])  # names what is inside
        for name in sorted(self._named):
            if name.endswith(("::pallet::Call", "::pallet::Event")):
                continue  # listed with its pallet
            yield f"type {name} = {self._parts(self._named[name])}"

    def _storage(self, spec: StorageSpec) -> str:
        value = self._of(spec.value)
        if spec.keys:
            pairs = zip(spec.hashers, spec.keys, strict=True)
            keys = ", ".join(f"{hasher.name} {self._of(key)}" for hasher, key in pairs)
            value = f"[{keys}] -> {value}"
        if spec.optional:
            return f"{spec.name}: {value} or none"
        default = scale(spec.value, COMPOSITION.late).encode(spec.default).hex()
        return f"{spec.name}: {value} = 0x{default}"

    def _of(self, annotation: Any) -> str:
        return self._name(scale(annotation, COMPOSITION.late))

    def _name(self, of: Scale[Any]) -> str:
        shape = of.shape()
        params = ", ".join(self._name(p) for _, p in shape.params if p is not None)
        match shape.kind:
            case "primitive":
                return shape.primitive
            case "compact":
                return f"compact {self._name(shape.items[0])}"
            case "sequence":
                return f"[{self._name(shape.items[0])}]"
            case "array":
                return f"[{self._name(shape.items[0])}; {shape.length}]"
            case "tuple":
                return f"({', '.join(map(self._name, shape.items))})"
        name = "::".join(shape.path) + (f"<{params}>" if params else "")
        if shape.path not in (("Option",), ("BTreeMap",)):
            self._named[name] = shape
        return name

    def _parts(self, shape: TypeShape) -> str:
        if shape.kind == "composite":
            return f"{{{self._fields(shape.fields)}}}"
        cases = (f"{case.index} {case.name}({self._fields(case.fields)})" for case in shape.cases)
        return " | ".join(cases)

    def _fields(self, fields: Iterable[Field]) -> str:
        return ", ".join(
            f"{field.name}: {self._name(field.scale)}" if field.name else self._name(field.scale)
            for field in fields
        )


def _prose(docs: tuple[str, ...]) -> str:
    return " ".join(line for line in docs if line)
