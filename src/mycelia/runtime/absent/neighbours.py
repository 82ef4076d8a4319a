"""Absent rows of the chain's smaller pallets: randomness, crowdloans, orders, liquidity.

Source: subtensor@14bc6f9 `pallets/{drand,crowdloan,limit-orders,swap,alpha-assets}/src`; the metadata catalogue of the
client SDK 11.3.
"""

from __future__ import annotations

from typing import Final

from mycelia.codec import (
    H256,
    I32,
    I64,
    I128,
    U8,
    U32,
    U64,
    U64F64,
    U128,
    Bytes,
    Compact,
)
from mycelia.frame import Call
from mycelia.frame.dispatch import Failure
from mycelia.primitives import AccountId, Alpha, BlockNumber, NetUid, Tao
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
    Array,
    Choice,
    Struct,
    bounded,
    case,
    newtype,
    optional,
    ordered_set,
)
from mycelia.runtime.absent.substrate import BOUNDED_CALL
from mycelia.runtime.absent.subtensor import PALLET_ID

TAO: Final = 10**9
MULTI_SIGNATURE: Final = Choice(
    "sp_runtime::MultiSignature",
    case("Ed25519", Array(U8, 64)),
    case("Sr25519", Array(U8, 64)),
    case("Ecdsa", Array(U8, 65)),
)
DRAND: Final = Absent(
    "Drand",
    26,
    errors=errors({0: "NoneValue", 1: "StorageOverflow", 2: "DrandConnectionFailure"}),
    entries=(
        entries("HasMigrationRun", bool, identity(Bytes), default=False),
        entries("NextUnsignedAt", BlockNumber, default=0),
    ),
    constants=(
        constant("UnsignedPriority", U64, 2**20),
        constant("HttpFetchTimeout", U64, 1_000),
    ),
)

_CROWDLOAN: Final = Struct(
    "pallet_crowdloan::CrowdloanInfo",
    creator=AccountId,
    deposit=Tao,
    min_contribution=Tao,
    end=BlockNumber,
    cap=Tao,
    funds_account=AccountId,
    raised=Tao,
    target_address=AccountId | None,
    call=optional(BOUNDED_CALL),
    finalized=bool,
    contributors_count=U32,
)
_ID: Final = {"crowdloan_id": Compact[U32]}
_TOLD_ID: Final = {"crowdloan_id": U32}

