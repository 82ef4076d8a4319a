"""Keys and values by height: the overlay a block works on, the stores below it, the root above it.

`mycelia.state.lmdb` is imported by who opens a store on disk; the rules never need it.
"""

from mycelia.state.errors import StateDiscarded, StoreError, UnknownHeight
from mycelia.state.memory import MemoryStore
from mycelia.state.overlay import Codec, DecodedCache, Overlay
from mycelia.state.root import Accumulators, recompute, state_root, values_before
from mycelia.state.store import BEFORE_GENESIS, HISTORY_BLOCKS, ReadView, Store

__all__ = [
    "BEFORE_GENESIS",
    "HISTORY_BLOCKS",
    "Accumulators",
    "Codec",
    "DecodedCache",
    "MemoryStore",
    "Overlay",
    "ReadView",
    "StateDiscarded",
    "Store",
    "StoreError",
    "UnknownHeight",
    "recompute",
    "state_root",
    "values_before",
]
