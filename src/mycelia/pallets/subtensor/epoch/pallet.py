"""Runs a subnet's epoch: reads what Yuma consensus needs, and stores what it decides, mechanism by mechanism.

Who is paid how much for it is `emission`; when it runs is `schedule`; the rules are `kernel`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mycelia.frame import BoundMap, Event, Pallet, State, invariant
from mycelia.pallets.subtensor.epoch import kernel_fast
from mycelia.pallets.subtensor.epoch.mechanisms import Mechanisms, combined
from mycelia.pallets.subtensor.epoch.results import Results, StorageIndex, storage_index
from mycelia.pallets.subtensor.epoch.schedule import Schedule
from mycelia.pallets.subtensor.epoch.types import (
    MYCELIA,
    YUMA2,
    YUMA3,
    EpochInput,
    EpochOutput,
    EpochParameters,
    EpochRules,
    SparseRow,
)
from mycelia.pallets.subtensor.hyperparameters.table import Hyperparameters, NetworkParameters
from mycelia.pallets.subtensor.needs import Clock
from mycelia.primitives import AccountId, Alpha, NetUid, Uid

Kernel = Callable[[EpochInput], EpochOutput]


class Subnets(Protocol):
    """Which hotkey the owner of a subnet uses there."""

    @property
    def subnet_owner_hotkey(self) -> BoundMap[NetUid, AccountId]: ...


class Neurons(Protocol):
    """Who holds which uid of a subnet, and since when."""

    def uid_of(self, netuid: NetUid, hotkey: AccountId) -> Uid | None: ...
    def hotkeys(self, netuid: NetUid) -> Sequence[AccountId]:
        """By uid."""

    def registered_at(self, netuid: NetUid) -> Sequence[int]:
        """Blocks, by uid."""


class Stakes(Protocol):
    """How much a hotkey's stake counts."""

    def stake_weight_q64(self, hotkey: AccountId, netuid: NetUid) -> int:
        """Alpha and weighed root TAO, in rao with 64 fraction bits."""


class Weights(Protocol):
    """What validators say in a mechanism, by its storage index."""

    def rows(self, index: int) -> Mapping[int, SparseRow]:
        """The weights that each uid set."""

    def earliest_commits(self, index: int, *, from_epoch: int) -> Mapping[AccountId, int]:
        """Block of each hotkey's earliest commit, of those made in that epoch or later."""


class Choice(Protocol):
    """Which subnets corrected their Yuma 3."""

    @property
    def mycelia_on(self) -> BoundMap[NetUid, bool]: ...


class IncentiveAlphaEmittedToMiners(Event, index=110):
    """An epoch gave each uid this much incentive in one mechanism, in rao of alpha."""

    netuid: StorageIndex
    emissions: tuple[Alpha, ...]


@dataclass(frozen=True)
class Earned:
    """What an epoch grants one neuron, in rao of alpha."""

    hotkey: AccountId
    incentive: Alpha
    dividend: Alpha


