"""Stored values of System."""

from __future__ import annotations

from mycelia.codec import U8, U32, U64, U128, Bytes4, Bytes8, Compact, Enumeration, Record
from mycelia.frame import Weight
from mycelia.primitives import Tao


class ExtraFlags(Record, path="pallet_balances::types::ExtraFlags", tuple_like=True):
    """Bits about an account's balance; the top one says that its reserves follow the current rules."""

    bits: U128 = U128(1 << 127)


class AccountData(Record, path="pallet_balances::types::AccountData"):
    """The balance of an account, in rao."""

    free: Tao = Tao(0)
    reserved: Tao = Tao(0)
    frozen: Tao = Tao(0)
    flags: ExtraFlags = ExtraFlags()


class AccountInfo(Record, path="frame_system::AccountInfo"):
    """Nonce, reference counts and balance; when which count is other than 0 stands at the top of `pallet.py`."""

    nonce: U32 = U32(0)
    consumers: U32 = U32(0)
    providers: U32 = U32(0)
    sufficients: U32 = U32(0)
    data: AccountData = AccountData()


class Phase(Enumeration, path="frame_system::Phase"):
    """When in a block an event was told."""


class ApplyExtrinsic(Phase, index=0, tuple_like=True):
    extrinsic: U32


class Finalization(Phase, index=1):
    pass


class Initialization(Phase, index=2):
    pass


class DigestItem(Enumeration, path="sp_runtime::generic::digest::DigestItem"):
    """An entry of a header's digest."""


class Other(DigestItem, index=0, tuple_like=True):
    data: bytes


class Consensus(DigestItem, index=4, tuple_like=True):
    engine: Bytes4
    data: bytes


class Seal(DigestItem, index=5, tuple_like=True):
    engine: Bytes4
    data: bytes


class PreRuntime(DigestItem, index=6, tuple_like=True):
    engine: Bytes4
    data: bytes


class RuntimeEnvironmentUpdated(DigestItem, index=8):
    pass


class Digest(Record, path="sp_runtime::generic::digest::Digest"):
    """A header's digest."""

    logs: tuple[DigestItem, ...] = ()


class EventRecords:
    """Stands for the block's event log, whose codec only the whole runtime determines."""


class RuntimeVersion(Record, path="sp_version::RuntimeVersion"):
    """Which rules run, and which runtime APIs they have by a hash of their names."""

    spec_name: str
    impl_name: str
    authoring_version: U32
    spec_version: U32
    impl_version: U32
    apis: tuple[tuple[Bytes8, U32], ...]
    transaction_version: U32
    system_version: U8


class WeightsPerClass(Record, path="frame_system::limits::WeightsPerClass"):
    """What extrinsics of one class may weigh; None is no limit."""

    base_extrinsic: Weight
    max_extrinsic: Weight | None
    max_total: Weight | None
    reserved: Weight | None


class PerClassWeights(Record, path="frame_support::dispatch::PerDispatchClass"):
    """A limit on weights for each class of extrinsics."""

    normal: WeightsPerClass
    operational: WeightsPerClass
    mandatory: WeightsPerClass


class BlockWeights(Record, path="frame_system::limits::BlockWeights"):
    """What a block and its extrinsics may weigh."""

    base_block: Weight
    max_block: Weight
    per_class: PerClassWeights


class PerClassBytes(Record, path="frame_support::dispatch::PerDispatchClass"):
    """A limit on bytes for each class of extrinsics."""

    normal: U32
    operational: U32
    mandatory: U32


class BlockLength(Record, path="frame_system::limits::BlockLength"):
    """How many bytes a block's extrinsics may have."""

    max: PerClassBytes


class RuntimeDbWeight(Record, path="sp_weights::RuntimeDbWeight"):
    """What reading or writing one storage item weighs, in picoseconds of the reference machine."""

    read: U64
    write: U64


class LastUpgrade(Record, path="frame_system::LastRuntimeUpgradeInfo"):
    """The runtime version that ran last."""

    spec_version: Compact[U32]
    spec_name: str
