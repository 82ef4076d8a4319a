"""The first state of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mycelia.codec import U8, U16, U64
from mycelia.pallets.drand import BeaconConfiguration
from mycelia.pallets.network.pallet import NetworkRules
from mycelia.pallets.subtensor.children.pallet import FAST_TAKE_LIMIT_BLOCKS
from mycelia.pallets.subtensor.subnets.kernel import subnet_account
from mycelia.pallets.subtensor.subnets.pallet import FAST_TEMPO, NOBODY
from mycelia.primitives import AccountId, Alpha, NetUid, Tao
from mycelia.runtime.compose import Pallets
from mycelia.runtime.rules import Rules

FIRST_SUBNET: Final = NetUid(1)
FIRST_POOL_RAO: Final = 10 * 10**9
FIRST_STAKE_RAO: Final = 10**9
FAST_EPOCHS_PER_BLOCK: Final = U8(32)
FAST_CONSTANTS: Final[Mapping[tuple[str, str], Any]] = {
    ("SubtensorModule", "InitialTempo"): FAST_TEMPO,
    ("SubtensorModule", "InitialMaxEpochsPerBlock"): FAST_EPOCHS_PER_BLOCK,
    ("SubtensorModule", "InitialTxChildKeyTakeRateLimit"): FAST_TAKE_LIMIT_BLOCKS,
    ("SubtensorModule", "InitialColdkeySwapAnnouncementDelay"): 50,
    ("SubtensorModule", "InitialColdkeySwapReannouncementDelay"): 10,
    ("SubtensorModule", "HotkeySwapOnSubnetInterval"): 1,
    ("Crowdloan", "MinimumBlockDuration"): 50,
    ("Crowdloan", "MaximumBlockDuration"): 20_000,
}
"""What clients of a fast network read instead, by pallet and name, as on the official local network."""


@dataclass(frozen=True)
class GenesisConfig:
    """What a network starts with.

    Units: balances in rao. `sudo` None starts a network that nobody operates. `has_first_subnet` lays subnet 1 as the
    official local network does: owned by nobody, with a pool of 10 TAO and 10 alpha; `has_open_creation` lets
    subnets be created in every block. `root_owner` is the coldkey and hotkey that own the root network. `beacon` is the
    one whose rounds are believed instead of quicknet's.
    """

    balances: Mapping[AccountId, Tao] = field(default_factory=dict)
    sudo: AccountId | None = None
    authorities: tuple[AccountId, ...] = ()
    root_owner: tuple[AccountId, AccountId] | None = None
    has_first_subnet: bool = False
    has_open_creation: bool = False
    beacon: BeaconConfiguration | None = None


def apply_genesis(pallets: Pallets, config: GenesisConfig, rules: Rules) -> None:
    """Lay the first state, pallet by pallet."""
    pallets.rules.genesis(NetworkRules(U64(rules.slot_ms), rules.has_modular_epochs, rules.is_fast))
    pallets.balances.genesis(dict(config.balances))
    pallets.issuance.genesis(pallets.balances.total_issuance)
    pallets.subnets.genesis(*(config.root_owner or ()))
    pallets.children.genesis()
    if config.beacon is not None:
        pallets.drand.beacon_config = config.beacon
    if config.has_first_subnet:
        _lay_first_subnet(pallets)
    if config.has_open_creation:
        pallets.network.network_rate_limit = U64(0)
    if rules.is_fast:
        pallets.schedule.max_epochs_per_block = FAST_EPOCHS_PER_BLOCK
        # With a tempo of 10 the default window of 10 blocks would never open; users there set it to 0 first.
        pallets.network.admin_freeze_window = U16(0)
    pallets.sudo.key = config.sudo
    pallets.aura.authorities = tuple(bytes(key) for key in config.authorities)


def _lay_first_subnet(pallets: Pallets) -> None:
    """Subnet 1 of the official local network: not started; the account of 32 zero bytes owns it and sits in slot 0.

    Source: subtensor@14bc6f9 `pallets/subtensor/src/macros/genesis.rs`.
    Differs: the TAO of its pool is on its account, so that the pool can be traded against.
    """
    netuid = FIRST_SUBNET
    pallets.subnets.found(netuid, NOBODY, tempo=U16(100), min_allowed_weights=U16(0))
    pallets.balances.credit(subnet_account(netuid), Tao(FIRST_POOL_RAO))
    pallets.issuance.minted(Tao(FIRST_POOL_RAO))
    pallets.pools.open(netuid, Tao(FIRST_POOL_RAO), Alpha(FIRST_POOL_RAO))
    pallets.pools.issue(netuid, Alpha(FIRST_STAKE_RAO))
    pallets.stakes.claim(NOBODY, NOBODY)
    pallets.stakes.increase(NOBODY, NOBODY, netuid, Alpha(FIRST_STAKE_RAO))
    pallets.registration.open(netuid, NOBODY, pallets.registration.burn[netuid])