class Epochs(Pallet, name="SubtensorModule"):
    """Runs epochs."""

    events = (IncentiveAlphaEmittedToMiners,)

    clock: Clock
    parameters: Hyperparameters
    network: NetworkParameters
    mechanisms: Mechanisms
    results: Results
    schedule: Schedule
    choice: Choice
    subnets: Subnets
    neurons: Neurons
    stakes: Stakes
    weights: Weights
    kernel: Kernel

    def __init__(
        self,
        state: State,
        *,
        clock: Clock,
        parameters: Hyperparameters,
        network: NetworkParameters,
        mechanisms: Mechanisms,
        results: Results,
        schedule: Schedule,
        choice: Choice,
        subnets: Subnets,
        neurons: Neurons,
        stakes: Stakes,
        weights: Weights,
        kernel: Kernel = kernel_fast.run_epoch,
    ) -> None:
        super().__init__(
            state,
            clock=clock,
            parameters=parameters,
            network=network,
            mechanisms=mechanisms,
            results=results,
            schedule=schedule,
            choice=choice,
            subnets=subnets,
            neurons=neurons,
            stakes=stakes,
            weights=weights,
            kernel=kernel,
        )

    def reset_on(self, netuid: NetUid, hotkey: AccountId) -> None:
        """Drop all bonds on a neuron that asked for it, where the subnet lets neurons ask.

        Source: epoch/run_epoch.rs::do_reset_bonds, runtime/src/lib.rs::ResetBondsOnCommit
        """
        uid = self.neurons.uid_of(netuid, hotkey)
        if uid is not None and self.parameters.bonds_reset_on[netuid]:
            self.results.reset_bonds_on(netuid, uid)

    def is_consistent(self, netuid: NetUid) -> bool:
        """Whether no hotkey holds two uids; otherwise the epoch is skipped."""
        hotkeys = self.neurons.hotkeys(netuid)
        return len(set(hotkeys)) == len(hotkeys)

    def run(self, netuid: NetUid, emission: Alpha) -> tuple[Earned, ...]:
        """Run the epoch over an emission, and tell what each neuron earned of it, by uid."""
        parts = self.mechanisms.parts(netuid, emission)
        # None of them changes what another reads.
        outcomes = [self._run_mechanism(netuid, each, part) for each, part in enumerate(parts)]
        outcome = combined(outcomes, parts)
        self.results.keep(netuid, outcome)
        return tuple(
            Earned(hotkey, Alpha(incentive), Alpha(dividend))
            for hotkey, incentive, dividend in zip(
                self.neurons.hotkeys(netuid),
                outcome.server_emissions_rao,
                outcome.validator_emissions_rao,
                strict=True,
            )
        )

    def _run_mechanism(self, netuid: NetUid, mechanism: int, part: Alpha) -> EpochOutput:
        index = storage_index(netuid, mechanism)
        outcome = self.kernel(self.snapshot(netuid, part, mechanism))
        self.results.keep_mechanism(index, outcome)
        incentives = tuple(Alpha(rao) for rao in outcome.server_emissions_rao)
        self.deposit(IncentiveAlphaEmittedToMiners(index, incentives))
        return outcome

    def snapshot(self, netuid: NetUid, emission: Alpha, mechanism: int = 0) -> EpochInput:
        """All that the epoch of a mechanism reads, as it is now; `emission` is the mechanism's part."""
        index = storage_index(netuid, mechanism)
        hotkeys = self.neurons.hotkeys(netuid)
        return EpochInput(
            block=self.clock.now(),
            last_step_block=self.schedule.last_mechansim_step_block[netuid],
            emission_rao=emission,
            stakes_q64=[self.stakes.stake_weight_q64(key, netuid) for key in hotkeys],
            last_updates=self.results.last_update[index].tolist(),
            registered_at=self.neurons.registered_at(netuid),
            permits=self.results.validator_permit[netuid].tolist(),
            weights=self.weights.rows(index),
            bonds=dict(self.results.bonds.under(index)),
            owner_uid=self.owner_uid(netuid),
            commit_blocks=self.commit_blocks(netuid, index, hotkeys),
            parameters=self.parameters_of(netuid),
            rules=self.rules_of(netuid),
        )

    def owner_uid(self, netuid: NetUid) -> Uid | None:
        """The uid of the owner's hotkey, if it holds one."""
        return self.neurons.uid_of(netuid, self.subnets.subnet_owner_hotkey[netuid])

    def commit_blocks(
        self, netuid: NetUid, index: int, hotkeys: Sequence[AccountId]
    ) -> Sequence[int | None] | None:
        """By uid the block of the earliest unexpired commit in a mechanism; None where weights are set openly.

        Source: epoch/run_epoch.rs::epoch_mechanism, `commit_blocks`
        """
        if not self.parameters.commit_reveal_weights_enabled[netuid]:
            return None
        oldest = self.schedule.commit_epoch(netuid) - self.parameters.reveal_period_epochs[netuid]
        earliest = self.weights.earliest_commits(index, from_epoch=oldest)
        return [earliest.get(hotkey) for hotkey in hotkeys]

    def rules_of(self, netuid: NetUid) -> EpochRules:
        """The rules that the subnet chose. Where `Yuma3On` is off they are those of Yuma 2, always."""
        if not self.parameters.yuma3_on[netuid]:
            return YUMA2
        return MYCELIA if self.choice.mycelia_on[netuid] else YUMA3

    def parameters_of(self, netuid: NetUid) -> EpochParameters:
        """What the subnet chose for its epochs."""
        chosen = self.parameters
        return EpochParameters(
            tempo_blocks=chosen.tempo[netuid],
            activity_cutoff_blocks=chosen.activity_cutoff_blocks(netuid),
            max_validators=chosen.max_allowed_validators[netuid],
            kappa_u16=chosen.kappa[netuid],
            bonds_penalty_u16=chosen.bonds_penalty[netuid],
            bonds_moving_average_ppm=chosen.bonds_moving_average[netuid],
            stake_threshold_rao=self.network.stake_threshold,
            liquid_alpha=chosen.liquid_alpha_on[netuid],
            alpha_low_u16=chosen.alpha_values[netuid][0],
            alpha_high_u16=chosen.alpha_values[netuid][1],
            alpha_steepness_percent=chosen.alpha_sigmoid_steepness[netuid],
        )

    @invariant
    def vectors_have_one_entry_per_uid(self) -> None:
        """No vector of a subnet is shorter or longer than the subnet."""
        results = self.results
        for netuid, active in results.active.items():
            n = len(self.neurons.hotkeys(netuid))
            assert len(active) == n
            assert len(results.consensus[netuid]) == n
            assert len(results.dividends[netuid]) == n
            assert len(results.validator_trust[netuid]) == n
            assert len(results.validator_permit[netuid]) == n
            assert len(results.emission[netuid]) == n
            for index in self.mechanisms.indexes(netuid):
                assert len(results.incentive[index]) == n
                assert len(results.last_update[index]) == n
