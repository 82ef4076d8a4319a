"""What clients are shown. Names, order and types of fields are the chain's.

Compact fields keep answers small; names and symbols are lists of compact bytes, as clients expect.
Source: subtensor@14bc6f9 `rpc_info/*.rs`.
"""

from __future__ import annotations

from mycelia.codec import (
    I32F32,
    I96F32,
    U8,
    U16,
    U32,
    U64,
    U64F64,
    U128,
    Bytes,
    Compact,
    Enumeration,
    Record,
)
from mycelia.pallets.subtensor.types import (
    AxonInfo,
    ChainIdentityV2,
    PrometheusInfo,
    SubnetIdentityV3,
)
from mycelia.primitives import AccountId, Alpha, NetUid, Tao

Text = tuple[Compact[U8], ...]


def text(raw: bytes) -> Text:
    """Bytes as clients expect names and symbols."""
    return tuple(U8(byte) for byte in raw)


class Metagraph(Record, path="pallet_subtensor::rpc_info::metagraph::Metagraph"):
    """All of a subnet: its parameters, then one column per neuron attribute, by uid."""

    netuid: Compact[NetUid]
    name: Text
    symbol: Text
    identity: SubnetIdentityV3 | None
    network_registered_at: Compact[U64]
    owner_hotkey: AccountId
    owner_coldkey: AccountId
    block: Compact[U64]
    tempo: Compact[U16]
    last_step: Compact[U64]
    blocks_since_last_step: Compact[U64]
    subnet_emission: Compact[U64]
    alpha_in: Compact[Alpha]
    alpha_out: Compact[Alpha]
    tao_in: Compact[Tao]
    alpha_out_emission: Compact[Alpha]
    alpha_in_emission: Compact[Alpha]
    tao_in_emission: Compact[Tao]
    pending_alpha_emission: Compact[Alpha]
    pending_root_emission: Compact[Tao]
    subnet_volume: Compact[U128]
    moving_price: I96F32
    rho: Compact[U16]
    kappa: Compact[U16]
    min_allowed_weights: Compact[U16]
    max_weights_limit: Compact[U16]
    weights_version: Compact[U64]
    weights_rate_limit: Compact[U64]
    activity_cutoff: Compact[U64]
    max_validators: Compact[U16]
    num_uids: Compact[U16]
    max_uids: Compact[U16]
    burn: Compact[Tao]
    difficulty: Compact[U64]
    registration_allowed: bool
    pow_registration_allowed: bool
    immunity_period: Compact[U16]
    min_difficulty: Compact[U64]
    max_difficulty: Compact[U64]
    min_burn: Compact[Tao]
    max_burn: Compact[Tao]
    adjustment_alpha: Compact[U64]
    adjustment_interval: Compact[U16]
    target_regs_per_interval: Compact[U16]
    max_regs_per_block: Compact[U16]
    serving_rate_limit: Compact[U64]
    commit_reveal_weights_enabled: bool
    commit_reveal_period: Compact[U64]
    liquid_alpha_enabled: bool
    alpha_high: Compact[U16]
    alpha_low: Compact[U16]
    bonds_moving_avg: Compact[U64]
    hotkeys: tuple[AccountId, ...]
    coldkeys: tuple[AccountId, ...]
    identities: tuple[ChainIdentityV2 | None, ...]
    axons: tuple[AxonInfo, ...]
    active: tuple[bool, ...]
    validator_permit: tuple[bool, ...]
    pruning_score: tuple[Compact[U16], ...]
    last_update: tuple[Compact[U64], ...]
    emission: tuple[Compact[Alpha], ...]
    dividends: tuple[Compact[U16], ...]
    incentives: tuple[Compact[U16], ...]
    consensus: tuple[Compact[U16], ...]
    trust: tuple[Compact[U16], ...]
    rank: tuple[Compact[U16], ...]
    block_at_registration: tuple[Compact[U64], ...]
    alpha_stake: tuple[Compact[Alpha], ...]
    tao_stake: tuple[Compact[Tao], ...]
    total_stake: tuple[Compact[Tao], ...]
    tao_dividends_per_hotkey: tuple[tuple[AccountId, Compact[Tao]], ...]
    alpha_dividends_per_hotkey: tuple[tuple[AccountId, Compact[Alpha]], ...]


class DynamicInfo(Record, path="pallet_subtensor::rpc_info::dynamic_info::DynamicInfo"):
    """A subnet's pool and pay."""

    netuid: Compact[NetUid]
    owner_hotkey: AccountId
    owner_coldkey: AccountId
    subnet_name: Text
    token_symbol: Text
    tempo: Compact[U16]
    last_step: Compact[U64]
    blocks_since_last_step: Compact[U64]
    emission: Compact[U64]
    alpha_in: Compact[Alpha]
    alpha_out: Compact[Alpha]
    tao_in: Compact[Tao]
    alpha_out_emission: Compact[Alpha]
    alpha_in_emission: Compact[Alpha]
    tao_in_emission: Compact[Tao]
    pending_alpha_emission: Compact[Alpha]
    pending_root_emission: Compact[Tao]
    subnet_volume: Compact[U128]
    network_registered_at: Compact[U64]
    subnet_identity: SubnetIdentityV3 | None
    moving_price: I96F32


