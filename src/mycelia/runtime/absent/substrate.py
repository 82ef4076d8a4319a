"""Absent rows of the pallets that come with the framework.

Source: the metadata catalogue of the client SDK 11.3, subtensor@14bc6f9 `runtime/src/lib.rs` (indexes, constants).
"""

from __future__ import annotations

from typing import Final

from mycelia.codec import H256, U8, U16, U32, U64, Bytes, Bytes8, Bytes32, Compact
from mycelia.frame import Call, Weight
from mycelia.frame.address import Address
from mycelia.frame.dispatch import Outcome
from mycelia.pallets.system.types import AccountData, Phase
from mycelia.primitives import AccountId, Tao
from mycelia.runtime.absent.declare import (
    Absent,
    blake,
    call,
    constant,
    entries,
    errors,
    event,
    identity,
    in_order,
    twox,
)
from mycelia.runtime.absent.shapes import (
    BOUNDED_BYTES,
    NONE_LEFT,
    Choice,
    Struct,
    bounded,
    case,
    many,
    newtype,
    optional,
    several,
)

VOID: Final = Choice("sp_core::Void")
PER_CLASS: Final = Struct(
    "frame_support::dispatch::PerDispatchClass", normal=Weight, operational=Weight, mandatory=Weight
)
_NO_WEIGHT: Final = Weight(U64(0))

SYSTEM: Final = Absent(
    "System",
    0,
    calls=(
        call(1, "set_heap_pages", pages=U64),
        call(2, "set_code", code=Bytes),
        call(3, "set_code_without_checks", code=Bytes),
        call(4, "set_storage", items=tuple[tuple[Bytes, Bytes], ...]),
        call(5, "kill_storage", keys=tuple[Bytes, ...]),
        call(6, "kill_prefix", prefix=Bytes, subkeys=U32),
        call(9, "authorize_upgrade", code_hash=H256),
        call(10, "authorize_upgrade_without_checks", code_hash=H256),
        call(11, "apply_authorized_upgrade", code=Bytes),
    ),
    events=(
        event(2, "CodeUpdated"),
        event(6, "UpgradeAuthorized", code_hash=H256, check_version=bool),
    ),
    errors=errors(
        {
            1: "SpecVersionNeedsToIncrease",
            2: "FailedToExtractRuntimeVersion",
            3: "NonDefaultComposite",
            4: "NonZeroRefCount",
            6: "MultiBlockMigrationsOngoing",
            7: "NothingAuthorized",
            8: "Unauthorized",
        }
    ),
    entries=(
        entries("InherentsApplied", bool, default=False),
        entries("BlockWeight", PER_CLASS, default=(_NO_WEIGHT,) * 3),
        entries("AllExtrinsicsLen", U32),
        entries("ExtrinsicData", Bytes, twox(U32), default=b""),
        entries("EventTopics", tuple[tuple[U32, U32], ...], blake(H256), default=()),
        entries("UpgradedToU32RefCount UpgradedToTripleRefCount", bool, default=True),
        entries("ExecutionPhase", Phase),
        entries(
            "AuthorizedUpgrade",
            Struct("frame_system::CodeUpgradeAuthorization", code_hash=H256, check_version=bool),
        ),
        entries("ExtrinsicWeightReclaimed", Weight, default=_NO_WEIGHT),
    ),
)

RANDOMNESS: Final = Absent(
    "RandomnessCollectiveFlip",
    1,
    entries=(entries("RandomMaterial", bounded(H256), default=()),),
    doc="Randomness from block hashes.",
)

