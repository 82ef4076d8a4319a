"""Which choices of rules a network was started with.

Part of the state, so two networks with different ones differ from their first block on, and clients that cache by
genesis hash never mix them up.
"""

from __future__ import annotations

from mycelia.codec import U64, Record
from mycelia.frame import Error, OptionalValue, Pallet, State


class NotProvided(Error, index=0):
    """This network has no rules for the call: docs/absent.md lists such calls. Nothing was changed."""


class NetworkRules(Record, path="mycelia::NetworkRules"):
    """Choices of rules, see `runtime.rules`. `slot_ms` is the time between blocks in milliseconds."""

    slot_ms: U64 = U64(12_000)
    has_modular_epochs: bool = False
    is_fast: bool = False


class Network(Pallet, name="Network"):
    """Which choices of rules this network was started with."""

    errors = (NotProvided,)

    rules = OptionalValue(NetworkRules, doc="Choices of rules, fixed at genesis.")

    def __init__(self, state: State) -> None:
        super().__init__(state)

    def genesis(self, rules: NetworkRules) -> None:
        """Fix the choices."""
        self.rules = rules

    def has_modular_epochs(self) -> bool:
        """Whether epochs follow from the height and the netuid alone."""
        return self.rules is not None and self.rules.has_modular_epochs

    def is_fast(self) -> bool:
        """Whether tempos and waits are those of a local network."""
        return self.rules is not None and self.rules.is_fast
