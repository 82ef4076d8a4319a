"""Typed storage: what a pallet declares, and the handles its code reads and writes through.

A declaration such as `Map(AccountId, Tao, hasher=Blake2_128Concat, ...)` fixes the raw key (the chain's own: two
twox128 names, then the hashed keys), the codec, the default and the metadata entry. Handles hold no state of their own:
everything goes through `State`, which a journal can undo.

Iteration runs in ascending raw key order, so it is the same on every node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, Generic, Protocol, Self, TypeVar, overload

from mycelia.codec import Scale, scale
from mycelia.crypto import blake2_128, twox_64, twox_128

K = TypeVar("K")
K1 = TypeVar("K1")
K2 = TypeVar("K2")
V = TypeVar("V")


@dataclass(frozen=True)
class Hasher:
    """How a map's key enters the raw key.

    `name` and `index` as in the metadata; the encoded key itself follows after `width` bytes of hash.
    """

    name: str
    index: int
    width: int
    digest: Callable[[bytes], bytes]


Blake2_128Concat: Final = Hasher("Blake2_128Concat", 2, 16, lru_cache(65_536)(blake2_128))
"""For keys that users choose: nobody can build keys that collide."""
Twox64Concat: Final = Hasher("Twox64Concat", 5, 8, twox_64)
"""For keys the chain hands out: fast."""
Identity: Final = Hasher("Identity", 6, 0, lambda _: b"")
"""For small dense numbers: iteration follows their bytes."""


class StateAccess(Protocol):
    """What handles need of the state: typed values by raw key."""

    def get(self, key: bytes, scale: Scale[Any]) -> Any | None: ...
    def put(self, key: bytes, value: Any, scale: Scale[Any]) -> None: ...
    def delete(self, key: bytes) -> None: ...
    def contains(self, key: bytes) -> bool: ...
    def keys(self, prefix: bytes) -> list[bytes]: ...


class StorageOwner(Protocol):
    """A pallet, as its storage declarations see it."""

    state: Any
    handles: dict[str, Any]


@dataclass(frozen=True)
class StorageSpec:
    """One storage entry, as metadata and tools see it."""

    name: str
    optional: bool
    keys: tuple[Any, ...]
    hashers: tuple[Hasher, ...]
    value: Any
    default: Any
    doc: str
    prefix: bytes


def camel_case(name: str) -> str:
    """`total_dripped` becomes `TotalDripped`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


class Item:
    """What all storage declarations share.

    `name` overrides the entry's name where the chain's spelling is irregular.
    """

    optional = False

    def __init__(
        self,
        keys: tuple[Any, ...],
        value: Any,
        hashers: tuple[Hasher, ...],
        *,
        default: Any,
        doc: str,
        name: str,
    ) -> None:
        self.keys, self.value, self.hashers = keys, value, hashers
        self.default, self.doc, self.entry = default, doc, name
        self.attribute = ""
        self.prefix = b""

    def __set_name__(self, owner: type, attribute: str) -> None:
        self.attribute = attribute
        self.entry = self.entry or camel_case(attribute)

    def spec(self, pallet: str) -> StorageSpec:
        """The entry under the pallet's wire name."""
        prefix = twox_128(pallet.encode()) + twox_128(self.entry.encode())
        return StorageSpec(
            self.entry,
            self.optional,
            self.keys,
            self.hashers,
            self.value,
            self.default,
            self.doc,
            prefix,
        )

    def bind(self, state: StateAccess, prefix: bytes) -> Any:
        """The handle through which a pallet object reads and writes this item."""
        raise NotImplementedError


class _Cell:
    """Handle of a plain value."""

    def __init__(self, state: StateAccess, key: bytes, of: Any, default: Any) -> None:
        self.state, self.key, self.of, self.default = state, key, of, default

    @cached_property
    def scale(self) -> Scale[Any]:
        # On first use: the codec of the event log is known only to a whole runtime.
        return scale(self.of)

    def get(self) -> Any:
        found = self.state.get(self.key, self.scale)
        return self.default if found is None else found

    def set(self, value: Any) -> None:
        if value is None:
            self.state.delete(self.key)
        else:
            self.state.put(self.key, value, self.scale)


class _PlainItem(Item):
    def bind(self, state: StateAccess, prefix: bytes) -> _Cell:
        return _Cell(state, prefix, self.value, self.default)

    def __set__(self, owner: StorageOwner, value: Any) -> None:
        owner.handles[self.attribute].set(value)


