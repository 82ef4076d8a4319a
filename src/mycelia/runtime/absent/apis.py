"""Runtime APIs without rules, each with the one answer that is true here: no baskets, no locks.

Source: subtensor@14bc6f9 `pallets/subtensor/runtime-api/src/lib.rs`; how the client SDK 11.3 reads the answers of the
basket API, which the chain read here doesn't have.
"""

from __future__ import annotations

from typing import Any, Final

from mycelia.codec import U8, U32, U64, U64F64
from mycelia.primitives import AccountId, Alpha, NetUid, Tao
from mycelia.runtime.absent.declare import AbsentView, method
from mycelia.runtime.absent.shapes import Struct, many, optional
from mycelia.runtime.absent.subtensor import LOCK

_PATH: Final = "pallet_subtensor::rpc_info::basket_info"
_HOTKEY: Final = {"hotkey": AccountId}
_COLDKEY: Final = {"coldkey": AccountId}
_PAIR: Final = {"hotkey": AccountId, "coldkey": AccountId}
_HOLDING: Final = Struct(
    f"{_PATH}::BasketHolding", netuid=NetUid, alpha=Alpha, spot_tao=Tao, realizable_tao=Tao
)
_SUMMARY: Final = Struct(
    f"{_PATH}::BasketSummary",
    hotkey=AccountId,
    shares=U64,
    nav_tao=Tao,
    spot_nav_tao=Tao,
    deposited_tao=Tao,
    redeemed_tao=Tao,
    holdings=many(_HOLDING),
)
_POSITION: Final = Struct(
    f"{_PATH}::BasketPosition",
    hotkey=AccountId,
    beta=U64,
    beta_total=U64,
    nav_tao=Tao,
    value_tao=Tao,
    spot_value_tao=Tao,
)
_PRICING: Final = Struct(
    f"{_PATH}::BetaPricing",
    hotkey=AccountId,
    spot_price=U64F64,
    display_price=U64F64,
    stake_price=U64F64,
    staker_yield=U64F64,
    staker_twr=U64F64,
    bag_index=U64F64,
    stake_index=U64F64,
    first_block=U64,
    provisional=bool,
    display_shares=U64F64,
)
_PAGE: Final = Struct(f"{_PATH}::BetaPricingPage", pricing=many(_PRICING), next=optional(AccountId))
_TRADING: Final = Struct(
    f"{_PATH}::BasketTradingStatus",
    enabled=bool,
    frozen=bool,
    tao_available=Tao,
    budget_tao=Tao,
    refill_blocks=U64,
)
_PREVIEW: Final = Struct(
    f"{_PATH}::BasketClaimPreview",
    hotkey=AccountId,
    payout=Tao,
    swept=U32,
    rows=U32,
    dust_rows=U32,
    forfeited=Tao,
)
_NOBODY: Final = bytes(32)


def _basket(name: str, /, gives: Any, answer: Any, **arguments: Any) -> AbsentView:
    return method("BetaBasketRuntimeApi", name, gives, answer, **arguments)


BASKETS: Final = (
    _basket("get_root_basket_owed", Tao, 0, **_COLDKEY),
    _basket("get_basket_payout", Tao, 0, **_PAIR),
    _basket("get_validator_basket_nav", Tao, 0, **_HOTKEY),
    _basket("get_validator_basket", tuple[tuple[NetUid, Alpha, Tao], ...], (), **_HOTKEY),
    _basket("get_root_basket_total_nav", Tao, 0),
    _basket("get_validator_basket_summary", _SUMMARY, (_NOBODY, 0, 0, 0, 0, 0, ()), **_HOTKEY),
    _basket("get_all_validator_baskets", many(_SUMMARY), ()),
    _basket("get_root_basket_positions", tuple[tuple[AccountId, U64, Tao], ...], (), **_COLDKEY),
    _basket("get_basket_position", optional(_POSITION), None, **_PAIR),
    _basket("get_root_basket_portfolio", many(_POSITION), (), **_COLDKEY),
    _basket("get_beta_pricing", optional(_PRICING), None, **_HOTKEY),
    _basket("get_all_beta_pricing", _PAGE, ((), None), cursor=AccountId | None, limit=U32),
    _basket("get_basket_trading_status", _TRADING, (False, False, 0, 0, 7_200), **_HOTKEY),
    _basket("get_basket_claim_preview", optional(_PREVIEW), None, **_PAIR),
    _basket("get_root_basket_claim_previews", many(_PREVIEW), (), **_COLDKEY),
)

_STAKE: Final = "StakeInfoRuntimeApi"

LOCKS: Final = (
    method(_STAKE, "get_coldkey_lock", optional(LOCK), None, coldkey=AccountId, netuid=NetUid),
    method(_STAKE, "get_hotkey_conviction", U64F64, 0, hotkey=AccountId, netuid=NetUid),
    method(_STAKE, "get_most_convicted_hotkey_on_subnet", AccountId | None, None, netuid=NetUid),
)

_PROXY_TYPE: Final = Struct(
    "subtensor_runtime_common::ProxyTypeInfo", name=bytes, index=U8, deprecated=bool
)
_PROXY_FILTER: Final = Struct(
    "subtensor_runtime_common::ProxyFilterInfo", proxy_type=U8, pallets=tuple[bytes, ...]
)

PROXY_FILTERS: Final = (
    method("ProxyFilterRuntimeApi", "get_proxy_types", many(_PROXY_TYPE), ()),
    method(
        "ProxyFilterRuntimeApi",
        "get_proxy_filters",
        many(_PROXY_FILTER),
        (),
        proxy_type=U8 | None,
    ),
)
