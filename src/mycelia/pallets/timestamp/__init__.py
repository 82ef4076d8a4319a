"""The time of a block."""

from mycelia.pallets.timestamp.pallet import Timestamp

__all__ = ["Timestamp"]
