"""The first state of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mycelia.primitives import AccountId, Tao
from mycelia.runtime.rules import Rules

if TYPE_CHECKING:
    from mycelia.runtime.compose import Pallets


@dataclass(frozen=True)
class GenesisConfig:
    """What a network starts with.

    Units: balances in rao. `sudo` None starts a network that nobody operates.
    """

    balances: Mapping[AccountId, Tao] = field(default_factory=dict)
    sudo: AccountId | None = None
    authorities: tuple[AccountId, ...] = ()


def apply_genesis(pallets: Pallets, config: GenesisConfig, rules: Rules) -> None:
    """Lay the first state, pallet by pallet."""
    pallets.rules.genesis(rules.slot_ms)
    pallets.balances.genesis(dict(config.balances))
    pallets.issuance.genesis(pallets.balances.total_issuance)
    pallets.subnets.genesis()
    pallets.sudo.key = config.sudo
    pallets.aura.authorities = tuple(bytes(key) for key in config.authorities)
