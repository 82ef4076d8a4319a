"""Absent rows of AdminUtils. The newest clients know calls that the chain read here does not; their indexes are ours.

Source: subtensor@14bc6f9 `pallets/admin-utils/src/lib.rs`; the metadata catalogue of the client SDK 11.3.
"""

from __future__ import annotations

from typing import Final

from mycelia.codec import I64F64, I96F32, U8, U16, U64, U64F64
from mycelia.pallets.subtensor.types import EpochConsensus
from mycelia.primitives import AccountId, BlockNumber, NetUid, Tao
from mycelia.runtime.absent.declare import Absent, blake, call, entries, errors, event
from mycelia.runtime.absent.shapes import Choice, bounded
from mycelia.runtime.absent.subtensor import CONSENSUS_MODE, RECYCLE_OR_BURN

PRECOMPILE: Final = Choice(
    "pallet_admin_utils::pallet::PrecompileEnum",
    "BalanceTransfer Staking Subnet Metagraph Neuron UidLookup Alpha Crowdloan Proxy Leasing "
    "AddressMapping VotingPower",
)
_SUBNET: Final = {"netuid": NetUid}

ADMIN: Final = Absent(
    "AdminUtils",
    19,
    calls=(
        call(0, "swap_authorities", new_authorities=bounded(AccountId)),
        call(1, "sudo_set_default_take", default_take=U16),
        call(18, "sudo_set_activity_cutoff", **_SUBNET, activity_cutoff=U16),
        call(33, "sudo_set_total_issuance", total_issuance=Tao),
        call(39, "sudo_set_rao_recycled", **_SUBNET, rao_recycled=Tao),
        call(55, "sudo_set_dissolve_network_schedule_duration", duration=BlockNumber),
        call(58, "sudo_set_evm_chain_id", chain_id=U64),
        call(
            59,
            "schedule_grandpa_change",
            next_authorities=tuple[tuple[AccountId, U64], ...],
            in_blocks=BlockNumber,
            forced=BlockNumber | None,
        ),
        call(62, "sudo_toggle_evm_precompile", precompile_id=PRECOMPILE, enabled=bool),
        call(63, "sudo_set_subnet_moving_alpha", alpha=I96F32),
        call(65, "sudo_set_ema_price_halving_period", **_SUBNET, ema_halving=U64),
        call(73, "sudo_set_ck_burn", burn=U64),
        call(80, "sudo_set_recycle_or_burn", **_SUBNET, recycle_or_burn=RECYCLE_OR_BURN),
        call(81, "sudo_set_tao_flow_cutoff", flow_cutoff=I64F64),
        call(82, "sudo_set_tao_flow_normalization_exponent", exponent=U64F64),
        call(83, "sudo_set_tao_flow_smoothing_factor", smoothing_factor=U64),
        call(86, "sudo_set_coldkey_swap_announcement_delay", duration=BlockNumber),
        call(87, "sudo_set_coldkey_swap_reannouncement_delay", duration=BlockNumber),
        call(91, "sudo_set_net_tao_flow_enabled", enabled=bool),
        call(95, "sudo_set_owner_cut_auto_lock_enabled", **_SUBNET, enabled=bool),
        call(96, "sudo_set_max_epochs_per_block", max_epochs_per_block=U8),
        call(98, "sudo_set_collateral_lock_share", **_SUBNET, lock_share=U16),
        call(99, "sudo_set_collateral_drain_ratio", **_SUBNET, drain_ratio=U64F64),
        call(100, "sudo_set_epoch_consensus", **_SUBNET, mode=EpochConsensus),
        call(101, "sudo_set_liquid_alpha_consensus_mode", **_SUBNET, mode=CONSENSUS_MODE),
        call(102, "sudo_trim_null_uids_batch", **_SUBNET, target=U16),
        call(103, "sudo_set_emission_bar_quantile", quantile=U64F64),
        call(104, "sudo_set_emission_bar_rank", rank=U16),
        call(105, "sudo_set_emission_gate_exponent", exponent=U64F64),
        call(106, "sudo_set_basket_trading_enabled", enabled=bool),
        call(107, "sudo_set_basket_trading_frozen", hotkey=AccountId, frozen=bool),
        call(108, "sudo_set_basket_daily_turnover_cap", cap=U16),
        call(109, "sudo_set_basket_min_trade_tao", min_trade_rao=U64),
        call(110, "sudo_set_basket_liquidity_cap", cap=U16),
        call(111, "sudo_set_basket_concentration_cap", cap=U16),
        call(
            112,
            "sudo_set_basket_claim_dust",
            row_cap_rao=U64,
            row_bps=U16,
            slice_rao=U64,
            forfeit_cap_rao=U64,
        ),
    ),
    events=(event(0, "PrecompileUpdated", precompile_id=PRECOMPILE, enabled=bool),),
    errors=errors(
        {
            13: "Deprecated",
            14: "CollateralLockShareTooHigh",
            15: "CollateralDrainRatioOutOfBounds",
            16: "GrandpaChangeDelayMustBeZero",
        }
    ),
    entries=(entries("PrecompileEnable", bool, blake(PRECOMPILE), default=True),),
)