class Value(_PlainItem, Generic[V]):
    """One value that is always there: the default until it is set."""

    def __init__(self, of: type[V] | Any, *, default: V, doc: str, name: str = "") -> None:
        super().__init__((), of, (), default=default, doc=doc, name=name)

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...
    @overload
    def __get__(self, owner: StorageOwner, kind: type) -> V: ...
    def __get__(self, owner: StorageOwner | None, kind: type) -> Self | V:
        if owner is None:
            return self
        value: V = owner.handles[self.attribute].get()
        return value


class OptionalValue(_PlainItem, Generic[V]):
    """One value that may be missing (None); assigning None deletes it."""

    optional = True

    def __init__(self, of: type[V], *, doc: str, name: str = "") -> None:
        super().__init__((), of, (), default=None, doc=doc, name=name)

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...
    @overload
    def __get__(self, owner: StorageOwner, kind: type) -> V | None: ...
    def __get__(self, owner: StorageOwner | None, kind: type) -> Self | V | None:
        if owner is None:
            return self
        value: V | None = owner.handles[self.attribute].get()
        return value


class BoundMap(Generic[K, V]):
    """Handle of a map with any number of keys; `K` is the key, or the tuple of keys.

    `V` includes None for optional maps, whose missing entries read as None.
    """

    default: Any
    __slots__ = (
        "_only",
        "_steps",
        "default",
        "hashers",
        "prefix",
        "scales",
        "state",
        "value_scale",
    )

    def __init__(self, state: StateAccess, prefix: bytes, item: Item) -> None:
        self.state, self.prefix = state, prefix
        self.scales = tuple(scale(key) for key in item.keys)
        self.hashers, self.default = item.hashers, item.default
        self.value_scale = scale(item.value)
        self._steps = tuple(
            (codec.encode, hasher.digest if hasher.width else None)
            for codec, hasher in zip(self.scales, self.hashers, strict=True)
        )
        self._only = self._steps[0] if len(self._steps) == 1 else None

    def raw_key(self, key: Any) -> bytes:
        """The storage key of an entry, or of all entries below when fewer keys are given."""
        if self._only is not None:  # one key: most reads of a block come through here
            encode, digest = self._only
            encoded = encode(key)
            return (
                self.prefix + encoded if digest is None else self.prefix + digest(encoded) + encoded
            )
        raw = self.prefix
        for (encode, digest), part in zip(self._steps, key, strict=False):
            encoded = encode(part)
            raw += encoded if digest is None else digest(encoded) + encoded
        return raw

    def __getitem__(self, key: K) -> V:
        found: V | None = self.state.get(self.raw_key(key), self.value_scale)
        if found is None:
            found = self.default
        return found

    def __setitem__(self, key: K, value: V) -> None:
        if value is None:
            self.state.delete(self.raw_key(key))
        else:
            self.state.put(self.raw_key(key), value, self.value_scale)

    def __delitem__(self, key: K) -> None:
        self.state.delete(self.raw_key(key))

    def __contains__(self, key: K) -> bool:
        return self.state.contains(self.raw_key(key))

    def _split(self, raw: bytes, skip: int) -> Any:
        at, parts = len(self.prefix), []
        for codec, hasher in zip(self.scales, self.hashers, strict=True):
            part, at = codec.take(raw, at + hasher.width)
            parts.append(part)
        rest = parts[skip:]
        return rest[0] if len(rest) == 1 else tuple(rest)

    def _scan(self, prefix: bytes, skip: int) -> Iterator[tuple[Any, Any]]:
        for raw in self.state.keys(prefix):
            value = self.state.get(raw, self.value_scale)
            if value is not None:  # deleted while iterating
                yield self._split(raw, skip), value

    def items(self) -> list[tuple[K, V]]:
        """All entries, ascending by raw key."""
        return list(self._scan(self.prefix, 0))

    def keys(self) -> list[K]:
        """All keys, ascending by raw key."""
        return [self._split(raw, 0) for raw in self.state.keys(self.prefix)]

    def values(self) -> list[V]:
        """All values, ascending by raw key."""
        return [value for _, value in self._scan(self.prefix, 0)]

    def under(self, *first: Any) -> list[tuple[Any, V]]:
        """(remaining key, value) of all entries below the first keys."""
        return list(self._scan(self._below(first), len(first)))

    def clear(self, *first: Any) -> None:
        """Delete all entries below the first keys."""
        for raw in self.state.keys(self._below(first)):
            self.state.delete(raw)

    def _below(self, first: tuple[Any, ...]) -> bytes:
        return self.raw_key(first if self._only is None else first[0]) if first else self.prefix