_KEY: Final = newtype("sp_consensus_grandpa::app::Public", Bytes32)
_AUTHORITIES: Final = many(several(_KEY, U64))
_VOTE: Final = Struct("finality_grandpa::Prevote", target_hash=H256, target_number=U32)
_VOTES: Final = Struct(
    "finality_grandpa::Equivocation",
    round_number=U64,
    identity=_KEY,
    first=several(_VOTE, newtype("sp_consensus_grandpa::app::Signature", tuple[Bytes32, Bytes32])),
    second=several(_VOTE, newtype("sp_consensus_grandpa::app::Signature", tuple[Bytes32, Bytes32])),
)
_EQUIVOCATION: Final = Struct(
    "sp_consensus_grandpa::EquivocationProof",
    set_id=U64,
    equivocation=Choice(
        "sp_consensus_grandpa::Equivocation", case("Prevote", _VOTES), case("Precommit", _VOTES)
    ),
)
_STATE: Final = Choice(
    "pallet_grandpa::StoredState",
    "Live",
    case("PendingPause", scheduled_at=U32, delay=U32),
    "Paused",
    case("PendingResume", scheduled_at=U32, delay=U32),
)

GRANDPA: Final = Absent(
    "Grandpa",
    4,
    calls=(
        call(0, "report_equivocation", equivocation_proof=_EQUIVOCATION, key_owner_proof=VOID),
        call(
            1,
            "report_equivocation_unsigned",
            equivocation_proof=_EQUIVOCATION,
            key_owner_proof=VOID,
        ),
        call(2, "note_stalled", delay=U32, best_finalized_block_number=U32),
    ),
    events=(
        event(0, "NewAuthorities", authority_set=_AUTHORITIES),
        event(1, "Paused"),
        event(2, "Resumed"),
    ),
    errors=errors(
        in_order(
            "PauseFailed ResumeFailed ChangePending TooSoon InvalidKeyOwnershipProof "
            "InvalidEquivocationProof DuplicateOffenceReport"
        )
    ),
    entries=(
        entries("State", _STATE, default=("Live", ())),
        entries(
            "PendingChange",
            Struct(
                "pallet_grandpa::StoredPendingChange",
                scheduled_at=U32,
                delay=U32,
                next_authorities=_AUTHORITIES,
                forced=optional(U32),
            ),
        ),
        entries("NextForced", U32),
        entries("Stalled", tuple[U32, U32]),
        entries("CurrentSetId", U64, default=0),
        entries("SetIdSession", U32, twox(U64)),
        entries("Authorities", bounded(several(_KEY, U64), weakly=True), default=()),
    ),
    constants=(
        constant("MaxAuthorities", U32, 32),
        constant("MaxNominators", U32, 0),
        constant("MaxSetIdSessionEntries", U64, 0),
    ),
    doc="Finality by votes. Here a block is final when it is sealed.",
)

_REASONS: Final = Choice("pallet_balances::types::Reasons", "Fee Misc All")
_LOCK: Final = Struct(
    "pallet_balances::types::BalanceLock", id=Bytes8, amount=Tao, reasons=_REASONS
)
_RESERVE: Final = Struct("pallet_balances::types::ReserveData", id=Bytes8, amount=Tao)
_HOLD: Final = Struct(
    "frame_support::traits::tokens::misc::IdAmount",
    id=Choice("node_subtensor_runtime::RuntimeHoldReason"),
    amount=Tao,
)
_FREEZE: Final = Struct(
    "frame_support::traits::tokens::misc::IdAmount",
    id=Choice("node_subtensor_runtime::RuntimeFreezeReason"),
    amount=Tao,
)

