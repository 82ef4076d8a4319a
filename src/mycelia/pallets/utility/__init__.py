"""Several calls as one."""

from mycelia.pallets.utility.pallet import Utility

__all__ = ["Utility"]
