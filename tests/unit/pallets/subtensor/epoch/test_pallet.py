"""What an epoch reads from the chain, and that its outcome is the kernel's."""

from dataclasses import replace

import numpy as np
import pytest

from mycelia.codec import H256, U64
from mycelia.pallets.subtensor.epoch import YUMA2, YUMA3, kernel, pairs_of
from mycelia.pallets.subtensor.epoch.results import fixed, storage_index
from mycelia.primitives import Alpha, NetUid, Uid
from mycelia.testing.oracle import Person

NETUID = NetUid(1)
HASH = H256(bytes(32))
EMISSION = Alpha(10**9)


@pytest.fixture
def peopled(world):
    """Alice's hotkey, the owner's, has uid 0; Bob's uid 1 with stake; Charlie's and Dave's mine."""
    for person in ("//Bob", "//Charlie", "//Dave"):
        assert world.register(person).succeeded
        world.seal()
    assert world.stake("//Bob", "//Bob_hk", 10**12).succeeded
    for setter, value in (
        ("yuma3_enabled", {"enabled": True}),
        ("liquid_alpha_enabled", {"enabled": True}),
        ("alpha_values", {"alpha_low": 6_553, "alpha_high": 19_660}),
        ("alpha_sigmoid_steepness", {"steepness": 500}),
        ("bonds_penalty", {"bonds_penalty": 12_345}),
        ("bonds_moving_average", {"bonds_moving_average": 800_000}),
        ("kappa", {"kappa": 40_000}),
        ("max_allowed_validators", {"max_allowed_validators": 3}),
    ):
        done = world.admin(setter, netuid=1, **value)
        assert done.succeeded, (setter, done.error)
    world.seal()
    return world


def test_it_reads_what_the_subnet_chose(peopled):
    epochs = peopled.pallets.epochs
    epoch = epochs.snapshot(NETUID, EMISSION)
    parameters = epoch.parameters
    assert epoch.rules == YUMA3
    assert parameters.liquid_alpha
    assert (parameters.alpha_low_u16, parameters.alpha_high_u16) == (6_553, 19_660)
    assert parameters.alpha_steepness_percent == 500
    assert parameters.bonds_penalty_u16 == 12_345
    assert parameters.bonds_moving_average_ppm == 800_000
    assert parameters.kappa_u16 == 40_000
    assert parameters.max_validators == 3
    assert peopled.admin("yuma3_enabled", netuid=1, enabled=False).succeeded
    assert epochs.snapshot(NETUID, EMISSION).rules == YUMA2


def test_it_stores_what_the_kernel_decided(peopled):
    epochs, results = peopled.pallets.epochs, peopled.pallets.results
    epochs.run(NETUID, EMISSION)
    said = peopled.call(
        "//Bob_hk", "set_weights", netuid=1, dests=[3, 2], weights=[7, 3], version_key=0
    )
    assert said.succeeded, said.error
    peopled.seal()
    for _ in range(3):
        expected = kernel.run_epoch(epochs.snapshot(NETUID, EMISSION))
        earned = epochs.run(NETUID, EMISSION)
        assert [e.incentive for e in earned] == list(expected.server_emissions_rao)
        assert [e.dividend for e in earned] == list(expected.validator_emissions_rao)
        bonds = pairs_of(results.bonds[storage_index(NETUID), 1])
        assert bonds == pairs_of(expected.bonds[1])
    assert [uid for uid, _ in bonds] == [2, 3]
    assert list(results.dividends[NETUID]) == [0, 65_535, 0, 0]


def commit(world, person, *commits):
    """Put commits by hash into storage: epoch and block of each."""
    rows = world.pallets.rows
    rows.weight_commits[storage_index(NETUID), world.key(person)] = tuple(
        (HASH, U64(epoch), U64(block), U64(0)) for epoch, block in commits
    )


def commit_timed(world, person, epoch, block):
    rows = world.pallets.rows
    key = storage_index(NETUID), U64(epoch)
    timed = (world.key(person), U64(block), b"", U64(0))
    rows.timelocked_weight_commits[key] = (*rows.timelocked_weight_commits[key], timed)


def test_it_reads_each_hotkeys_earliest_unexpired_commit(peopled):
    epochs, schedule = peopled.pallets.epochs, peopled.pallets.schedule
    assert epochs.snapshot(NETUID, EMISSION).commit_blocks is None
    enabled = peopled.admin("commit_reveal_weights_enabled", netuid=1, enabled=True)
    assert enabled.succeeded, enabled.error
    assert epochs.snapshot(NETUID, EMISSION).commit_blocks == [None] * 4
    schedule.subnet_epoch_index[NETUID] = U64(9)  # so commits of epoch 8 and later may be revealed
    commit(peopled, "//Bob_hk", (7, 700), (8, 801), (8, 802))
    commit(peopled, "//Charlie_hk", (6, 600), (7, 701))
    commit_timed(peopled, "//Bob_hk", 9, 901)
    commit_timed(peopled, "//Dave_hk", 7, 702)
    commit_timed(peopled, "//Dave_hk", 9, 902)
    commit_timed(peopled, "//Dave_hk", 8, 803)
    assert epochs.snapshot(NETUID, EMISSION).commit_blocks == [None, 801, None, 803]


def test_a_due_epoch_counts_as_begun_for_commits(peopled):
    schedule, parameters = peopled.pallets.schedule, peopled.pallets.parameters
    index = schedule.subnet_epoch_index[NETUID]
    assert schedule.commit_epoch(NETUID) == index
    parameters.tempo[NETUID] = 1
    assert schedule.commit_epoch(NETUID) == index + 1


def test_commits_keep_weights_from_newcomers(peopled):
    """Who registered after the commit gets nothing of the weights that are there."""
    epochs = peopled.pallets.epochs
    epochs.run(NETUID, EMISSION)
    said = peopled.call(
        "//Bob_hk", "set_weights", netuid=1, dests=[2, 3], weights=[1, 1], version_key=0
    )
    assert said.succeeded, said.error
    peopled.seal()
    epoch = epochs.snapshot(NETUID, EMISSION)
    registered = epoch.registered_at
    assert registered[2] < registered[3]
    masked = replace(epoch, commit_blocks=[None, registered[2], None, None])
    incentives = kernel.run_epoch(masked).incentives_u16
    assert incentives == (0, 0, 65_535, 0)


def wish_for_new_bonds(world, uri, **field):
    info = {"fields": [[field]]}
    return world.submit(uri, "Commitments", "set_commitment", netuid=1, info=info)


@pytest.mark.parametrize(
    ("wished", "allowed", "left"),
    [
        ({"ResetBondsFlag": None}, True, [(3, 9)]),
        ({"ResetBondsFlag": None}, False, [(2, 7), (3, 9)]),
        ({"Raw1": "0x00"}, True, [(2, 7), (3, 9)]),
    ],
)
def test_a_neuron_may_ask_for_new_bonds(peopled, wished, allowed, left):
    pallets, key = peopled.pallets, (storage_index(NETUID), Uid(1))
    pallets.results.bonds[key] = fixed(np.array([(2, 7), (3, 9)], np.uint16))
    assert peopled.admin("bonds_reset_enabled", netuid=1, enabled=allowed).succeeded
    done = wish_for_new_bonds(peopled, "//Charlie_hk", **wished)
    assert done.succeeded, done.error
    assert pairs_of(pallets.results.bonds[key]) == left
    asked = pallets.commitments.last_bonds_reset[NETUID, Person("//Charlie_hk").account]
    assert asked == (peopled.height if "ResetBondsFlag" in wished else None)
