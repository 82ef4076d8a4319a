"""The rules of a network, put together: which pallets, under which index, and what each gets from the others.

Start reading here: every call, event and storage item of the chain belongs to one class named in `COMPOSITION`.
"""

from __future__ import annotations

from typing import Final

from mycelia.frame import CallSpec, Pallet, State
from mycelia.pallets.aura import Aura
from mycelia.pallets.balances import Balances
from mycelia.pallets.sudo import Sudo
from mycelia.pallets.sudo.pallet import Dispatcher
from mycelia.pallets.system import System
from mycelia.pallets.timestamp import Timestamp
from mycelia.pallets.transaction_payment import TransactionPayment
from mycelia.runtime.apis import LATE
from mycelia.runtime.composition import Composition

COMPOSITION: Final = Composition(
    (
        (0, (System,)),
        (2, (Timestamp,)),
        (3, (Aura,)),
        (5, (Balances,)),
        (6, (TransactionPayment,)),
        (12, (Sudo,)),
    )
)
COMPOSITION.late.update(LATE)


class _Nowhere:
    def recycled(self, amount: object) -> None:
        pass


class Pallets:
    """The pallets over one state, in the order in which their hooks run."""

    def __init__(self, state: State, *, dispatcher: Dispatcher) -> None:
        sink = _Nowhere()
        self.system = System(state)
        self.timestamp = Timestamp(state)
        self.aura = Aura(state)
        self.balances = Balances(state, accounts=self.system, dust=sink)
        self.payment = TransactionPayment(state, currency=self.balances, sink=sink)
        self.sudo = Sudo(state, dispatcher=dispatcher)
        self.parts: tuple[Pallet, ...] = (
            self.system,
            self.timestamp,
            self.aura,
            self.balances,
            self.payment,
            self.sudo,
        )
        self._owners = {id(spec): part for part in self.parts for spec in part.spec.calls}

    def owner_of(self, spec: CallSpec) -> Pallet:
        """The pallet object that a call runs on."""
        return self._owners[id(spec)]


def build(state: State, *, dispatcher: Dispatcher) -> Pallets:
    """All pallets over one state. `dispatcher` makes calls inside calls."""
    return Pallets(state, dispatcher=dispatcher)
