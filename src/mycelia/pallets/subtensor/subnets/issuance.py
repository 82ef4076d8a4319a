"""How much TAO there is, as SubtensorModule counts it: what was minted less what was recycled.

Terms: *recycled* - taken out of existence, to be minted again; *burned* - kept on an account nobody can sign for.
"""

from __future__ import annotations

from mycelia.frame import Pallet, State, Value
from mycelia.pallets.subtensor import errors, events
from mycelia.primitives import Tao


class Issuance(Pallet, name="SubtensorModule"):
    """Subnets, their neurons, their pay."""

    events = events.ALL
    errors = errors.ALL

    total_issuance = Value(
        Tao, default=Tao(0), doc="TAO that exists, in rao: minted less recycled."
    )

    def __init__(self, state: State) -> None:
        super().__init__(state)

    def genesis(self, issued: Tao) -> None:
        """Count what the first accounts hold."""
        self.total_issuance = issued

    def minted(self, amount: Tao) -> None:
        """TAO came into existence."""
        self.total_issuance = Tao(self.total_issuance + amount)

    def recycled(self, amount: Tao) -> None:
        """TAO went out of existence."""
        self.total_issuance = Tao(self.total_issuance - amount)
