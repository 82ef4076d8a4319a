"""Absent rows of MevShield: ciphertexts stored for later blocks.

Source: subtensor@14bc6f9 `pallets/shield/src/lib.rs`.
"""

from __future__ import annotations

from typing import Final

from mycelia.codec import U32, U64, Bytes
from mycelia.frame.dispatch import Failure
from mycelia.primitives import AccountId, BlockNumber
from mycelia.runtime.absent.declare import (
    Absent,
    call,
    entries,
    errors,
    event,
    identity,
)
from mycelia.runtime.absent.shapes import BOUNDED_BYTES, Struct

_PENDING: Final = Struct(
    "pallet_shield::pallet::PendingExtrinsic",
    who=AccountId,
    encrypted_call=Bytes,
    submitted_at=BlockNumber,
)

MEV_SHIELD: Final = Absent(
    "MevShield",
    30,
    calls=(
        call(2, "store_encrypted", encrypted_call=BOUNDED_BYTES),
        call(3, "set_max_pending_extrinsics_number", value=U32),
        call(4, "set_on_initialize_weight", value=U64),
        call(5, "set_stored_extrinsic_lifetime", value=U32),
        call(6, "set_max_extrinsic_weight", value=U64),
    ),
    events=(
        event(1, "ExtrinsicStored", index=U32, who=AccountId),
        event(2, "ExtrinsicDecodeFailed", index=U32),
        event(3, "ExtrinsicDispatchFailed", index=U32, error=Failure),
        event(4, "ExtrinsicDispatched", index=U32),
        event(5, "ExtrinsicExpired", index=U32),
        event(6, "ExtrinsicPostponed", index=U32),
        event(7, "MaxPendingExtrinsicsNumberSet", value=U32),
        event(8, "OnInitializeWeightSet", value=U64),
        event(9, "ExtrinsicLifetimeSet", value=U32),
        event(10, "MaxExtrinsicWeightSet", value=U64),
        event(11, "ExtrinsicWeightExceeded", index=U32),
    ),
    errors=errors({2: "TooManyPendingExtrinsics", 3: "WeightExceedsAbsoluteMax"}),
    entries=(
        entries("HasMigrationRun", bool, identity(Bytes), default=False),
        entries("MaxPendingExtrinsicsLimit", U32, default=100),
        entries("ExtrinsicLifetime", U32, default=10),
        entries("OnInitializeWeight", U64, default=500_000_000_000),
        entries("MaxExtrinsicWeight", U64, default=50_000_000_000),
        entries("PendingExtrinsics", _PENDING, identity(U32)),
        entries("CounterForPendingExtrinsics NextPendingExtrinsicIndex", U32, default=0),
    ),
)
