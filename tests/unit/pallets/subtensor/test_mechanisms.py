"""Several mechanisms on one subnet: each has its own weights, limits, bonds and incentives, and a part of the pay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mycelia.codec import U16
from mycelia.pallets.subtensor.commits.kernel import commit_hash
from mycelia.pallets.subtensor.epoch import kernel, pairs_of
from mycelia.pallets.subtensor.epoch.mechanisms import combined, parted
from mycelia.pallets.subtensor.epoch.results import fixed, storage_index
from mycelia.primitives import Alpha, NetUid, Uid

TAO = 10**9
NETUID = NetUid(1)
FIRST, SECOND = storage_index(NETUID, 0), storage_index(NETUID, 1)
OWNER = "//Alice_hk1"
EMISSION = Alpha(10**9)


def act(world, name, uri="//Alice", netuid=NETUID, **params):
    return world.submit(uri, "AdminUtils", f"sudo_set_{name}", netuid=netuid, **params)


def set_weights(world, mecid, uids, values, uri=OWNER):
    return world.call(
        uri,
        "set_mechanism_weights",
        netuid=NETUID,
        mecid=mecid,
        dests=uids,
        weights=values,
        version_key=0,
    )


def count(world, mechanisms):
    done = world.admin("mechanism_count", netuid=NETUID, mechanism_count=mechanisms)
    assert done.succeeded, done.error


def split(world, *shares):
    done = world.admin("mechanism_emission_split", netuid=NETUID, maybe_split=shares)
    assert done.succeeded, done.error


@pytest.fixture
def twofold(world):
    """Two mechanisms; the owner's uid 0 validates, Bob's and Charlie's uids 1 and 2 mine."""
    for person in ("//Bob", "//Charlie"):
        assert world.register(person).succeeded
        world.seal()
    assert world.stake("//Bob", OWNER, 10 * TAO).succeeded
    assert world.admin("max_allowed_uids", netuid=NETUID, max_allowed_uids=128).succeeded
    count(world, 2)
    world.seal()
    return world


def everything(world, index):
    """What is kept under a storage index, as plain values by the name of its item."""
    results, rows = world.pallets.results, world.pallets.rows
    kept: dict[str, Any] = {
        "weights": {uid: row.tolist() for uid, row in rows.weights.under(index)},
        "bonds": {uid: row.tolist() for uid, row in results.bonds.under(index)},
        "commits": dict(rows.weight_commits.under(index)),
        "sealed": dict(rows.timelocked_weight_commits.under(index)),
    }
    for name in ("incentive", "last_update"):
        item = getattr(results, name)
        if index in item:
            kept[name] = item[index].tolist()
    return {name: value for name, value in kept.items() if value}


# Weights and commits


def test_each_mechanism_has_its_own_weights_and_activity(twofold):
    told = set_weights(twofold, 1, [0, 1], [1, 3]).events("WeightsSet")[0]
    assert (told.index_, told.uid) == (SECOND, 0)
    rows, updates = twofold.pallets.rows, twofold.pallets.results.last_update
    assert rows.rows(SECOND)[0].tolist() == [[0, 21_845], [1, 65_535]]
    assert rows.rows(FIRST) == {}
    assert updates[SECOND].tolist() == [twofold.height, 0, 0]
    assert updates[FIRST][0] < twofold.height


def test_each_mechanism_has_its_own_rate_limit(twofold):
    twofold.admin("weights_set_rate_limit", netuid=NETUID, weights_set_rate_limit=5)
    twofold.seal(5)
    for mecid in (0, 1):
        assert set_weights(twofold, mecid, [1, 2], [1, 1]).succeeded
    for mecid in (0, 1):
        assert set_weights(twofold, mecid, [1, 2], [1, 1]).error == "SettingWeightsTooFast"


@pytest.mark.parametrize("mecid", [2, 15, 16, 255])
def test_set_mechanism_weights_mechanism_does_not_exist(twofold, mecid):
    assert set_weights(twofold, mecid, [1, 2], [1, 1]).error == "MechanismDoesNotExist"


def commit_call(world, mecid):
    hash_ = commit_hash(world.key(OWNER), storage_index(NETUID, mecid), [1, 2], [1, 3], [7], 0)
    arguments = {"netuid": NETUID, "mecid": mecid, "commit_hash": "0x" + hash_.hex()}
    return world.call(OWNER, "commit_mechanism_weights", **arguments)


def reveal_call(world, mecid):
    return world.call(
        OWNER,
        "reveal_mechanism_weights",
        netuid=NETUID,
        mecid=mecid,
        uids=[1, 2],
        values=[1, 3],
        salt=[7],
        version_key=0,
    )


def to_epoch(world):
    target = world.pallets.schedule.index_of(NETUID) + 1
    while world.pallets.schedule.index_of(NETUID) < target:
        world.seal()