class HyperparamValue(Enumeration, path="pallet_subtensor::rpc_info::subnet_info::HyperparamValue"):
    """A parameter's value with its type."""


class BoolValue(HyperparamValue, index=0, name="Bool", tuple_like=True):
    """Yes or no."""

    value: bool


class U16Value(HyperparamValue, index=1, name="U16", tuple_like=True):
    """A share or a count."""

    value: Compact[U16]


class U32Value(HyperparamValue, index=2, name="U32", tuple_like=True):
    """A count."""

    value: Compact[U32]


class U64Value(HyperparamValue, index=3, name="U64", tuple_like=True):
    """A count."""

    value: Compact[U64]


class U128Value(HyperparamValue, index=4, name="U128", tuple_like=True):
    """A count."""

    value: Compact[U128]


class TaoValue(HyperparamValue, index=5, name="TaoBalance", tuple_like=True):
    """An amount in rao."""

    value: Compact[Tao]


class I32F32Value(HyperparamValue, index=6, name="I32F32", tuple_like=True):
    """A number with 32 fraction bits."""

    value: I32F32


class U64F64Value(HyperparamValue, index=7, name="U64F64", tuple_like=True):
    """A number with 64 fraction bits."""

    value: U64F64


class HyperparamEntry(Record, path="pallet_subtensor::rpc_info::subnet_info::HyperparamEntry"):
    """A parameter of a subnet."""

    name: Bytes
    value: HyperparamValue


class NeuronInfoLite(Record, path="pallet_subtensor::rpc_info::neuron_info::NeuronInfoLite"):
    """A neuron, without its weights and bonds. Rank, trust and pruning score are no longer computed."""

    hotkey: AccountId
    coldkey: AccountId
    uid: Compact[U16]
    netuid: Compact[NetUid]
    active: bool
    axon_info: AxonInfo
    prometheus_info: PrometheusInfo
    stake: tuple[tuple[AccountId, Compact[Alpha]], ...]
    rank: Compact[U16]
    emission: Compact[Alpha]
    incentive: Compact[U16]
    consensus: Compact[U16]
    trust: Compact[U16]
    validator_trust: Compact[U16]
    dividends: Compact[U16]
    last_update: Compact[U64]
    validator_permit: bool
    pruning_score: Compact[U16]


class NeuronInfo(Record, path="pallet_subtensor::rpc_info::neuron_info::NeuronInfo"):
    """A neuron with its weights and bonds as (uid, 0..65535)."""

    hotkey: AccountId
    coldkey: AccountId
    uid: Compact[U16]
    netuid: Compact[NetUid]
    active: bool
    axon_info: AxonInfo
    prometheus_info: PrometheusInfo
    stake: tuple[tuple[AccountId, Compact[Alpha]], ...]
    rank: Compact[U16]
    emission: Compact[Alpha]
    incentive: Compact[U16]
    consensus: Compact[U16]
    trust: Compact[U16]
    validator_trust: Compact[U16]
    dividends: Compact[U16]
    last_update: Compact[U64]
    validator_permit: bool
    weights: tuple[tuple[Compact[U16], Compact[U16]], ...]
    bonds: tuple[tuple[Compact[U16], Compact[U16]], ...]
    pruning_score: Compact[U16]


class StakeInfo(Record, path="pallet_subtensor::rpc_info::stake_info::StakeInfo"):
    """One position. `locked`, `tao_emission` and `drain` are always 0."""

    hotkey: AccountId
    coldkey: AccountId
    netuid: Compact[NetUid]
    stake: Compact[Alpha]
    locked: Compact[U64]
    emission: Compact[Alpha]
    tao_emission: Compact[Tao]
    drain: Compact[U64]
    is_registered: bool


class StakeAvailability(Record, path="pallet_subtensor::rpc_info::stake_info::StakeAvailability"):
    """A coldkey's stake on a subnet, and how much of it may be unstaked: all, nothing is locked."""

    total: Compact[Alpha]
    locked: Compact[Alpha]
    available: Compact[Alpha]


class DelegateInfo(Record, path="pallet_subtensor::rpc_info::delegate_info::DelegateInfo"):
    """A hotkey that accepts nominators."""

    delegate_ss58: AccountId
    take: Compact[U16]
    nominators: tuple[tuple[AccountId, tuple[tuple[Compact[NetUid], Compact[U64]], ...]], ...]
    owner_ss58: AccountId
    registrations: tuple[Compact[NetUid], ...]
    validator_permits: tuple[Compact[NetUid], ...]
    return_per_1000: Compact[U64]
    total_daily_return: Compact[U64]
