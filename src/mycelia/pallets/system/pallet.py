"""Accounts, block facts, and the log of events.

Terms: *provider*, *consumer*, *sufficient* - reference counts as clients see them. An account has one provider while
it has a balance. A consumer is what keeps it from going, and a reserve, hold or freeze of balance is the only one of
the real chain; its deposits are for proxies, multisigs, preimages, crowdloans and contracts, none of which have rules
here, and commitments there cost no deposit. Only contracts' accounts are sufficient. So both are 0 for everybody.

Source: subtensor@14bc6f9 `runtime/src/lib.rs` (deposits), `pallets/{commitments,proxy,crowdloan}/src/lib.rs`;
`pallet_balances::Pallet::try_mutate_account`, which counts a consumer while anything is reserved or frozen.
"""

from __future__ import annotations

from mycelia.codec import H256, U8, U32, U64
from mycelia.crypto import blake2_256
from mycelia.frame import (
    Blake2_128Concat,
    Constant,
    Error,
    Event,
    Map,
    OptionalValue,
    Origin,
    Pallet,
    State,
    Twox64Concat,
    Value,
    Weight,
    call,
)
from mycelia.frame.dispatch import DispatchInfo, Failure
from mycelia.pallets.system.limits import BLOCK_LENGTH, BLOCK_WEIGHTS, DB_WEIGHT
from mycelia.pallets.system.types import (
    AccountInfo,
    BlockLength,
    BlockWeights,
    Digest,
    EventRecords,
    LastUpgrade,
    RuntimeDbWeight,
    RuntimeVersion,
)
from mycelia.primitives import AccountId, BlockNumber, Tao

HASHES_KEPT = 4_096
NO_HASH = H256(bytes(32))
NO_VERSION = RuntimeVersion("", "", U32(0), U32(0), U32(0), (), U32(0), U8(0))
"""Stands for the version until a runtime says which rules it is."""


class ExtrinsicSuccess(Event, index=0):
    """An extrinsic succeeded."""

    dispatch_info: DispatchInfo


class ExtrinsicFailed(Event, index=1):
    """An extrinsic failed; its changes are undone, its fee is paid."""

    dispatch_error: Failure
    dispatch_info: DispatchInfo


class NewAccount(Event, index=3):
    """An account was created."""

    account: AccountId


class KilledAccount(Event, index=4):
    """An account was removed."""

    account: AccountId


class Remarked(Event, index=5):
    """A remark was made."""

    sender: AccountId
    hash: H256


class InvalidSpecName(Error, index=0):
    """The name of the new rules is not that of the current ones. Give the right code."""


class CallFiltered(Error, index=5):
    """The origin filter prevents this call. Make it directly."""


class System(Pallet, name="System"):
    """Accounts, block facts, and the log of events."""

    events = (ExtrinsicSuccess, ExtrinsicFailed, NewAccount, KilledAccount, Remarked)
    errors = (InvalidSpecName, CallFiltered)

    block_hash_count = Constant(
        BlockNumber,
        BlockNumber(HASHES_KEPT),
        doc="Hashes of how many blocks are kept in the state.",
    )
    ss58_prefix = Constant(
        U32, U32(42), doc="Prefix of this network's addresses.", name="SS58Prefix"
    )

    block_weights = Constant(
        BlockWeights,
        BLOCK_WEIGHTS,
        doc="What a block weighs at most on the reference machine; here a budget of time ends it first.",
    )
    block_length = Constant(
        BlockLength, BLOCK_LENGTH, doc="Most bytes of a block's extrinsics, by class."
    )
    db_weight = Constant(
        RuntimeDbWeight, DB_WEIGHT, doc="What reading or writing one storage item weighs."
    )
    version = Constant(RuntimeVersion, NO_VERSION, doc="Which rules these are.")

    account = Map[AccountId, AccountInfo](
        AccountId,
        AccountInfo,
        hasher=Blake2_128Concat,
        default=AccountInfo(),
        doc="Nonce, reference counts and balance of an account.",
    )
    extrinsic_count = OptionalValue(U32, doc="Number of extrinsics in the current block.")
    block_hash = Map[BlockNumber, H256](
        BlockNumber,
        H256,
        hasher=Twox64Concat,
        default=NO_HASH,
        doc="Hashes of recent blocks, and of the first.",
    )
    number = Value(BlockNumber, default=BlockNumber(0), doc="Height of the current block.")
    parent_hash = Value(H256, default=NO_HASH, doc="Hash of the previous block.")
    digest = Value(Digest, default=Digest(), doc="Digest of the current block.")
    events_log = Value(EventRecords, default=(), doc="Events of the current block.", name="Events")
    event_count = Value(U32, default=U32(0), doc="Number of events in the current block.")
    last_runtime_upgrade = OptionalValue(LastUpgrade, doc="The rules that ran last.")

    def __init__(self, state: State) -> None:
        super().__init__(state)

    @call(index=0, weight=Weight(U64(2_000_000)))
    def remark(self, origin: Origin, remark: bytes) -> None:
        """Put bytes into a block, with no effect. Signed."""
        del remark
        origin.signed()

    @call(index=7, weight=Weight(U64(16_000_000)), emits=(Remarked,))
    def remark_with_event(self, origin: Origin, remark: bytes) -> None:
        """Put bytes into a block and tell their hash. Signed."""
        self.deposit(Remarked(origin.signed(), H256(blake2_256(remark))))

    def begin_block(self, height: int, parent_hash: bytes, digest: Digest) -> None:
        """Set the facts of a new block."""
        self.number = BlockNumber(height)
        self.parent_hash = H256(parent_hash)
        self.digest = digest
        self.block_hash[BlockNumber(height - 1)] = H256(parent_hash)
        # The first is kept: clients know the chain by it.
        if (left := height - 1 - HASHES_KEPT) > 0:
            del self.block_hash[BlockNumber(left)]

    def free_of(self, who: AccountId) -> Tao:
        """Balance of an account, in rao; 0 when it doesn't exist."""
        return self.account[who].data.free

    def set_free(self, who: AccountId, free: Tao) -> None:
        """Set a balance; the account comes into being with the first rao and goes with the last."""
        info = self.account[who]
        if free and not info.providers:
            self.deposit(NewAccount(who))
        if free:
            self.account[who] = info.but(providers=U32(1), data=info.data.but(free=free))
        elif info.providers:
            del self.account[who]
            self.deposit(KilledAccount(who))

    def all_balances(self) -> list[Tao]:
        """Free and reserved money of every account, in rao."""
        return [Tao(info.data.free + info.data.reserved) for info in self.account.values()]

    def use_nonce(self, who: AccountId) -> None:
        """Count one more extrinsic of an account."""
        info = self.account[who]
        self.account[who] = info.but(nonce=U32(info.nonce + 1))

    def now(self) -> BlockNumber:
        """Height of the current block."""
        return self.number

    def nonce_of(self, who: AccountId) -> int:
        """The next nonce of an account."""
        return self.account[who].nonce