@pytest.fixture
def secret(twofold):
    assert twofold.admin("tempo", netuid=NETUID, tempo=10).succeeded
    enabled = twofold.admin("commit_reveal_weights_enabled", netuid=NETUID, enabled=True)
    assert enabled.succeeded
    to_epoch(twofold)
    return twofold


def test_hashes_are_committed_and_revealed_in_their_mechanism(secret):
    told = commit_call(secret, 1).events("WeightsCommitted")[0]
    assert told.index_ == SECOND
    made_at = secret.height
    for mechanism, blocks in ((0, [None] * 3), (1, [made_at, None, None])):
        assert secret.pallets.epochs.snapshot(NETUID, Alpha(0), mechanism).commit_blocks == blocks
    to_epoch(secret)
    assert reveal_call(secret, 0).error == "NoWeightsCommitFound"
    revealed = reveal_call(secret, 1)
    assert revealed.events("WeightsRevealed")[0].index_ == SECOND
    assert secret.pallets.rows.rows(SECOND)[0].tolist() == [[1, 21_845], [2, 65_535]]
    assert secret.pallets.rows.rows(FIRST) == {}
    assert secret.pallets.results.last_update[SECOND][0] == made_at


def test_commits_wait_for_their_mechanism_s_rate_limit_alone(secret):
    secret.admin("weights_set_rate_limit", netuid=NETUID, weights_set_rate_limit=5)
    secret.seal(5)
    assert commit_call(secret, 0).succeeded
    assert commit_call(secret, 1).succeeded
    assert commit_call(secret, 1).error == "CommittingWeightsTooFast"


@pytest.mark.parametrize("mecid", [2, 255])
def test_commit_mechanism_weights_mechanism_does_not_exist(secret, mecid):
    assert commit_call(secret, mecid).error == "MechanismDoesNotExist"
    assert reveal_call(secret, mecid).error == "NoWeightsCommitFound"


def test_what_was_committed_to_a_mechanism_that_goes_is_lost(secret):
    assert commit_call(secret, 1).succeeded
    count(secret, 1)
    to_epoch(secret)
    assert reveal_call(secret, 1).error == "NoWeightsCommitFound"
    assert commit_call(secret, 1).error == "MechanismDoesNotExist"
    count(secret, 2)
    assert reveal_call(secret, 1).error == "NoWeightsCommitFound"
    assert commit_call(secret, 1).succeeded


# How many there are


def test_a_new_mechanism_has_an_entry_for_each_neuron(twofold):
    assert everything(twofold, SECOND) == {"incentive": [0, 0, 0], "last_update": [0, 0, 0]}
    assert twofold.register("//Dave").succeeded
    height = twofold.height
    assert everything(twofold, SECOND) == {
        "incentive": [0, 0, 0, 0],
        "last_update": [0, 0, 0, height],
    }
    twofold.seal()


def fill(world, index):
    """Put something under every item of a mechanism."""
    results, rows = world.pallets.results, world.pallets.rows
    rows.set(index, Uid(0), [1, 2], [5, 6])
    rows.set(index, Uid(1), [0, 2], [7, 8])
    rows.weight_commits[index, world.key(OWNER)] = ((bytes(32), 0, 1, 0),)
    rows.timelocked_weight_commits[index, 3] = ((world.key(OWNER), 1, b"x", 9),)
    results.bonds[index, Uid(0)] = fixed(np.array([(1, 5), (2, 6)], np.uint16))
    results.bonds[index, Uid(1)] = fixed(np.array([(2, 7)], np.uint16))
    results.incentive[index] = fixed(np.array([0, 10, 20], np.uint16))
    results.last_update[index] = fixed(np.array([30, 40, 50], np.uint64))


def test_fewer_mechanisms_forget_the_highest_and_the_split(twofold):
    fill(twofold, FIRST)
    fill(twofold, SECOND)
    split(twofold, 1, 65_534)
    kept = everything(twofold, FIRST)
    count(twofold, 2)
    assert twofold.pallets.mechanisms.mechanism_emission_split[NETUID] == (1, 65_534)
    count(twofold, 1)
    assert everything(twofold, SECOND) == {}
    assert everything(twofold, FIRST) == kept
    assert twofold.pallets.mechanisms.mechanism_emission_split[NETUID] is None
    twofold.seal()
    count(twofold, 2)
    assert everything(twofold, SECOND) == {"incentive": [0, 0, 0], "last_update": [0, 0, 0]}


