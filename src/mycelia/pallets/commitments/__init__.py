"""What neurons publish about themselves."""

from mycelia.pallets.commitments.pallet import Commitments
from mycelia.pallets.commitments.types import CommitmentInfo, Data, Raw

__all__ = ["CommitmentInfo", "Commitments", "Data", "Raw"]