BALANCES: Final = Absent(
    "Balances",
    5,
    calls=(
        call(2, "force_transfer", source=Address, dest=Address, value=Compact[Tao]),
        call(5, "force_unreserve", who=Address, amount=Tao),
        call(6, "upgrade_accounts", who=tuple[AccountId, ...]),
        call(
            9,
            "force_adjust_total_issuance",
            direction=Choice("pallet_balances::types::AdjustmentDirection", "Increase Decrease"),
            delta=Compact[Tao],
        ),
        call(10, "burn", value=Compact[Tao], keep_alive=bool),
    ),
    events=(
        event(4, "Reserved", who=AccountId, amount=Tao),
        event(5, "Unreserved", who=AccountId, amount=Tao),
        event(
            6,
            "ReserveRepatriated",
            from_=AccountId,
            to=AccountId,
            amount=Tao,
            destination_status=Choice(
                "frame_support::traits::tokens::misc::BalanceStatus", "Free Reserved"
            ),
        ),
        event(9, "Slashed", who=AccountId, amount=Tao),
        event(10, "Minted", who=AccountId, amount=Tao),
        event(11, "Burned", who=AccountId, amount=Tao),
        event(12, "Suspended", who=AccountId, amount=Tao),
        event(13, "Restored", who=AccountId, amount=Tao),
        event(14, "Upgraded", who=AccountId),
        event(15, "Issued", amount=Tao),
        event(16, "Rescinded", amount=Tao),
        event(17, "Locked", who=AccountId, amount=Tao),
        event(18, "Unlocked", who=AccountId, amount=Tao),
        event(19, "Frozen", who=AccountId, amount=Tao),
        event(20, "Thawed", who=AccountId, amount=Tao),
        event(21, "TotalIssuanceForced", old=Tao, new=Tao),
    ),
    errors=errors(
        {
            0: "VestingBalance",
            1: "LiquidityRestrictions",
            5: "ExistingVestingSchedule",
            6: "DeadAccount",
            7: "TooManyReserves",
            8: "TooManyHolds",
            9: "TooManyFreezes",
            10: "IssuanceDeactivated",
            11: "DeltaZero",
        }
    ),
    entries=(
        entries("InactiveIssuance", Tao, default=0),
        entries("Account", AccountData, blake(AccountId), default=AccountData()),
        entries("Locks", bounded(_LOCK, weakly=True), blake(AccountId), default=()),
        entries("Reserves", bounded(_RESERVE), blake(AccountId), default=()),
        entries("Holds", bounded(_HOLD), blake(AccountId), default=()),
        entries("Freezes", bounded(_FREEZE), blake(AccountId), default=()),
    ),
    constants=(
        constant("MaxLocks", U32, 50),
        constant("MaxReserves", U32, 50),
        constant("MaxFreezes", U32, 50),
    ),
)

TIMEPOINT: Final = Struct("pallet_multisig::Timepoint", height=U32, index=U32)
_OTHERS: Final = tuple[AccountId, ...]

MULTISIG: Final = Absent(
    "Multisig",
    13,
    calls=(
        call(0, "as_multi_threshold_1", other_signatories=_OTHERS, call=Call),
        call(
            1,
            "as_multi",
            threshold=U16,
            other_signatories=_OTHERS,
            maybe_timepoint=optional(TIMEPOINT),
            call=Call,
            max_weight=Weight,
        ),
        call(
            2,
            "approve_as_multi",
            threshold=U16,
            other_signatories=_OTHERS,
            maybe_timepoint=optional(TIMEPOINT),
            call_hash=Bytes32,
            max_weight=Weight,
        ),
        call(
            3,
            "cancel_as_multi",
            threshold=U16,
            other_signatories=_OTHERS,
            timepoint=TIMEPOINT,
            call_hash=Bytes32,
        ),
        call(4, "poke_deposit", threshold=U16, other_signatories=_OTHERS, call_hash=Bytes32),
    ),
    events=(
        event(0, "NewMultisig", approving=AccountId, multisig=AccountId, call_hash=Bytes32),
        event(
            1,
            "MultisigApproval",
            approving=AccountId,
            timepoint=TIMEPOINT,
            multisig=AccountId,
            call_hash=Bytes32,
        ),
        event(
            2,
            "MultisigExecuted",
            approving=AccountId,
            timepoint=TIMEPOINT,
            multisig=AccountId,
            call_hash=Bytes32,
            result=Outcome,
        ),
        event(
            3,
            "MultisigCancelled",
            cancelling=AccountId,
            timepoint=TIMEPOINT,
            multisig=AccountId,
            call_hash=Bytes32,
        ),
        event(
            4, "DepositPoked", who=AccountId, call_hash=Bytes32, old_deposit=Tao, new_deposit=Tao
        ),
    ),
    errors=errors(
        in_order(
            "MinimumThreshold AlreadyApproved NoApprovalsNeeded TooFewSignatories TooManySignatories "
            "SignatoriesOutOfOrder SenderInSignatories NotFound NotOwner NoTimepoint WrongTimepoint "
            "UnexpectedTimepoint MaxWeightTooLow AlreadyStored"
        )
    ),
    entries=(
        entries(
            "Multisigs",
            Struct(
                "pallet_multisig::Multisig",
                when=TIMEPOINT,
                deposit=Tao,
                depositor=AccountId,
                approvals=tuple[AccountId, ...],
            ),
            twox(AccountId),
            blake(Bytes32),
        ),
    ),
    constants=(
        constant("DepositBase", Tao, 132_000_000),
        constant("DepositFactor", Tao, 32_000_000),
        constant("MaxSignatories", U32, 100),
    ),
    doc="Calls that several keys approve.",
)

