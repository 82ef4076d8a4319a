"""Epochs run each tempo, or when asked for, and never for a tempo of zero."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mycelia.codec import U16, U64
from mycelia.frame import State
from mycelia.pallets.network.pallet import Network, NetworkRules
from mycelia.pallets.subtensor.epoch.schedule import (
    EpochDeferred,
    EpochSkipped,
    Schedule,
    blocks_to_modular_epoch,
)
from mycelia.pallets.subtensor.hyperparameters.table import MAX_TEMPO, Hyperparameters
from mycelia.primitives import BlockNumber, NetUid
from mycelia.state import MemoryStore, Overlay

NETUID = NetUid(1)


@dataclass
class Clock:
    height: int = 0

    def now(self) -> BlockNumber:
        return BlockNumber(self.height)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def schedule(clock: Clock) -> Schedule:
    state = State(Overlay(MemoryStore().head()))
    parameters = Hyperparameters(state)
    parameters.tempo[NETUID] = U16(20)
    return Schedule(state, clock=clock, parameters=parameters, rules=Network(state))


def due_at(schedule: Schedule, clock: Clock, heights: range) -> list[int]:
    found = []
    for clock.height in heights:
        schedule.tick(NETUID)
        if schedule.is_due(NETUID):
            schedule.use_slot(NETUID, ran=True)
            found.append(clock.height)
    return found


def test_an_epoch_is_due_each_tempo(schedule: Schedule, clock: Clock) -> None:
    assert due_at(schedule, clock, range(1, 70)) == [20, 40, 60]
    assert schedule.subnet_epoch_index[NETUID] == 3
    assert schedule.blocks_since_last_step[NETUID] == 9
    assert schedule.next_epoch_start(NETUID) == 80
    assert schedule.blocks_until_epoch(NETUID) == 11


def test_a_restart_begins_a_full_tempo(schedule: Schedule, clock: Clock) -> None:
    clock.height = 15
    schedule.restart(NETUID)
    assert due_at(schedule, clock, range(16, 50)) == [35]


def test_new_subnets_take_turns(schedule: Schedule, clock: Clock) -> None:
    clock.height = 100
    for netuid in (NETUID, NetUid(2), NetUid(23)):
        schedule.parameters.tempo[netuid] = U16(20)
        schedule.begin(netuid)
    heights = [schedule.next_epoch_start(netuid) for netuid in (NETUID, NetUid(2), NetUid(23))]
    assert heights == [119, 118, 117]


def test_an_epoch_may_be_asked_for(schedule: Schedule, clock: Clock) -> None:
    schedule.pending_epoch_at[NETUID] = U64(7)
    assert schedule.next_epoch_start(NETUID) == 7
    assert schedule.blocks_until_epoch(NETUID) == 0
    assert due_at(schedule, clock, range(1, 30)) == [7, 27]


def test_no_tempo_no_epoch(schedule: Schedule, clock: Clock) -> None:
    schedule.parameters.tempo[NETUID] = U16(0)
    assert due_at(schedule, clock, range(1, 100)) == []
    assert schedule.next_epoch_start(NETUID) is None
    assert schedule.blocks_until_epoch(NETUID) is None


def test_an_epoch_runs_at_last_after_the_longest_tempo(schedule: Schedule, clock: Clock) -> None:
    clock.height = 5
    schedule.restart(NETUID)
    schedule.blocks_since_last_step[NETUID] = U64(MAX_TEMPO + 1)
    assert schedule.is_due(NETUID)


def test_a_deferred_epoch_is_due_in_the_next_block(schedule: Schedule, clock: Clock) -> None:
    clock.height = 20
    schedule.defer(NETUID)
    assert schedule.state.told[0].event == EpochDeferred(NETUID, U64(20), U64(21))
    schedule.parameters.tempo[NETUID] = U16(360)
    clock.height = 21
    assert schedule.is_due(NETUID)


def test_a_skipped_epoch_uses_its_slot(schedule: Schedule, clock: Clock) -> None:
    clock.height = 20
    schedule.tick(NETUID)
    schedule.use_slot(NETUID, ran=False)
    assert schedule.state.told[0].event == EpochSkipped(NETUID, U64(20))
    assert schedule.blocks_since_last_step[NETUID] == 1
    assert not schedule.is_due(NETUID)


def test_modular_epochs_follow_from_height_and_netuid(schedule: Schedule, clock: Clock) -> None:
    schedule.rules.genesis(NetworkRules(has_modular_epochs=True))
    # (height + netuid + 1) mod (tempo + 1) is the tempo, 20, at 18, 39, ... on subnet 1.
    assert due_at(schedule, clock, range(1, 62)) == [18, 39, 60]
    clock.height = 30
    assert schedule.blocks_until_epoch(NETUID) == 9
    assert schedule.next_epoch_start(NETUID) == 39
    assert schedule.commit_epoch(NETUID) == 32 // 21
    schedule.restart(NETUID)  # a new tempo doesn't move them
    assert schedule.blocks_until_epoch(NETUID) == 9


@pytest.mark.parametrize(
    ("netuid", "tempo", "height", "blocks"),
    [(1, 10, 0, 8), (1, 10, 8, 0), (1, 10, 9, 10), (0, 99, 1, 97)],
)
def test_blocks_to_a_modular_epoch(netuid: int, tempo: int, height: int, blocks: int) -> None:
    assert blocks_to_modular_epoch(netuid, tempo, height) == blocks
