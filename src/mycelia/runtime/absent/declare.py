"""The words in which the table of absent things is written.

A row says what metadata says, no more: name, index, types, default. Types are annotations of `mycelia.codec`, or the
shapes of `shapes.py` where nobody needs a class of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from mycelia.codec import U64
from mycelia.crypto import twox_128
from mycelia.frame import CallSpec, Constant, Hasher, Pallet, ViewSpec, Weight
from mycelia.frame.storage import Blake2_128Concat, Identity, StorageSpec, Twox64Concat
from mycelia.pallets.network.pallet import NotProvided

ABSENT_WEIGHT: Final = Weight(U64(260_000_000), U64(4_400))
"""What a refused call costs: as much as the cheapest call that writes."""
STORAGE_DOC: Final = "Not kept here: always empty."
CALL_DOC: Final = "Not provided here: fails with `NotProvided`."
REQUIRED: Final = object()


def refuse(pallet: Pallet | None, origin: Any, /, **arguments: Any) -> None:
    """What runs in place of every absent call."""
    del pallet, origin, arguments
    raise NotProvided


@dataclass(frozen=True)
class AbsentCall(CallSpec):
    """A call that only fails."""

    named: tuple[tuple[str, Any], ...] = ()

    @cached_property
    def arguments(self) -> tuple[tuple[str, Any], ...]:
        return self.named

    @property
    def docs(self) -> tuple[str, ...]:
        return (CALL_DOC,)


@dataclass(frozen=True)
class AbsentEvent:
    """An event that nothing tells. Fields without a name have None."""

    index: int
    name: str
    fields: tuple[tuple[str | None, Any], ...]


@dataclass(frozen=True)
class AbsentError:
    """An error that nothing raises."""

    index: int
    name: str
    doc: str


@dataclass(frozen=True)
class AbsentView(ViewSpec):
    """A runtime API method with one answer, whatever is asked."""

    named: tuple[tuple[str, Any], ...] = ()
    gives: Any = None
    answer: Any = None

    @cached_property
    def arguments(self) -> tuple[tuple[str, Any], ...]:
        return self.named

    @cached_property
    def output(self) -> Any:
        return self.gives

    @property
    def docs(self) -> tuple[str, ...]:
        return ("Answers that there is nothing.",)


class Key(NamedTuple):
    """One key of a map."""

    hasher: Hasher
    of: Any


def blake(of: Any) -> Key:
    """A key hashed by BLAKE2."""
    return Key(Blake2_128Concat, of)


def twox(of: Any) -> Key:
    """A key hashed by XXH."""
    return Key(Twox64Concat, of)


def identity(of: Any) -> Key:
    """A key as it is."""
    return Key(Identity, of)


class Entries(NamedTuple):
    """Storage items of one shape; without a default they are optional."""

    names: str
    value: Any
    keys: tuple[Key, ...]
    default: Any


def entries(names: str, value: Any, *keys: Key, default: Any = REQUIRED) -> Entries:
    """Storage items of the same shape, by their names."""
    return Entries(names, value, keys, default)


def call(index: int, name: str, /, **arguments: Any) -> AbsentCall:
    """A call, its arguments by name; `_` at an argument's end is not part of its name."""
    named = tuple((key.rstrip("_"), of) for key, of in arguments.items())
    return AbsentCall(
        name, index, ABSENT_WEIGHT, (), (NotProvided,), True, False, refuse, named=named
    )


def event(index: int, name: str, /, *unnamed: Any, **named: Any) -> AbsentEvent:
    """An event with fields that have no names, or that have."""
    return AbsentEvent(
        index,
        name,
        (*((None, of) for of in unnamed), *((key.rstrip("_"), named[key]) for key in named)),
    )


def errors(rows: dict[int, str], **texts: str) -> tuple[AbsentError, ...]:
    """Errors by index; what an error says follows from its name unless `texts` has it."""
    return tuple(
        AbsentError(index, name, texts.get(name) or spelled_out(name))
        for index, name in rows.items()
    )


def in_order(names: str) -> dict[int, str]:
    """Names by index, from 0."""
    return dict(enumerate(names.split()))


def spelled_out(name: str) -> str:
    """`TooManyCalls` as the sentence "Too many calls."."""
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z]|$)|[A-Z][a-z0-9]*|[a-z0-9]+", name)
    lowered = [word if word.isupper() and len(word) > 1 else word.lower() for word in words]
    text = " ".join(lowered)
    return f"{text[:1].upper()}{text[1:]}."


def constant(name: str, of: Any, value: Any) -> Constant[Any]:
    """A number that clients may read and no rule here does."""
    return Constant(of, value, doc="Not used here.", name=name)


@dataclass(frozen=True)
class Absent:
    """What one wire pallet declares without rules; all of it where nothing of the pallet has any."""

    pallet: str
    index: int
    calls: tuple[AbsentCall, ...] = ()
    events: tuple[AbsentEvent, ...] = ()
    errors: tuple[AbsentError, ...] = ()
    entries: tuple[Entries, ...] = ()
    constants: tuple[Constant[Any], ...] = ()
    doc: str = ""

    @cached_property
    def storage(self) -> tuple[StorageSpec, ...]:
        """The storage items, each empty."""
        return tuple(
            StorageSpec(
                name,
                row.default is REQUIRED,
                tuple(key.of for key in row.keys),
                tuple(key.hasher for key in row.keys),
                row.value,
                None if row.default is REQUIRED else row.default,
                STORAGE_DOC,
                twox_128(self.pallet.encode()) + twox_128(name.encode()),
            )
            for row in self.entries
            for name in row.names.split()
        )


def method(api: str, name: str, /, gives: Any, answer: Any, **arguments: Any) -> AbsentView:
    """A runtime API method: what it gives, and the one answer it has."""
    return AbsentView(api, name, refuse, named=tuple(arguments.items()), gives=gives, answer=answer)