_OLD_STATUS: Final = Choice(
    "pallet_preimage::OldRequestStatus",
    case("Unrequested", deposit=tuple[AccountId, Tao], len=U32),
    case("Requested", deposit=tuple[AccountId, Tao] | None, count=U32, len=U32 | None),
)
_STATUS: Final = Choice(
    "pallet_preimage::RequestStatus",
    case("Unrequested", ticket=tuple[AccountId, Tao], len=U32),
    case("Requested", maybe_ticket=tuple[AccountId, Tao] | None, count=U32, maybe_len=U32 | None),
)

PREIMAGE: Final = Absent(
    "Preimage",
    14,
    calls=(
        call(0, "note_preimage", bytes=Bytes),
        call(1, "unnote_preimage", hash=H256),
        call(2, "request_preimage", hash=H256),
        call(3, "unrequest_preimage", hash=H256),
        call(4, "ensure_updated", hashes=tuple[H256, ...]),
    ),
    events=(
        event(0, "Noted", hash=H256),
        event(1, "Requested", hash=H256),
        event(2, "Cleared", hash=H256),
    ),
    errors=errors(
        in_order("TooBig AlreadyNoted NotAuthorized NotNoted Requested NotRequested TooMany TooFew")
    ),
    entries=(
        entries("StatusFor", _OLD_STATUS, identity(H256)),
        entries("RequestStatusFor", _STATUS, identity(H256)),
        entries("PreimageFor", BOUNDED_BYTES, identity(tuple[H256, U32])),
    ),
    doc="Data known by its hash.",
)

BOUNDED_CALL: Final = Choice(
    "frame_support::traits::preimages::Bounded",
    case("Legacy", hash=H256),
    case("Inline", Bytes),
    case("Lookup", hash=H256, len=U32),
)
_RAW_ORIGIN: Final = Choice(
    "frame_support::dispatch::RawOrigin", "Root", case("Signed", AccountId), "None"
)
ORIGIN: Final = Choice(
    "node_subtensor_runtime::OriginCaller",
    case("system", _RAW_ORIGIN),
    case(
        "Ethereum", Choice("pallet_ethereum::RawOrigin", case("EthereumTransaction", H256)), at=21
    ),
)
_TASK: Final = tuple[U32, U32]
_PERIODIC: Final = tuple[U32, U32] | None

