"""A pallet: rules of one subject as a declared class, from which metadata, dispatch, storage keys and docs follow.

Read a pallet top down: needs (Protocols), events, errors, the class with constants, storage, genesis, hooks, calls,
views, invariants. A pallet object has no mutable field besides its storage; that is what makes rollback complete and
looking at an old height cheap. What it needs from other pallets it gets by keyword from `runtime/compose.py`.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Generic, Self, TypeVar, dataclass_transform, overload

from mycelia.frame.dispatch import Error, Weight
from mycelia.frame.state import State
from mycelia.frame.storage import Item, StorageSpec

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

if sys.flags.optimize >= 2:
    raise RuntimeError("Docstrings are part of the metadata: don't run with -OO.")


@dataclass_transform(frozen_default=True)
class Event:
    """Something a call told. Subclass with `index=` and annotated fields; `from_` is `from` on the wire."""

    index: ClassVar[int] = -1
    tuple_like: ClassVar[bool] = False
    wire_name: ClassVar[str] = ""

    def __init_subclass__(cls, *, index: int, tuple_like: bool = False, name: str = "") -> None:
        super().__init_subclass__()
        dataclasses.dataclass(frozen=True)(cls)
        cls.index, cls.tuple_like, cls.wire_name = index, tuple_like, name or cls.__name__


class Constant(Generic[T]):
    """A number of the rules that clients may read. `self.period` is its value."""

    def __init__(self, of: type[T] | Any, value: T, *, doc: str, name: str = "") -> None:
        self.of, self.value, self.doc, self.entry = of, value, doc, name

    def __set_name__(self, owner: type, attribute: str) -> None:
        self.entry = self.entry or "".join(p[:1].upper() + p[1:] for p in attribute.split("_"))

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...
    @overload
    def __get__(self, owner: object, kind: type) -> T: ...
    def __get__(self, owner: object | None, kind: type) -> Self | T:
        return self if owner is None else self.value

    def __set__(self, owner: object, value: T) -> None:
        raise AttributeError(f"{self.entry} is a constant.")


@dataclass(frozen=True, eq=False)
class CallSpec:
    """A dispatchable call as declared. There is one object per declaration, so identity is equality."""

    name: str
    index: int
    weight: Weight
    emits: tuple[type[Event], ...]
    fails: tuple[type[Error], ...]
    pays: bool
    operational: bool
    function: Callable[..., None]

    @cached_property
    def arguments(self) -> tuple[tuple[str, Any], ...]:
        """(name, annotation) after `self` and `origin`."""
        return _parameters(self.function, skip=2)

    @property
    def docs(self) -> tuple[str, ...]:
        return doc_lines(self.function)


@dataclass(frozen=True)
class Call:
    """A call with its arguments, decoded. In a call's signature it stands for any call of the runtime."""

    pallet: str
    spec: CallSpec
    args: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.pallet}.{self.spec.name}"


@dataclass(frozen=True)
class ViewSpec:
    """A view that is a runtime API method."""

    api: str
    name: str
    function: Callable[..., Any]

    @cached_property
    def arguments(self) -> tuple[tuple[str, Any], ...]:
        return _parameters(self.function, skip=1)

    @cached_property
    def output(self) -> Any:
        return typing.get_type_hints(self.function, include_extras=True)["return"]

    @property
    def docs(self) -> tuple[str, ...]:
        return doc_lines(self.function)


def _parameters(function: Callable[..., Any], *, skip: int) -> tuple[tuple[str, Any], ...]:
    hints = typing.get_type_hints(function, include_extras=True)
    names = list(inspect.signature(function).parameters)[skip:]
    return tuple((name, hints[name]) for name in names)


def doc_lines(thing: Any) -> tuple[str, ...]:
    """A docstring as metadata lines."""
    return tuple(line.strip() for line in (inspect.getdoc(thing) or "").splitlines())


