"""Drand: the rounds of a public beacon, checked and kept."""

from mycelia.pallets.drand.pallet import Drand
from mycelia.pallets.drand.types import QUICKNET, BeaconConfiguration, Pulse

__all__ = ["QUICKNET", "BeaconConfiguration", "Drand", "Pulse"]