SCHEDULER: Final = Absent(
    "Scheduler",
    15,
    calls=(
        call(0, "schedule", when=U32, maybe_periodic=_PERIODIC, priority=U8, call=Call),
        call(1, "cancel", when=U32, index=U32),
        call(
            2,
            "schedule_named",
            id=Bytes32,
            when=U32,
            maybe_periodic=_PERIODIC,
            priority=U8,
            call=Call,
        ),
        call(3, "cancel_named", id=Bytes32),
        call(4, "schedule_after", after=U32, maybe_periodic=_PERIODIC, priority=U8, call=Call),
        call(
            5,
            "schedule_named_after",
            id=Bytes32,
            after=U32,
            maybe_periodic=_PERIODIC,
            priority=U8,
            call=Call,
        ),
        call(6, "set_retry", task=_TASK, retries=U8, period=U32),
        call(7, "set_retry_named", id=Bytes32, retries=U8, period=U32),
        call(8, "cancel_retry", task=_TASK),
        call(9, "cancel_retry_named", id=Bytes32),
    ),
    events=(
        event(0, "Scheduled", when=U32, index=U32),
        event(1, "Canceled", when=U32, index=U32),
        event(2, "Dispatched", task=_TASK, id=Bytes32 | None, result=Outcome),
        event(3, "RetrySet", task=_TASK, id=Bytes32 | None, period=U32, retries=U8),
        event(4, "RetryCancelled", task=_TASK, id=Bytes32 | None),
        event(5, "CallUnavailable", task=_TASK, id=Bytes32 | None),
        event(6, "PeriodicFailed", task=_TASK, id=Bytes32 | None),
        event(7, "RetryFailed", task=_TASK, id=Bytes32 | None),
        event(8, "PermanentlyOverweight", task=_TASK, id=Bytes32 | None),
        event(9, "AgendaIncomplete", when=U32),
    ),
    errors=errors(
        in_order("FailedToSchedule NotFound TargetBlockNumberInPast RescheduleNoChange Named")
    ),
    entries=(
        entries("IncompleteSince", U32),
        entries(
            "Agenda",
            bounded(
                optional(
                    Struct(
                        "pallet_scheduler::Scheduled",
                        maybe_id=Bytes32 | None,
                        priority=U8,
                        call=BOUNDED_CALL,
                        maybe_periodic=_PERIODIC,
                        origin=ORIGIN,
                    )
                )
            ),
            twox(U32),
            default=(),
        ),
        entries(
            "Retries",
            Struct("pallet_scheduler::RetryConfig", total_retries=U8, remaining=U8, period=U32),
            blake(_TASK),
        ),
        entries("Lookup", _TASK, twox(Bytes32)),
    ),
    constants=(
        constant("MaximumWeight", Weight, Weight(U64(3_200_000_000_000), U64(2**64 - 1))),
        constant("MaxScheduledPerBlock", U32, 50),
    ),
    doc="Calls at a later block.",
)

PROXY_TYPE: Final = Choice(
    "subtensor_runtime_common::ProxyType",
    "Any Owner NonCritical NonTransfer Senate NonFungible Triumvirate Governance Staking Registration "
    "Transfer SmallTransfer RootWeights ChildKeys SudoUncheckedSetCode SwapHotkey "
    "SubnetLeaseBeneficiary RootClaim BasketTrading",
)
_DEFINITION: Final = Struct(
    "pallet_subtensor_proxy::ProxyDefinition",
    delegate=AccountId,
    proxy_type=PROXY_TYPE,
    delay=U32,
)
_ANNOUNCEMENT: Final = Struct(
    "pallet_subtensor_proxy::Announcement", real=AccountId, call_hash=H256, height=U32
)
_PAIR: Final = {"delegator": AccountId, "delegatee": AccountId, "proxy_type": PROXY_TYPE}

