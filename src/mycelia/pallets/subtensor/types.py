"""Values that SubtensorModule stores and shows. Paths and field order are the chain's.

Source: subtensor@14bc6f9 `pallets/subtensor/src/lib.rs`, `primitives/share-pool/src/lib.rs`.
"""

from __future__ import annotations

from mycelia.codec import I64, U8, U16, U32, U64, U128, BoundedBytes, Bytes, Enumeration, Record
from mycelia.primitives import AccountId, NetUid


class AxonInfo(Record, path="pallet_subtensor::pallet::AxonInfo"):
    """Where a neuron answers requests. `ip` is the address as a number, `ip_type` 4 or 6."""

    block: U64 = U64(0)
    version: U32 = U32(0)
    ip: U128 = U128(0)
    port: U16 = U16(0)
    ip_type: U8 = U8(0)
    protocol: U8 = U8(0)
    placeholder1: U8 = U8(0)
    placeholder2: U8 = U8(0)


class PrometheusInfo(Record, path="pallet_subtensor::pallet::PrometheusInfo"):
    """Where a neuron shows its metrics."""

    block: U64 = U64(0)
    version: U32 = U32(0)
    ip: U128 = U128(0)
    port: U16 = U16(0)
    ip_type: U8 = U8(0)


class NeuronCertificate(Record, path="pallet_subtensor::pallet::NeuronCertificate"):
    """The public key that a neuron's TLS endpoint shows: at most 64 bytes, and the algorithm it is for."""

    public_key: BoundedBytes
    algorithm: U8


class ChainIdentityV2(Record, path="pallet_subtensor::pallet::ChainIdentityV2"):
    """Who a coldkey says it is. UTF-8 text."""

    name: Bytes
    url: Bytes
    github_repo: Bytes
    image: Bytes
    discord: Bytes
    description: Bytes
    additional: Bytes


class SubnetIdentityV3(Record, path="pallet_subtensor::pallet::SubnetIdentityV3"):
    """What a subnet's owner says of it. UTF-8 text."""

    subnet_name: Bytes
    github_repo: Bytes
    subnet_contact: Bytes
    subnet_url: Bytes
    discord: Bytes
    description: Bytes
    logo_url: Bytes
    additional: Bytes


class SafeFloat(Record, path="share_pool::SafeFloat"):
    """A decimal number of 21 digits: mantissa * 10^exponent. See `staking.shares`."""

    mantissa: U128 = U128(0)
    exponent: I64 = I64(0)


class EpochConsensus(Enumeration, path="pallet_subtensor::pallet::EpochConsensus"):
    """Which rule turns a subnet's weights into pay."""


class Yuma(EpochConsensus, index=0):
    """Yuma consensus of all validators with a permit."""


class Null(EpochConsensus, index=1):
    """One validator decides alone."""


class ParameterId(Enumeration, path="pallet_subtensor::utils::rate_limiting::Hyperparameter"):
    """Which parameter of a subnet its owner changed: each has its own rate limit."""


class RateLimitKey(Enumeration, path="pallet_subtensor::RateLimitKey"):
    """What a rate limit is about."""


class SetSNOwnerHotkey(RateLimitKey, index=0, tuple_like=True):
    """Naming a subnet's owner hotkey."""

    netuid: NetUid


class OwnerHyperparamUpdate(RateLimitKey, index=1, tuple_like=True):
    """An owner changing one parameter of a subnet."""

    netuid: NetUid
    parameter: ParameterId


class NetworkLastRegistered(RateLimitKey, index=2):
    """Creating a subnet."""


class LastTxBlock(RateLimitKey, index=3, tuple_like=True):
    """A key's last limited transaction."""

    account: AccountId


class LastTxBlockChildKeyTake(RateLimitKey, index=4, tuple_like=True):
    """Changing a childkey's take."""

    account: AccountId


class LastTxBlockDelegateTake(RateLimitKey, index=5, tuple_like=True):
    """Changing a delegate's take."""

    account: AccountId


class AddStakeBurn(RateLimitKey, index=6, tuple_like=True):
    """Buying alpha to burn it."""

    netuid: NetUid


# Names of the cases of `ParameterId` in the order of their indexes, as the chain spells them.
_PARAMETERS = (
    "Unknown",
    "ServingRateLimit",
    "MaxDifficulty",
    "AdjustmentAlpha",
    "MaxWeightLimit",
    "ImmunityPeriod",
    "MinAllowedWeights",
    "Kappa",
    "Rho",
    "ActivityCutoff",
    "PowRegistrationAllowed",
    "MinBurn",
    "MaxBurn",
    "BondsMovingAverage",
    "BondsPenalty",
    "CommitRevealEnabled",
    "LiquidAlphaEnabled",
    "AlphaValues",
    "WeightCommitInterval",
    "TransferEnabled",
    "AlphaSigmoidSteepness",
    "Yuma3Enabled",
    "BondsResetEnabled",
    "ImmuneNeuronLimit",
    "RecycleOrBurn",
    "MaxAllowedUids",
    "BurnHalfLife",
    "BurnIncreaseMult",
    "SubnetEmissionEnabled",
    "MinChildkeyTake",
    "ActivityCutoffFactorMilli",
    "TriggerEpoch",
)
for _index, _name in enumerate(_PARAMETERS):
    type(_name, (ParameterId,), {"__doc__": None}, index=_index)


def parameter_id(name: str) -> ParameterId:
    """The case with this name."""
    case: type[ParameterId] = ParameterId.cases[_PARAMETERS.index(name)]
    return case()