def call(
    *,
    index: int,
    weight: Weight,
    emits: tuple[type[Event], ...] = (),
    fails: tuple[type[Error], ...] = (),
    pays: bool = True,
    operational: bool = False,
) -> Callable[[F], F]:
    """Declare a dispatchable call. The first parameter is the origin; the rest are its SCALE arguments."""

    def declare(function: F) -> F:
        function._call = CallSpec(  # type: ignore[attr-defined]
            function.__name__, index, weight, emits, fails, pays, operational, function
        )
        return function

    return declare


@overload
def view(function: F, /) -> F: ...
@overload
def view(*, api: str, name: str = "") -> Callable[[F], F]: ...
def view(function: Any = None, /, *, api: str = "", name: str = "") -> Any:
    """Declare a read: plain for other pallets, with `api` also a runtime API method for clients."""
    if function is not None:
        return function

    def declare(inner: F) -> F:
        inner._view = ViewSpec(api, name or inner.__name__, inner)  # type: ignore[attr-defined]
        return inner

    return declare


def invariant(function: F) -> F:
    """Declare a law of the state: checked by tests and offline, never on chain. It asserts."""
    function._invariant = True  # type: ignore[attr-defined]
    return function


@dataclass(frozen=True)
class PalletSpec:
    """All that a pallet class declares."""

    name: str
    cls: type[Pallet]
    storage: tuple[tuple[Item, StorageSpec], ...]
    calls: tuple[CallSpec, ...]
    events: tuple[type[Event], ...]
    errors: tuple[type[Error], ...]
    constants: tuple[Constant[Any], ...]
    views: tuple[ViewSpec, ...]
    invariants: tuple[Callable[[Any], None], ...]
    docs: tuple[str, ...]


class Pallet:
    """Base of all pallets. Keywords of `__init__` are what the pallet needs; they become attributes."""

    spec: ClassVar[PalletSpec]
    events: ClassVar[tuple[type[Event], ...]] = ()
    errors: ClassVar[tuple[type[Error], ...]] = ()

    state: State
    handles: dict[str, Any]

    def __init_subclass__(cls, *, name: str) -> None:
        super().__init_subclass__()
        members = list(vars(cls).values())
        storage = tuple((m, m.spec(name)) for m in members if isinstance(m, Item))
        calls = tuple(m._call for m in members if hasattr(m, "_call"))
        cls.spec = PalletSpec(
            name,
            cls,
            storage,
            calls,
            cls.events,
            cls.errors,
            tuple(m for m in members if isinstance(m, Constant)),
            tuple(m._view for m in members if hasattr(m, "_view")),
            tuple(m for m in members if getattr(m, "_invariant", False)),
            doc_lines(cls),
        )
        for kind, indexes in (
            ("call", [c.index for c in calls]),
            ("event", [e.index for e in cls.events]),
            ("error", [e.index for e in cls.errors]),
        ):
            if len(set(indexes)) != len(indexes):
                raise TypeError(f"{cls.__name__}: two {kind}s share an index. Give each its own.")

    def __init__(self, state: State, **needs: Any) -> None:
        handles = {
            item.attribute: item.bind(state, spec.prefix) for item, spec in self.spec.storage
        }
        for attribute, value in {"state": state, "handles": handles, **needs}.items():
            object.__setattr__(self, attribute, value)

    def __setattr__(self, attribute: str, value: Any) -> None:
        if not isinstance(getattr(type(self), attribute, None), Item | Constant):
            raise AttributeError(  # noqa: TRY004  # what Python says of unknown attributes
                f"{type(self).__name__}.{attribute} is no declared storage. Declare it as a Value or Map."
            )
        object.__setattr__(self, attribute, value)

    def deposit(self, event: Event) -> None:
        """Tell the block's event log; undone with the call that told it."""
        self.state.deposit(self.spec.name, event)

    def on_initialize(self) -> None:
        """Runs before the extrinsics of each block."""

    def on_finalize(self) -> None:
        """Runs after the extrinsics of each block."""
