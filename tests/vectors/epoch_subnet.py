"""The state around one subnet's epochs, as little of it as the kernels need: what a vector file
plays on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mycelia.pallets.subtensor.epoch import (
    YUMA2,
    EpochInput,
    EpochOutput,
    EpochParameters,
    EpochRules,
    SparseRow,
    pairs_of,
)

Kernel = Callable[[EpochInput], EpochOutput]


@dataclass
class Subnet:
    """Neurons with stake, weights and bonds; carries permits and bonds from one epoch to the
    next.
    """

    stakes: list[int]
    registered_at: list[int]
    parameters: EpochParameters
    owner: int | None = None
    permits: list[bool] = field(default_factory=list)
    last_updates: list[int] = field(default_factory=list)
    weights: dict[int, SparseRow] = field(default_factory=dict)
    bonds: dict[int, SparseRow] = field(default_factory=dict)
    block: int = 0
    rules: EpochRules = YUMA2

    def __post_init__(self) -> None:
        self.permits = self.permits or [False] * len(self.stakes)
        self.last_updates = self.last_updates or list(self.registered_at)

    @classmethod
    def of(cls, scenario: Mapping[str, Any]) -> Subnet:
        """The subnet a scenario of a vector file starts from."""
        stakes = list(scenario["stakes"])
        return cls(
            stakes=stakes,
            registered_at=[scenario["registered_at"]] * len(stakes),
            parameters=EpochParameters(
                tempo_blocks=scenario["tempo"], max_validators=scenario.get("max_validators", 128)
            ),
            owner=scenario.get("owner"),
            permits=list(scenario.get("permits", ())),
        )

    def set_weights(self, uid: int, row: Sequence[Sequence[int]]) -> None:
        """As the call stores them, at the current block."""
        self.weights[uid] = tuple((j, w) for j, w in row)
        self.last_updates[uid] = self.block

    def replace(self, uid: int) -> None:
        """Hand the uid to a new neuron without stake, at the current block."""
        self.stakes[uid] = 0
        self.permits[uid] = False
        self.registered_at[uid] = self.last_updates[uid] = self.block
        self.weights.pop(uid, None)
        self.bonds.pop(uid, None)
        for i, row in self.weights.items():
            self.weights[i] = tuple((j, 0 if j == uid else w) for j, w in pairs_of(row))

    def reset_bonds(self, uid: int) -> None:
        """Drop everybody's bonds on the uid."""
        for i, row in self.bonds.items():
            self.bonds[i] = tuple((j, b) for j, b in pairs_of(row) if j != uid)

    def snapshot(self, emission_rao: int = 10**9) -> EpochInput:
        """What an epoch at the current block reads."""
        return EpochInput(
            block=self.block,
            last_step_block=0,
            emission_rao=emission_rao,
            stakes_q64=[stake << 64 for stake in self.stakes],
            last_updates=self.last_updates,
            registered_at=self.registered_at,
            permits=self.permits,
            weights=self.weights,
            bonds=self.bonds,
            owner_uid=self.owner,
            parameters=self.parameters,
            rules=self.rules,
        )

    def run_epoch(self, kernel: Kernel) -> EpochOutput:
        """Run the kernel and keep what it hands on to the next epoch."""
        outcome = kernel(self.snapshot())
        self.permits = list(outcome.permits)
        self.bonds = dict(outcome.bonds)
        return outcome
