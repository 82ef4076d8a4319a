"""What SubtensorModule tells. Indexes, names and the order of fields are the chain's.

Events about a parameter are declared beside the parameter, see `hyperparameters`.
Source: subtensor@14bc6f9 `macros/events.rs`.
"""

from __future__ import annotations

from mycelia.codec import U16, U64, Bytes
from mycelia.frame import Event
from mycelia.primitives import AccountId, Alpha, NetUid, Tao, Uid


class NetworkAdded(Event, index=0, tuple_like=True):
    """A subnet was created."""

    netuid: NetUid
    mechanism: U16


class NetworkRemoved(Event, index=1, tuple_like=True):
    """A subnet was dissolved."""

    netuid: NetUid


class StakeAdded(Event, index=2, tuple_like=True):
    """TAO was staked; `fee` came out of it."""

    coldkey: AccountId
    hotkey: AccountId
    tao: Tao
    alpha: Alpha
    netuid: NetUid
    fee: U64


class StakeRemoved(Event, index=3, tuple_like=True):
    """Alpha was sold; `fee`, in alpha, came on top of it."""

    coldkey: AccountId
    hotkey: AccountId
    tao: Tao
    alpha: Alpha
    netuid: NetUid
    fee: U64


class WeightsSet(Event, index=5, tuple_like=True):
    """A validator set its weights; `index` is the netuid plus 4096 per mechanism."""

    index_: U16
    uid: Uid


class NeuronRegistered(Event, index=6, tuple_like=True):
    """A hotkey got a slot on a subnet."""

    netuid: NetUid
    uid: Uid
    hotkey: AccountId


class AxonServed(Event, index=28, tuple_like=True):
    """A neuron announced where it answers."""

    netuid: NetUid
    hotkey: AccountId


class PrometheusServed(Event, index=29, tuple_like=True):
    """A neuron announced where its metrics are."""

    netuid: NetUid
    hotkey: AccountId


class TakeDecreased(Event, index=64, tuple_like=True):
    """A delegate takes less from its nominators."""

    coldkey: AccountId
    hotkey: AccountId
    take: U16


class TakeIncreased(Event, index=65, tuple_like=True):
    """A delegate takes more from its nominators."""

    coldkey: AccountId
    hotkey: AccountId
    take: U16


class ChainIdentitySet(Event, index=77, tuple_like=True):
    """A coldkey published who it is."""

    coldkey: AccountId


class SubnetIdentitySet(Event, index=78, tuple_like=True):
    """A subnet's owner published what it is."""

    netuid: NetUid


class SubnetIdentityRemoved(Event, index=79, tuple_like=True):
    """What a subnet's owner had published went with the subnet."""

    netuid: NetUid


class SubnetOwnerHotkeySet(Event, index=94, tuple_like=True):
    """A subnet's owner named its hotkey."""

    netuid: NetUid
    hotkey: AccountId


class FirstEmissionBlockNumberSet(Event, index=95, tuple_like=True):
    """A subnet was started; emission begins at the block."""

    netuid: NetUid
    block: U64


class SymbolUpdated(Event, index=105):
    """A subnet's token got another symbol."""

    netuid: NetUid
    symbol: Bytes


ALL = (
    NetworkAdded,
    NetworkRemoved,
    StakeAdded,
    StakeRemoved,
    WeightsSet,
    NeuronRegistered,
    AxonServed,
    PrometheusServed,
    TakeDecreased,
    TakeIncreased,
    ChainIdentitySet,
    SubnetIdentitySet,
    SubnetIdentityRemoved,
    SubnetOwnerHotkeySet,
    FirstEmissionBlockNumberSet,
    SymbolUpdated,
)
"""What SubtensorModule may tell; its lowest part declares them for the others."""
