"""The whole table of absent things: by pallet, and runtime APIs."""

from __future__ import annotations

from typing import Final

from mycelia.runtime.absent.admin import ADMIN
from mycelia.runtime.absent.apis import BASKETS, LOCKS, PROXY_FILTERS
from mycelia.runtime.absent.declare import Absent, AbsentView
from mycelia.runtime.absent.ethereum import ETHEREAL
from mycelia.runtime.absent.neighbours import NEIGHBOURS
from mycelia.runtime.absent.shield import MEV_SHIELD
from mycelia.runtime.absent.substrate import SUBSTRATE
from mycelia.runtime.absent.subtensor import SUBTENSOR
from mycelia.runtime.absent.utility import UTILITY

ABSENT: Final[tuple[Absent, ...]] = (
    *SUBSTRATE,
    *ETHEREAL,
    SUBTENSOR,
    ADMIN,
    UTILITY,
    MEV_SHIELD,
    *NEIGHBOURS,
)
ABSENT_APIS: Final[tuple[AbsentView, ...]] = (*BASKETS, *LOCKS, *PROXY_FILTERS)