CROWDLOAN: Final = Absent(
    "Crowdloan",
    27,
    calls=(
        call(
            0,
            "create",
            deposit=Compact[Tao],
            min_contribution=Compact[Tao],
            cap=Compact[Tao],
            end=Compact[BlockNumber],
            call=Call | None,
            target_address=AccountId | None,
        ),
        call(1, "contribute", **_ID, amount=Compact[Tao]),
        call(2, "withdraw", **_ID),
        call(3, "finalize", **_ID),
        call(4, "refund", **_ID),
        call(5, "dissolve", **_ID),
        call(6, "update_min_contribution", **_ID, new_min_contribution=Compact[Tao]),
        call(7, "update_end", **_ID, new_end=Compact[BlockNumber]),
        call(8, "update_cap", **_ID, new_cap=Compact[Tao]),
        call(9, "set_max_contribution", **_ID, new_max_contribution=Tao | None),
    ),
    events=(
        event(0, "Created", **_TOLD_ID, creator=AccountId, end=BlockNumber, cap=Tao),
        event(1, "Contributed", **_TOLD_ID, contributor=AccountId, amount=Tao),
        event(2, "Withdrew", **_TOLD_ID, contributor=AccountId, amount=Tao),
        event(3, "PartiallyRefunded", **_TOLD_ID),
        event(4, "AllRefunded", **_TOLD_ID),
        event(5, "Finalized", **_TOLD_ID),
        event(6, "Dissolved", **_TOLD_ID),
        event(7, "MinContributionUpdated", **_TOLD_ID, new_min_contribution=Tao),
        event(8, "EndUpdated", **_TOLD_ID, new_end=BlockNumber),
        event(9, "CapUpdated", **_TOLD_ID, new_cap=Tao),
        event(10, "MaxContributionUpdated", **_TOLD_ID, new_max_contribution=Tao | None),
    ),
    errors=errors(
        in_order(
            "DepositTooLow CapTooLow MinimumContributionTooLow CannotEndInPast BlockDurationTooShort "
            "BlockDurationTooLong InsufficientBalance Overflow InvalidCrowdloanId CapRaised "
            "ContributionPeriodEnded ContributionTooLow InvalidOrigin AlreadyFinalized AlreadyFinalizing "
            "ContributionPeriodNotEnded NoContribution CapNotRaised Underflow CallUnavailable "
            "NotReadyToDissolve DepositCannotBeWithdrawn MaxContributorsReached "
            "InvalidFinalizationConfig MaxContributionReached MaximumContributionTooLow "
            "MinimumContributionTooHigh FundsNotSettled"
        )
    ),
    entries=(
        entries("Crowdloans", _CROWDLOAN, twox(U32)),
        entries("NextCrowdloanId", U32, default=0),
        entries("Contributions", Tao, twox(U32), identity(AccountId)),
        entries("MaxContributions", Tao, twox(U32)),
        entries("CurrentCrowdloanId", U32),
        entries("HasMigrationRun", bool, identity(Bytes), default=False),
    ),
    constants=(
        constant("PalletId", PALLET_ID, b"bt/cloan"),
        constant("MinimumDeposit", Tao, 10 * TAO),
        constant("AbsoluteMinimumContribution", Tao, TAO // 10),
        constant("MinimumBlockDuration", BlockNumber, 50_400),
        constant("MaximumBlockDuration", BlockNumber, 432_000),
        constant("RefundContributorsLimit", U32, 50),
        constant("MaxContributors", U32, 500),
    ),
    doc="Raising TAO for a purpose.",
)

_TICK: Final = newtype("pallet_subtensor_swap::tick::TickIndex", I32)
_POSITION_ID: Final = newtype("pallet_subtensor_swap::position::PositionId", U128)
_POSITION: Final = Struct(
    "pallet_subtensor_swap::position::Position",
    id=_POSITION_ID,
    netuid=NetUid,
    tick_low=_TICK,
    tick_high=_TICK,
    liquidity=U64,
    fees_tao=U64F64,
    fees_alpha=U64F64,
)
_TICK_STATE: Final = Struct(
    "pallet_subtensor_swap::tick::Tick",
    liquidity_net=I128,
    liquidity_gross=U64,
    fees_out_tao=U64F64,
    fees_out_alpha=U64F64,
)
_POOL: Final = twox(NetUid)

SWAP: Final = Absent(
    "Swap",
    28,
    calls=(
        call(
            1,
            "add_liquidity",
            hotkey=AccountId,
            netuid=NetUid,
            tick_low=_TICK,
            tick_high=_TICK,
            liquidity=U64,
        ),
        call(2, "remove_liquidity", hotkey=AccountId, netuid=NetUid, position_id=_POSITION_ID),
        call(
            3,
            "modify_position",
            hotkey=AccountId,
            netuid=NetUid,
            position_id=_POSITION_ID,
            liquidity_delta=I64,
        ),
        call(4, "toggle_user_liquidity", netuid=NetUid, enable=bool),
        call(5, "disable_lp"),
    ),
    errors=errors(
        {
            1: "InsufficientInputAmount",
            2: "InsufficientLiquidity",
            4: "InsufficientBalance",
            5: "InvalidTickRange",
            6: "InvalidLiquidityValue",
            9: "SubtokenDisabled",
            10: "ReservesOutOfBalance",
            12: "Deprecated",
        }
    ),
    entries=(
        entries(
            "SwapBalancer",
            Struct("pallet_subtensor_swap::balancer::Balancer", quote=U64),
            _POOL,
            default=(500_000_000_000_000_000,),
        ),
        entries(
            "PalSwapInitialized SwapV3Initialized EnabledUserLiquidity", bool, _POOL, default=False
        ),
        entries("BalancerTaoReservoir ScrapReservoirTao", Tao, _POOL, default=0),
        entries("BalancerAlphaReservoir ScrapReservoirAlpha", Alpha, _POOL, default=0),
        entries("HasMigrationRun", bool, identity(Bytes), default=False),
        entries("FeeGlobalTao FeeGlobalAlpha", U64F64, _POOL, default=0),
        entries("CurrentLiquidity", U64, _POOL, default=0),
        entries("CurrentTick", _TICK, _POOL, default=0),
        entries("LastPositionId", U128, default=0),
        entries("Positions", _POSITION, _POOL, twox(AccountId), twox(_POSITION_ID)),
        entries("Ticks", _TICK_STATE, _POOL, twox(_TICK)),
        entries("TickIndexBitmapWords", U128, _POOL, twox(U8), twox(U32), default=0),
    ),
    constants=(
        constant("ProtocolId", PALLET_ID, b"ten/swap"),
        constant("MinimumLiquidity", U64, 1_000),
        constant("MaxPositions", U32, 100),
    ),
)

ALPHA_ASSETS: Final = Absent(
    "AlphaAssets",
    31,
    entries=(entries("TotalAlphaIssuance AlphaBurned AlphaRecycled", Alpha, _POOL, default=0),),
    doc="Alpha as assets.",
)

_PERBILL: Final = newtype("sp_arithmetic::per_things::Perbill", U32)
_ORDER_TYPE: Final = Choice("pallet_limit_orders::OrderType", "LimitBuy TakeProfit StopLoss")
_ORDER: Final = Choice(
    "pallet_limit_orders::VersionedOrder",
    case(
        "V1",
        Struct(
            "pallet_limit_orders::Order",
            signer=AccountId,
            hotkey=AccountId,
            netuid=NetUid,
            order_type=_ORDER_TYPE,
            amount=U64,
            limit_price=U64,
            expiry=U64,
            fee_rate=_PERBILL,
            fee_recipient=AccountId,
            relayer=optional(tuple[AccountId, ...]),
            max_slippage=optional(_PERBILL),
            chain_id=U64,
            partial_fills_enabled=bool,
        ),
    ),
)
_SIGNED_ORDER: Final = Struct(
    "pallet_limit_orders::SignedOrder",
    order=_ORDER,
    signature=MULTI_SIGNATURE,
    partial_fill=optional(U64),
)

LIMIT_ORDERS: Final = Absent(
    "LimitOrders",
    32,
    calls=(
        call(0, "execute_orders", orders=bounded(_SIGNED_ORDER), should_fail=bool),
        call(1, "execute_batched_orders", netuid=NetUid, orders=bounded(_SIGNED_ORDER)),
        call(2, "cancel_order", order=_ORDER),
        call(3, "set_pallet_status", enabled=bool),
        call(4, "prune_linked_output", order_id=H256),
    ),
    events=(
        event(
            0,
            "OrderExecuted",
            order_id=H256,
            signer=AccountId,
            netuid=NetUid,
            order_type=_ORDER_TYPE,
            amount_in=U64,
            amount_out=U64,
        ),
        event(1, "OrderSkipped", order_id=H256, reason=Failure),
        event(2, "OrderCancelled", order_id=H256, signer=AccountId),
        event(
            3,
            "GroupExecutionSummary",
            netuid=NetUid,
            net_side=Choice("pallet_limit_orders::OrderSide", "Buy Sell"),
            net_amount=U64,
            actual_out=U64,
            executed_count=U32,
        ),
        event(4, "LimitOrdersPalletStatusChanged", enabled=bool),
    ),
    errors=errors(
        in_order(
            "InvalidSignature OrderAlreadyProcessed OrderCancelled OrderExpired PriceConditionNotMet "
            "Unauthorized SwapReturnedZero RootNetUidNotAllowed OrderNetUidMismatch LimitOrdersDisabled "
            "RelayerMissMatch PartialFillsNotEnabled IncorrectPartialFillAmount "
            "RelayerRequiredForPartialFill ChainIdMismatch PalletHotkeyNotRegistered ArithmeticOverflow "
            "DuplicateOrderInBatch ZeroShareInBatch NoLinkedOutput LinkedOutputSignerMismatch "
            "LinkedOutputAssetMismatch LinkedOutputExpired LinkedAmountResolvedToZero "
            "PartialFillNotSupportedForLinkedAmount PartialFillNotSupportedForProvider "
            "LinkedOutputNotPrunable OrderSignerFrozen"
        )
    ),
    entries=(
        entries(
            "Orders",
            Choice(
                "pallet_limit_orders::OrderStatus",
                "Fulfilled",
                case("PartiallyFilled", U64),
                case("Cancelled", at=2),
            ),
            blake(H256),
        ),
        entries("LimitOrdersEnabled", bool, default=False),
        entries(
            "LinkedOutputs",
            Struct("pallet_limit_orders::LinkedOutput", owner=AccountId, amount=U64, expiry=U64),
            blake(H256),
        ),
        entries("HasMigrationRun", bool, identity(Bytes), default=False),
    ),
    constants=(
        constant("MaxOrdersPerBatch", U32, 100),
        constant("PalletId", PALLET_ID, b"bt/limit"),
        constant("PalletHotkey", AccountId, bytes(32)),
        constant("LinkedOutputTtl", BlockNumber, 0),
    ),
    doc="Trades at a price.",
)

COMMITMENTS: Final = Absent(
    "Commitments",
    18,
    events=(
        event(1, "TimelockCommitment", netuid=NetUid, who=AccountId, reveal_round=U64),
        event(2, "CommitmentRevealed", netuid=NetUid, who=AccountId),
    ),
    errors=errors({3: "UnexpectedUnreserveLeftover", 4: "TimelockRevealFailedNotAllowed"}),
    entries=(
        entries("TimelockedIndex", ordered_set(tuple[NetUid, AccountId]), default=()),
        entries("TimelockRevealCursor", tuple[NetUid, AccountId]),
    ),
)

NEIGHBOURS: Final = (DRAND, CROWDLOAN, SWAP, ALPHA_ASSETS, LIMIT_ORDERS, COMMITMENTS)
