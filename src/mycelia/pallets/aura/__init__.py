"""Slots and who may author."""

from mycelia.pallets.aura.pallet import Aura

__all__ = ["Aura"]
