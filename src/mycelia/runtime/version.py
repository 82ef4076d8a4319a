"""Which rules these are: clients cache metadata by genesis hash and `spec_version`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from mycelia.codec import U8, U32, Bytes8
from mycelia.crypto import blake2_64
from mycelia.pallets.system.types import RuntimeVersion

SPEC_NAME: Final = "node-subtensor"
SPEC_VERSION: Final = 471
TRANSACTION_VERSION: Final = 1


_API_VERSIONS: Final = {"Core": 5, "Metadata": 2, "TransactionPaymentApi": 4}
"""Of APIs that have had several; clients look for `Metadata` 2 before they ask for a version of it."""


def with_apis(names: Iterable[str]) -> RuntimeVersion:
    """`VERSION` with the runtime APIs that are published, which clients know by a hash of their names."""
    apis = tuple(
        (Bytes8(blake2_64(name.encode())), U32(_API_VERSIONS.get(name, 1)))
        for name in sorted(dict.fromkeys(names))
    )
    return replace(VERSION, apis=apis)


VERSION: Final = RuntimeVersion(
    SPEC_NAME,
    "mycelia",
    U32(1),
    U32(SPEC_VERSION),
    U32(1),
    (),
    U32(TRANSACTION_VERSION),
    U8(1),
)