def test_slots_times_mechanisms_are_limited(twofold):
    raised = act(twofold, "max_allowed_uids", max_allowed_uids=129)
    assert raised.error == "TooManyUIDsPerMechanism"
    assert act(twofold, "max_allowed_uids", max_allowed_uids=128).succeeded
    assert twofold.admin("max_mechanism_count", max_mechanism_count=3).succeeded
    tripled = twofold.admin("mechanism_count", netuid=NETUID, mechanism_count=3)
    assert tripled.error == "TooManyUIDsPerMechanism"
    assert act(twofold, "max_allowed_uids", max_allowed_uids=85).error == "TxRateLimitExceeded"
    assert twofold.admin("max_allowed_uids", netuid=NETUID, max_allowed_uids=85).succeeded
    count(twofold, 3)
    assert len(twofold.pallets.mechanisms.indexes(NETUID)) == 3


@pytest.mark.parametrize("shares", [[], [65_534], [65_535, 1], [0, 0], [32_767, 32_768, 0]])
def test_set_mechanism_emission_split_invalid_value(twofold, shares):
    result = act(twofold, "mechanism_emission_split", maybe_split=shares)
    assert result.error == "InvalidValue"


# Neurons that go


def test_a_new_holder_of_a_slot_starts_clean_everywhere(twofold):
    for index in (FIRST, SECOND):
        fill(twofold, index)
    twofold.pallets.results.clear_neuron(NETUID, Uid(1), 77)
    twofold.pallets.rows.forget(NETUID, Uid(1))
    for index in (FIRST, SECOND):
        kept = everything(twofold, index)
        assert kept["weights"] == {0: [[1, 0], [2, 6]]}
        assert kept["bonds"] == {0: [[1, 5], [2, 6]]}
        assert kept["incentive"] == [0, 0, 20]
        assert kept["last_update"] == [30, 77, 50]


def test_bonds_on_a_neuron_are_reset_in_every_mechanism(twofold):
    for index in (FIRST, SECOND):
        fill(twofold, index)
    twofold.pallets.results.reset_bonds_on(NETUID, Uid(2))
    for index in (FIRST, SECOND):
        assert everything(twofold, index)["bonds"] == {0: [[1, 5]], 1: []}


def test_trimming_renumbers_every_mechanism(twofold):
    for index in (FIRST, SECOND):
        fill(twofold, index)
    twofold.admin("min_allowed_uids", netuid=NETUID, min_allowed_uids=0)
    twofold.admin("immunity_period", netuid=NETUID, immunity_period=0)
    twofold.pallets.results.emission[NETUID] = (Alpha(0), Alpha(1), Alpha(2))
    trimmed = twofold.submit(
        "//Alice", "AdminUtils", "sudo_trim_to_max_allowed_uids", netuid=NETUID, max_n=2
    )
    assert trimmed.succeeded, trimmed.error
    for index in (FIRST, SECOND):
        kept = everything(twofold, index)
        assert kept["weights"] == {0: [[1, 6]]}  # uid 1 is gone, uid 2 is 1 now
        assert kept["bonds"] == {0: [[1, 6]]}
        assert kept["incentive"] == [0, 20]
        assert kept["last_update"] == [30, 50]
    twofold.seal(2)


def test_a_dissolved_subnet_leaves_no_mechanism(twofold):
    fill(twofold, SECOND)
    split(twofold, 1, 65_534)
    dissolved = twofold.sudo("SubtensorModule", "root_dissolve_network", netuid=NETUID)
    assert dissolved.succeeded, dissolved.error
    assert everything(twofold, FIRST) == everything(twofold, SECOND) == {}
    mechanisms = twofold.pallets.mechanisms
    assert mechanisms.mechanism_emission_split[NETUID] is None
    assert mechanisms.count(NETUID) == 1


# Epochs


@pytest.fixture
def weighed(twofold):
    """The validator gives miner 1 all of the first mechanism, and miner 2 three quarters of the second."""
    twofold.pallets.epochs.run(NETUID, EMISSION)
    assert set_weights(twofold, 0, [1], [1]).succeeded
    assert set_weights(twofold, 1, [1, 2], [1, 3]).succeeded
    twofold.seal()
    return twofold