PROXY: Final = Absent(
    "Proxy",
    16,
    calls=(
        call(0, "proxy", real=Address, force_proxy_type=optional(PROXY_TYPE), call=Call),
        call(1, "add_proxy", delegate=Address, proxy_type=PROXY_TYPE, delay=U32),
        call(2, "remove_proxy", delegate=Address, proxy_type=PROXY_TYPE, delay=U32),
        call(3, "remove_proxies"),
        call(4, "create_pure", proxy_type=PROXY_TYPE, delay=U32, index=U16),
        call(
            5,
            "kill_pure",
            spawner=Address,
            proxy_type=PROXY_TYPE,
            index=U16,
            height=Compact[U32],
            ext_index=Compact[U32],
        ),
        call(6, "announce", real=Address, call_hash=H256),
        call(7, "remove_announcement", real=Address, call_hash=H256),
        call(8, "reject_announcement", delegate=Address, call_hash=H256),
        call(
            9,
            "proxy_announced",
            delegate=Address,
            real=Address,
            force_proxy_type=optional(PROXY_TYPE),
            call=Call,
        ),
        call(10, "poke_deposit"),
        call(11, "set_real_pays_fee", delegate=Address, pays_fee=bool),
    ),
    events=(
        event(0, "ProxyExecuted", result=Outcome),
        event(
            1,
            "PureCreated",
            pure=AccountId,
            who=AccountId,
            proxy_type=PROXY_TYPE,
            disambiguation_index=U16,
        ),
        event(
            2,
            "PureKilled",
            pure=AccountId,
            spawner=AccountId,
            proxy_type=PROXY_TYPE,
            disambiguation_index=U16,
        ),
        event(3, "Announced", real=AccountId, proxy=AccountId, call_hash=H256),
        event(4, "ProxyAdded", **_PAIR, delay=U32),
        event(5, "ProxyRemoved", **_PAIR, delay=U32),
        event(
            6,
            "DepositPoked",
            who=AccountId,
            kind=Choice("pallet_subtensor_proxy::DepositKind", "Proxies Announcements"),
            old_deposit=Tao,
            new_deposit=Tao,
        ),
        event(7, "RealPaysFeeSet", real=AccountId, delegate=AccountId, pays_fee=bool),
    ),
    errors=errors(
        in_order(
            "TooMany NotFound NotProxy Unproxyable Duplicate NoPermission Unannounced NoSelfProxy "
            "AnnouncementDepositInvariantViolated InvalidDerivedAccountId"
        ),
        # Clients compare these three.
        NotFound="Proxy registration not found.",
        Duplicate="Account is already a proxy.",
        NoSelfProxy="Cannot add self as proxy.",
    ),
    entries=(
        entries("Proxies", several(bounded(_DEFINITION), Tao), twox(AccountId), default=NONE_LEFT),
        entries(
            "Announcements",
            several(bounded(_ANNOUNCEMENT), Tao),
            twox(AccountId),
            default=NONE_LEFT,
        ),
        entries("LastCallResult", Outcome, twox(AccountId)),
        entries("RealPaysFee RealPaysFeeConsentV1", tuple[()], twox(AccountId), twox(AccountId)),
    ),
    constants=(
        constant("ProxyDepositBase", Tao, 60_000_000),
        constant("ProxyDepositFactor", Tao, 33_000_000),
        constant("MaxProxies", U32, 20),
        constant("MaxPending", U32, 75),
        constant("AnnouncementDepositBase", Tao, 36_000_000),
        constant("AnnouncementDepositFactor", Tao, 68_000_000),
    ),
    doc="Accounts that act for others.",
)

_DEPOSIT: Final = {"account": AccountId, "amount": Tao}

SAFE_MODE: Final = Absent(
    "SafeMode",
    20,
    calls=(
        call(0, "enter"),
        call(1, "force_enter"),
        call(2, "extend"),
        call(3, "force_extend"),
        call(4, "force_exit"),
        call(5, "force_slash_deposit", account=AccountId, block=U32),
        call(6, "release_deposit", account=AccountId, block=U32),
        call(7, "force_release_deposit", account=AccountId, block=U32),
    ),
    events=(
        event(0, "Entered", until=U32),
        event(1, "Extended", until=U32),
        event(2, "Exited", reason=Choice("pallet_safe_mode::ExitReason", "Timeout Force")),
        event(3, "DepositPlaced", **_DEPOSIT),
        event(4, "DepositReleased", **_DEPOSIT),
        event(5, "DepositSlashed", **_DEPOSIT),
        event(6, "CannotDeposit"),
        event(7, "CannotRelease"),
    ),
    errors=errors(
        in_order(
            "Entered Exited NotConfigured NoDeposit AlreadyDeposited CannotReleaseYet CurrencyError"
        )
    ),
    entries=(
        entries("EnteredUntil", U32),
        entries("Deposits", Tao, twox(AccountId), twox(U32)),
    ),
    constants=(
        constant("EnterDuration", U32, 0),
        constant("ExtendDuration", U32, 0),
        constant("EnterDepositAmount", Tao | None, None),
        constant("ExtendDepositAmount", Tao | None, None),
        constant("ReleaseDelay", U32 | None, None),
    ),
    doc="Suspending most calls in an emergency.",
)

SUBSTRATE: Final = (
    SYSTEM,
    RANDOMNESS,
    GRANDPA,
    BALANCES,
    MULTISIG,
    PREIMAGE,
    SCHEDULER,
    PROXY,
    SAFE_MODE,
)
