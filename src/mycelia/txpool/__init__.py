"""The pool of extrinsics that wait for a block. No sockets, no clock, no view of the state."""

from mycelia.txpool.errors import AlreadyImported, PoolFull, PriorityTooLow
from mycelia.txpool.pool import Change, Entry, Limits, Pool, Status

__all__ = [
    "AlreadyImported",
    "Change",
    "Entry",
    "Limits",
    "Pool",
    "PoolFull",
    "PriorityTooLow",
    "Status",
]
