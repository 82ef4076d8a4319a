"""The operator's key."""

from mycelia.pallets.sudo.pallet import Sudo

__all__ = ["Sudo"]
