"""SubtensorModule, split by subject. Parts are listed low to high: a part knows only those before it.

See `assembly` for the list.
"""

from mycelia.pallets.subtensor.assembly import ADMIN_PARTS, PARTS, Subtensor, assemble
from mycelia.pallets.subtensor.subnets.issuance import Issuance

__all__ = ["ADMIN_PARTS", "PARTS", "Issuance", "Subtensor", "assemble"]