class _MapItem(Item):
    def bind(self, state: StateAccess, prefix: bytes) -> BoundMap[Any, Any]:
        return BoundMap(state, prefix, self)

    def __set__(self, owner: StorageOwner, value: Any) -> None:
        raise AttributeError(f"{self.attribute} is a map: assign to an entry of it.")


class Map(_MapItem, Generic[K, V]):
    """A map whose missing entries read as the default."""

    def __init__(
        self,
        key: type[K] | Any,
        value: type[V] | Any,
        *,
        hasher: Hasher,
        default: V,
        doc: str,
        name: str = "",
    ) -> None:
        super().__init__((key,), value, (hasher,), default=default, doc=doc, name=name)

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...
    @overload
    def __get__(self, owner: StorageOwner, kind: type) -> BoundMap[K, V]: ...
    def __get__(self, owner: StorageOwner | None, kind: type) -> Self | BoundMap[K, V]:
        return self if owner is None else owner.handles[self.attribute]


class OptionalMap(_MapItem, Generic[K, V]):
    """A map whose missing entries read as None."""

    optional = True

    def __init__(
        self, key: type[K], value: type[V], *, hasher: Hasher, doc: str, name: str = ""
    ) -> None:
        super().__init__((key,), value, (hasher,), default=None, doc=doc, name=name)

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...
    @overload
    def __get__(self, owner: StorageOwner, kind: type) -> BoundMap[K, V | None]: ...
    def __get__(self, owner: StorageOwner | None, kind: type) -> Self | BoundMap[K, V | None]:
        return self if owner is None else owner.handles[self.attribute]


class DoubleMap(_MapItem, Generic[K1, K2, V]):
    """A map with two keys; `under(first)` walks the second."""

    def __init__(
        self,
        key1: type[K1] | Any,
        key2: type[K2] | Any,
        value: type[V] | Any,
        *,
        hashers: tuple[Hasher, Hasher],
        default: V,
        doc: str,
        name: str = "",
    ) -> None:
        super().__init__((key1, key2), value, hashers, default=default, doc=doc, name=name)

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...
    @overload
    def __get__(self, owner: StorageOwner, kind: type) -> BoundMap[tuple[K1, K2], V]: ...
    def __get__(self, owner: StorageOwner | None, kind: type) -> Self | BoundMap[tuple[K1, K2], V]:
        return self if owner is None else owner.handles[self.attribute]


class OptionalDoubleMap(_MapItem, Generic[K1, K2, V]):
    """A map with two keys whose missing entries read as None."""

    optional = True

    def __init__(
        self,
        key1: type[K1],
        key2: type[K2],
        value: type[V],
        *,
        hashers: tuple[Hasher, Hasher],
        doc: str,
        name: str = "",
    ) -> None:
        super().__init__((key1, key2), value, hashers, default=None, doc=doc, name=name)

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...
    @overload
    def __get__(self, owner: StorageOwner, kind: type) -> BoundMap[tuple[K1, K2], V | None]: ...
    def __get__(
        self, owner: StorageOwner | None, kind: type
    ) -> Self | BoundMap[tuple[K1, K2], V | None]:
        return self if owner is None else owner.handles[self.attribute]


class NMap(_MapItem, Generic[V]):
    """A map with three or more keys."""

    def __init__(
        self,
        keys: tuple[Any, ...],
        value: type[V] | Any,
        *,
        hashers: tuple[Hasher, ...],
        default: V,
        doc: str,
        name: str = "",
    ) -> None:
        super().__init__(keys, value, hashers, default=default, doc=doc, name=name)

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...
    @overload
    def __get__(self, owner: StorageOwner, kind: type) -> BoundMap[tuple[Any, ...], V]: ...
    def __get__(
        self, owner: StorageOwner | None, kind: type
    ) -> Self | BoundMap[tuple[Any, ...], V]:
        return self if owner is None else owner.handles[self.attribute]


class OptionalNMap(_MapItem, Generic[V]):
    """A map with three or more keys whose missing entries read as None."""

    optional = True

    def __init__(
        self,
        keys: tuple[Any, ...],
        value: type[V],
        *,
        hashers: tuple[Hasher, ...],
        doc: str,
        name: str = "",
    ) -> None:
        super().__init__(keys, value, hashers, default=None, doc=doc, name=name)

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...
    @overload
    def __get__(self, owner: StorageOwner, kind: type) -> BoundMap[tuple[Any, ...], V | None]: ...
    def __get__(
        self, owner: StorageOwner | None, kind: type
    ) -> Self | BoundMap[tuple[Any, ...], V | None]:
        return self if owner is None else owner.handles[self.attribute]
