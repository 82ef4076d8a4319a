"""Which choices of rules a network was started with."""

from mycelia.pallets.network.pallet import Network, NetworkRules

__all__ = ["Network", "NetworkRules"]
