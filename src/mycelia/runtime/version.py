"""Which rules these are: clients cache metadata by genesis hash and `spec_version`."""

from __future__ import annotations

from typing import Final

from mycelia.codec import U8, U32, Bytes8, Record

SPEC_NAME: Final = "node-subtensor"
SPEC_VERSION: Final = 471
TRANSACTION_VERSION: Final = 1


class RuntimeVersion(Record, path="sp_version::RuntimeVersion"):
    """Answer of `Core_version` and, as JSON, of `state_getRuntimeVersion`."""

    spec_name: str
    impl_name: str
    authoring_version: U32
    spec_version: U32
    impl_version: U32
    apis: tuple[tuple[Bytes8, U32], ...]
    transaction_version: U32
    system_version: U8


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
