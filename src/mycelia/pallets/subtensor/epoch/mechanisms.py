"""Mechanisms: contests among the same neurons of a subnet, each with weights, bonds and incentives of its own.

Every mechanism runs its own epoch over its part of the subnet's emission. What a neuron earns in them
adds up. What there is once per subnet - consensus, dividends, trust, emission as shown - is the sum over
the mechanisms, weighed by their parts; activity and permits are held by whoever holds them in any.

Terms: *part* - what of an epoch's emission one mechanism hands out; *split* - the parts' shares, which
add up to 65535, in the order of mechanisms.
Source: subtensor@14bc6f9 `subnets/mechanism.rs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from mycelia.codec import U8, U16
from mycelia.frame import OptionalMap, Pallet, State, Twox64Concat
from mycelia.pallets.subtensor.epoch.results import storage_index
from mycelia.pallets.subtensor.epoch.types import EpochOutput, SubnetOutcome
from mycelia.pallets.subtensor.hyperparameters.table import Hyperparameters
from mycelia.primitives import Alpha, NetUid
from mycelia.primitives.fixed import ONE_Q64, U16_MAX, U64_MAX

MAX_MECHANISMS: Final = 16
"""With more, storage indexes would not fit into 16 bits."""


class Mechanisms(Pallet, name="SubtensorModule"):
    """How many mechanisms a subnet has, and what part of its emission each hands out."""

    # Twox64Concat: as the compatible chain has it; netuids are handed out by the chain.
    mechanism_emission_split = OptionalMap(
        NetUid,
        tuple[U16, ...],
        hasher=Twox64Concat,
        doc="Shares of the subnet's mechanisms in its emission; equal when missing.",
    )

    parameters: Hyperparameters

    def __init__(self, state: State, *, parameters: Hyperparameters) -> None:
        super().__init__(state, parameters=parameters)

    def count(self, netuid: NetUid) -> int:
        """How many mechanisms the subnet has: at least one."""
        return self.parameters.mechanism_count_current[netuid]

    def indexes(self, netuid: NetUid) -> list[int]:
        """The storage indexes of the subnet's mechanisms, in order."""
        return [storage_index(netuid, each) for each in range(self.count(netuid))]

    def parts(self, netuid: NetUid, emission: Alpha) -> list[Alpha]:
        """The emission parted among the mechanisms, to the rao."""
        parts = parted(emission, self.count(netuid), self.mechanism_emission_split[netuid])
        return [Alpha(rao) for rao in parts]

    def set_count(self, netuid: NetUid, count: U8) -> None:
        """Run so many mechanisms from now on, in equal parts."""
        self.parameters.mechanism_count_current[netuid] = count
        del self.mechanism_emission_split[netuid]

    def set_split(self, netuid: NetUid, split: tuple[U16, ...] | None) -> None:
        """Part the emission by these shares from now on; equally without any."""
        self.mechanism_emission_split[netuid] = split

    def remove_subnet(self, netuid: NetUid) -> None:
        """Forget the subnet's split; its count goes with its parameters."""
        del self.mechanism_emission_split[netuid]


def parted(emission_rao: int, count: int, split_u16: Sequence[int] | None) -> list[int]:
    """An emission in parts, each rounded down; what is left over goes to the first mechanism.

    A split that is shorter than the count leaves nothing to the mechanisms it does not name.

    Source: `split_emissions`
    """
    if split_u16 is None:
        parts = [emission_rao // count] * count
    else:
        shares = [*split_u16, *(0 for _ in range(count))][:count]
        parts = [emission_rao * share // U16_MAX for share in shares]
    parts[0] += emission_rao - sum(parts)
    return parts


def combined(outcomes: Sequence[EpochOutput], parts_rao: Sequence[int]) -> SubnetOutcome:
    """What several mechanisms decided, as the one outcome of their subnet. Of one mechanism: its own.

    Emissions as shown are weighed like shares, though each is an amount of its part already; pay is
    not. Where nothing is handed out the first mechanism counts alone.

    Source: `epoch_with_mechanisms`
    """
    total = sum(parts_rao)
    weights = [(part << 64) // total for part in parts_rao] if total else [ONE_Q64]
    weights += [0] * (len(outcomes) - len(weights))

    def weighed(vectors: Iterable[Sequence[int]], most: int = U16_MAX) -> tuple[int, ...]:
        return _weighed_sums(list(vectors), weights, most)

    return SubnetOutcome(
        active=_any(each.active for each in outcomes),
        permits=_any(each.permits for each in outcomes),
        stake_weights_u16=weighed(each.stake_weights_u16 for each in outcomes),
        consensus_u16=weighed(each.consensus_u16 for each in outcomes),
        dividends_u16=weighed(each.dividends_u16 for each in outcomes),
        validator_trust_u16=weighed(each.validator_trust_u16 for each in outcomes),
        server_emissions_rao=_sums(each.server_emissions_rao for each in outcomes),
        validator_emissions_rao=_sums(each.validator_emissions_rao for each in outcomes),
        emissions_rao=weighed((each.emissions_rao for each in outcomes), U64_MAX),
    )


def _weighed_sums(
    vectors: Sequence[Sequence[int]], weights_q64: Sequence[int], most: int
) -> tuple[int, ...]:
    """By uid the sum of value times weight, rounded down after each mechanism, at most `most`.

    Source: `weighted_acc_u16`, `weighted_acc_alpha`
    """
    if len(vectors) == 1 and weights_q64[0] == ONE_Q64:
        return tuple(vectors[0])
    sums = [0] * len(vectors[0])
    for vector, weight in zip(vectors, weights_q64, strict=True):
        sums = [
            min(most, so_far + (value * weight >> 64))
            for so_far, value in zip(sums, vector, strict=True)
        ]
    return tuple(sums)


def _sums(vectors: Iterable[Sequence[int]]) -> tuple[int, ...]:
    return tuple(sum(values) for values in zip(*vectors, strict=True))


def _any(vectors: Iterable[Sequence[bool]]) -> tuple[bool, ...]:
    return tuple(any(values) for values in zip(*vectors, strict=True))
