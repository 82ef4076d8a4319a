"""Accounts, block facts and the event log."""

from mycelia.pallets.system.pallet import System
from mycelia.pallets.system.types import AccountData, AccountInfo, EventRecords

__all__ = ["AccountData", "AccountInfo", "EventRecords", "System"]
