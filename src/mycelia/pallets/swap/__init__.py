"""Swap: each subnet's pool of TAO and alpha."""

from mycelia.pallets.swap.pallet import Swap

__all__ = ["Swap"]
