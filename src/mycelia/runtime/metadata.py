"""Metadata V14 and V15, from what pallets declare.

Both versions come from one registry, so a type has the same number in both; number 0 is the account id, as clients of
the 10.x line assume. V14's extrinsic type carries the parameters Address, Call, Signature and Extra.

Source: frame-metadata 14 and 15.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mycelia.codec import H256, U32, U64, Compact, Scale, scale
from mycelia.codec.registry import Registry, put_bytes, put_texts
from mycelia.codec.scale import (
    TEXT,
    UNIT,
    ByteArray,
    Field,
    Option,
    Tuple,
    TypeShape,
    VariantCase,
    put_compact,
)
from mycelia.frame.address import Address
from mycelia.frame.pallet import ViewSpec
from mycelia.frame.storage import StorageSpec
from mycelia.primitives import AccountId
from mycelia.runtime.composition import Composition, ErrorScale, Group
from mycelia.runtime.extrinsic import BARE, ERA

MAGIC: Final = b"meta"
RUNTIME_NAME: Final = "node_subtensor_runtime"


class Opaque(Scale[Any]):
    """A type of which clients need the path and the parts, while the node reads its bytes elsewhere."""

    def __init__(
        self,
        path: str,
        *fields: Scale[Any],
        params: tuple[tuple[str, Scale[Any]], ...] = (),
        **named: Scale[Any],
    ) -> None:
        parts = (
            *(Field(None, inner) for inner in fields),
            *(Field(name, inner) for name, inner in named.items()),
        )
        self._shape = TypeShape("composite", tuple(path.split("::")), params, parts)

    def shape(self) -> TypeShape:
        return self._shape


class Cases(Scale[Any]):
    """An enum of which clients need the cases, each around at most one type."""

    def __init__(self, path: str, *cases: tuple[str, int, Scale[Any] | None]) -> None:
        self._shape = TypeShape(
            "variant",
            tuple(path.split("::")),
            cases=tuple(
                VariantCase(name, index, () if inner is None else (Field(None, inner),))
                for name, index, inner in cases
            ),
        )

    def shape(self) -> TypeShape:
        return self._shape


_VERSION_NUMBER: Final = scale(U32)
_HASH: Final = scale(H256)
_SIGNATURE: Final = Cases(
    "sp_runtime::MultiSignature",
    ("Ed25519", 0, ByteArray(64)),
    ("Sr25519", 1, ByteArray(64)),
    ("Ecdsa", 2, ByteArray(65)),
)
_MODE: Final = Cases(
    "frame_metadata_hash_extension::Mode", ("Disabled", 0, None), ("Enabled", 1, None)
)

_SYSTEM: Final = "frame_system::extensions"


def _extension(identifier: str, *fields: Scale[Any]) -> Scale[Any]:
    return Opaque(f"{_SYSTEM}::{identifier}", *fields)


_EXTENSIONS: Final[tuple[tuple[str, Scale[Any], Scale[Any]], ...]] = (
    ("CheckNonZeroSender", _extension("CheckNonZeroSender"), UNIT),
    ("CheckSpecVersion", _extension("CheckSpecVersion"), _VERSION_NUMBER),
    ("CheckTxVersion", _extension("CheckTxVersion"), _VERSION_NUMBER),
    ("CheckGenesis", _extension("CheckGenesis"), _HASH),
    ("CheckMortality", _extension("CheckMortality", ERA), _HASH),
    ("CheckNonce", _extension("CheckNonce", scale(Compact[U32])), UNIT),
    ("CheckWeight", _extension("CheckWeight"), UNIT),
    (
        "ChargeTransactionPayment",
        Opaque("pallet_transaction_payment::ChargeTransactionPayment", scale(Compact[U64])),
        UNIT,
    ),
    ("SudoTransactionExtension", Opaque("runtime::SudoTransactionExtension"), UNIT),
    ("CheckShieldedTxValidity", Opaque("runtime::CheckShieldedTxValidity"), UNIT),
    ("SubtensorTransactionExtension", Opaque("runtime::SubtensorTransactionExtension"), UNIT),
    ("DrandPriority", Opaque("runtime::DrandPriority"), UNIT),
    (
        "CheckMetadataHash",
        Opaque("frame_metadata_hash_extension::CheckMetadataHash", mode=_MODE),
        Option(ByteArray(32)),
    ),
)
"""(identifier, type in the extrinsic, type in what is signed besides), in the order in which they are encoded."""


class Metadata:
    """Both encodings of one composition's metadata."""

    def __init__(
        self,
        composition: Composition,
        views: Iterable[ViewSpec],
        constants: Mapping[tuple[str, str], Any],
    ) -> None:
        """`constants` are values by (pallet, name) that this network has instead of the declared ones."""
        self._composition = composition
        self._constants = constants
        self._views = tuple(views)
        self._registry = Registry()
        self._account = self._id(AccountId)
        self._call = self._registry.id_of(composition.call_scale)
        self._event = self._registry.id_of(composition.event_scale)
        self._extra = Tuple(*(extra for _, extra, _ in _EXTENSIONS))
        self._extrinsic = Opaque(
            "sp_runtime::generic::unchecked_extrinsic::UncheckedExtrinsic",
            scale(bytes),
            params=(
                ("Address", scale(Address)),
                ("Call", composition.call_scale),
                ("Signature", _SIGNATURE),
                ("Extra", self._extra),
            ),
        )
        self._errors = {
            g.name: ErrorScale(g) for g in composition.groups if g.errors or g.absent.errors
        }
        self._runtime = Opaque(f"{RUNTIME_NAME}::Runtime")
        pallets14 = self._pallets(with_docs=False)
        pallets15 = self._pallets(with_docs=True)
        tail14, tail15 = self._tail_v14(), self._tail_v15()
        types = self._registry.encode()  # last: everything has been numbered
        self.v14 = MAGIC + b"\x0e" + types + pallets14 + tail14
        self.v15 = MAGIC + b"\x0f" + types + pallets15 + tail15

    def _id(self, annotation: Any) -> int:
        return self._registry.id_of(self._composition.codec(annotation))

    def _put_type(self, of: Scale[Any], out: bytearray) -> None:
        put_compact(self._registry.id_of(of), out)

    def _pallets(self, *, with_docs: bool) -> bytes:
        out = bytearray()
        put_compact(len(self._composition.groups), out)
        for group in self._composition.groups:
            TEXT.put(group.name, out)
            self._put_storage(group, out)
            for table in (
                self._composition.call_scale.pallet_calls,
                self._composition.event_scale.pallet_events,
            ):
                self._put_optional_type(table.get(group.name), out)
            put_compact(len(group.constants), out)
            for constant in group.constants:
                TEXT.put(constant.entry, out)
                put_compact(self._id(constant.of), out)
                value = self._constants.get((group.name, constant.entry), constant.value)
                put_bytes(scale(constant.of).encode(value), out)
                put_texts((constant.doc,), out)
            self._put_optional_type(self._errors.get(group.name), out)
            out.append(group.index)
            if with_docs:
                put_texts(group.docs, out)
        return bytes(out)

    def _put_optional_type(self, of: Scale[Any] | None, out: bytearray) -> None:
        if of is None:
            out.append(0)
        else:
            out.append(1)
            self._put_type(of, out)

    def _put_storage(self, group: Group, out: bytearray) -> None:
        if not group.storage:
            out.append(0)
            return
        out.append(1)
        TEXT.put(group.name, out)
        put_compact(len(group.storage), out)
        for spec in group.storage:
            self._put_entry(spec, out)

    def _put_entry(self, spec: StorageSpec, out: bytearray) -> None:
        TEXT.put(spec.name, out)
        out.append(0 if spec.optional else 1)
        if spec.keys:
            out.append(1)
            put_compact(len(spec.hashers), out)
            out += bytes(hasher.index for hasher in spec.hashers)
            keys = tuple(scale(key) for key in spec.keys)
            key = Tuple(*keys) if len(keys) > 1 else keys[0]
            self._put_type(key, out)
        else:
            out.append(0)
        put_compact(self._id(spec.value), out)
        default = (
            b"\0" if spec.optional else self._composition.codec(spec.value).encode(spec.default)
        )
        put_bytes(default, out)
        put_texts((spec.doc,), out)

    def _put_extensions(self, out: bytearray) -> None:
        put_compact(len(_EXTENSIONS), out)
        for identifier, extra, signed in _EXTENSIONS:
            TEXT.put(identifier, out)
            self._put_type(extra, out)
            self._put_type(signed, out)

    def _tail_v14(self) -> bytes:
        out = bytearray()
        self._put_type(self._extrinsic, out)
        out.append(BARE)
        self._put_extensions(out)
        self._put_type(self._runtime, out)
        return bytes(out)

    def _tail_v15(self) -> bytes:
        out = bytearray([BARE])
        for of in (scale(Address), self._composition.call_scale, _SIGNATURE, self._extra):
            self._put_type(of, out)
        self._put_extensions(out)
        self._put_type(self._runtime, out)
        self._put_apis(out)
        errors = Cases(
            f"{RUNTIME_NAME}::RuntimeError",
            *(
                (g.name, g.index, self._errors[g.name])
                for g in self._composition.groups
                if g.name in self._errors
            ),
        )
        for of in (self._composition.call_scale, self._composition.event_scale, errors):
            self._put_type(of, out)
        put_compact(0, out)  # custom metadata
        return bytes(out)

    def _put_apis(self, out: bytearray) -> None:
        apis: dict[str, list[ViewSpec]] = {}
        for spec in self._views:
            apis.setdefault(spec.api, []).append(spec)
        put_compact(len(apis), out)
        for api, methods in apis.items():
            TEXT.put(api, out)
            put_compact(len(methods), out)
            for spec in methods:
                TEXT.put(spec.name, out)
                put_compact(len(spec.arguments), out)
                for name, hint in spec.arguments:
                    TEXT.put(name, out)
                    put_compact(self._id(hint), out)
                put_compact(self._id(spec.output), out)
                put_texts(spec.docs, out)
            put_texts((), out)
