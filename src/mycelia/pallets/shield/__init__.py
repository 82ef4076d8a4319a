"""Extrinsics that are secret until they are in a block."""

from mycelia.pallets.shield.pallet import MevShield

__all__ = ["MevShield"]