def test_each_mechanism_pays_by_its_own_weights_and_part(weighed):
    split(weighed, 16_384, 49_151)
    epochs, results = weighed.pallets.epochs, weighed.pallets.results
    parts = parted(EMISSION, 2, (16_384, 49_151))
    decided = [
        kernel.run_epoch(epochs.snapshot(NETUID, Alpha(part), mechanism))
        for mechanism, part in enumerate(parts)
    ]
    earned = epochs.run(NETUID, EMISSION)
    assert results.incentive[FIRST].tolist() == [0, 65_535, 0]
    assert results.incentive[SECOND].tolist() == [0, 16_383, 49_151]
    for index, outcome in zip((FIRST, SECOND), decided, strict=True):
        assert results.incentive[index].tolist() == list(outcome.incentives_u16)
        assert pairs_of(results.bonds[index, Uid(0)]) == pairs_of(outcome.bonds[0])
    assert pairs_of(results.bonds[FIRST, Uid(0)]) == [(1, 65_535)]
    assert pairs_of(results.bonds[SECOND, Uid(0)]) == [(1, 65_535), (2, 65_535)]
    expected = combined(decided, parts)
    assert [each.incentive for each in earned] == list(expected.server_emissions_rao)
    assert [each.dividend for each in earned] == list(expected.validator_emissions_rao)
    assert results.consensus[NETUID].tolist() == list(expected.consensus_u16)
    assert results.emission[NETUID] == expected.emissions_rao
    # A quarter to miner 1 from the first, a quarter of three quarters from the second; half of all is the validator's.
    assert earned[1].incentive == pytest.approx(EMISSION * (1 / 4 + 3 / 16) / 2, abs=10_000)
    assert earned[2].incentive == pytest.approx(EMISSION * 9 / 16 / 2, abs=10_000)
    assert EMISSION - 8 <= sum(each.incentive + each.dividend for each in earned) <= EMISSION


def test_each_mechanism_goes_on_from_its_own_bonds(weighed):
    epochs, results = weighed.pallets.epochs, weighed.pallets.results
    epochs.run(NETUID, EMISSION)
    weighed.pallets.schedule.ran(NETUID)  # bonds from before the last epoch don't count
    assert set_weights(weighed, 1, [1], [1]).succeeded
    weighed.seal()
    for mechanism, index in enumerate((FIRST, SECOND)):
        read = epochs.snapshot(NETUID, EMISSION, mechanism).bonds
        assert pairs_of(read[0]) == pairs_of(results.bonds[index, Uid(0)])
    epochs.run(NETUID, EMISSION)
    # What is not weighed any more was earned before, and only in the second.
    assert [uid for uid, _ in pairs_of(results.bonds[FIRST, Uid(0)])] == [1]
    assert [uid for uid, _ in pairs_of(results.bonds[SECOND, Uid(0)])] == [1, 2]


def test_an_epoch_tells_the_incentives_of_each_mechanism(weighed):
    weighed.pallets.parameters.tempo[NETUID] = U16(
        weighed.pallets.schedule.blocks_since_last_step[NETUID] + 1
    )
    to_epoch(weighed)
    name = "IncentiveAlphaEmittedToMiners"
    told = [e.event for e in weighed.runtime.state.told if type(e.event).wire_name == name]
    assert [each.netuid for each in told] == [FIRST, SECOND]
    assert [rao > 0 for rao in told[0].emissions] == [False, True, False]
    assert [rao > 0 for rao in told[1].emissions] == [False, True, True]


def test_where_nobody_spoke_only_validators_are_granted_a_part(twofold):
    twofold.pallets.epochs.run(NETUID, EMISSION)
    assert set_weights(twofold, 1, [1], [1]).succeeded
    twofold.seal()
    owner, bob, charlie = twofold.pallets.epochs.run(NETUID, EMISSION)
    # The first half goes to the validator by stake, the second is shared with its miner.
    assert (owner.incentive, charlie.incentive, charlie.dividend) == (0, 0, 0)
    assert bob.incentive == pytest.approx(EMISSION / 4, abs=2)
    assert owner.dividend == pytest.approx(EMISSION * 3 / 4, abs=2)


# What clients are shown


def test_a_mechagraph_has_the_mechanism_s_incentives_and_updates(weighed):
    weighed.pallets.epochs.run(NETUID, EMISSION)
    views, results = weighed.pallets.subnet_views, weighed.pallets.results
    whole, second = views.get_metagraph(NETUID), views.get_mechagraph(NETUID, 1)
    assert (whole.netuid, second.netuid) == (FIRST, SECOND)
    assert list(second.incentives) == results.incentive[SECOND].tolist() != list(whole.incentives)
    assert list(second.last_update) == results.last_update[SECOND].tolist()
    assert second.emission == whole.emission
    assert second.consensus == whole.consensus
    assert views.get_mechagraph(NETUID, 0) == whole
    assert views.get_mechagraph(NETUID, 2) is None
    shown = [graph.netuid for graph in views.get_all_mechagraphs()]
    assert shown == [0, FIRST, SECOND]


def test_a_selective_mechagraph_keeps_the_subnet_s_number(weighed):
    weighed.pallets.epochs.run(NETUID, EMISSION)
    views, results = weighed.pallets.older_views, weighed.pallets.results
    second = views.get_selective_mechagraph(NETUID, 1, (0, 59, 62))
    assert second.netuid == NETUID
    assert second.incentives == (tuple(results.incentive[SECOND].tolist()),)
    assert second.last_update == (tuple(results.last_update[SECOND].tolist()),)
    missing = views.get_selective_mechagraph(NETUID, 5, (59, 62))
    assert (missing.incentives, missing.last_update) == (((),), ((),))
