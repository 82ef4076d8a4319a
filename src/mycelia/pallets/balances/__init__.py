"""TAO on accounts."""

from mycelia.pallets.balances.pallet import Balances

__all__ = ["Balances"]
