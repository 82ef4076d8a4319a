"""Sealed weights: committed, opened by the beacon at the right epoch, dropped when they can't be."""

import hashlib
import json
from pathlib import Path

import bittensor_core
import pytest

from mycelia.codec import scale
from mycelia.crypto.timelock import sealed
from mycelia.pallets.drand import Pulse
from mycelia.pallets.drand.local import local_beacon, pulse_of
from mycelia.pallets.subtensor.commits.timelock import Payload
from mycelia.pallets.subtensor.epoch.results import storage_index
from mycelia.primitives import NetUid

NETUID = NetUid(1)
OWNER = "//Alice_hk1"
SECRET = b"\x06" * 32
BEACON = local_beacon(SECRET)
TEMPO = 10


def seal(world, number, uri=OWNER, uids=(0, 1), values=(1, 3), version=0, named=None):
    payload = Payload(world.key(named or uri), uids, values, version)
    content = scale(Payload).encode(payload)
    return sealed(content, BEACON.public_key, number, hashlib.sha256(content).digest())


def commit(world, number, ciphertext=None, uri=OWNER, version=4, netuid=1):
    return world.call(
        uri,
        "commit_timelocked_weights",
        netuid=netuid,
        commit=seal(world, number, uri) if ciphertext is None else ciphertext,
        reveal_round=number,
        commit_reveal_version=version,
    )


def bring(world, number, pulse=None):
    pulse = pulse or pulse_of(SECRET, number)
    payload = {
        "block_number": 0,
        "pulses": [vars(pulse)],
        "public": {"Sr25519": "0x" + "00" * 32},
    }
    result = world.submit("//Bob", "Drand", "write_pulse", pulses_payload=payload, signature=None)
    assert result.succeeded, result.error


def to_epoch(world, epochs=1):
    """Go on until the block in which the next epoch ran, and return what that block told at its beginning."""
    schedule = world.pallets.schedule
    target = schedule.index_of(NETUID) + epochs
    while schedule.index_of(NETUID) < target:
        world.seal()
    return [type(told.event).__name__ for told in world.runtime.state.told]


def before_epoch(world):
    """Go to the last block before the next epoch."""
    while world.pallets.schedule.blocks_until_epoch(NETUID) > 1:
        world.seal()


def row(world, uid=0):
    rows = world.pallets.rows.rows(NETUID)
    return rows[uid].tolist() if uid in rows else None


def queues(world):
    return dict(world.pallets.rows.timelocked_weight_commits.under(1))


@pytest.fixture
def secret(world):
    """Bob's neuron is uid 1; weights are committed; the beacon is our own."""
    assert world.register("//Bob").succeeded
    assert world.admin("tempo", netuid=1, tempo=TEMPO).succeeded
    assert world.admin("commit_reveal_weights_enabled", netuid=1, enabled=True).succeeded
    world.pallets.drand.beacon_config = BEACON
    to_epoch(world)
    return world


def test_opened_at_the_beginning_of_the_next_epoch(secret):
    made_at = secret.height
    told = commit(secret, 5).events("TimelockedWeightsCommitted")[0]
    ciphertext = seal(secret, 5)
    digest = hashlib.blake2b(ciphertext, digest_size=32).digest()
    assert (told.hotkey, told.index_, told.commit, told.round) == (secret.key(OWNER), 1, digest, 5)
    epoch = secret.pallets.schedule.index_of(NETUID)
    assert queues(secret) == {epoch: ((secret.key(OWNER), made_at, ciphertext, 5),)}
    bring(secret, 5)
    before_epoch(secret)
    assert row(secret) is None
    events = to_epoch(secret)
    assert row(secret) == [[0, 21845], [1, 65535]]
    assert events.index("TimelockedWeightsRevealed") < events.index("IncentiveAlphaEmittedToMiners")
    assert queues(secret) == {}
    assert secret.pallets.results.last_update[1][0] == made_at


def test_what_the_client_sealed_for_quicknet_opens(secret):
    """The client's own ciphertext, and a round that quicknet published."""
    published = json.loads(Path("tests/vectors/data/quicknet.json").read_text())["rounds"][1]
    number = published["round"]
    content = scale(Payload).encode(Payload(secret.key(OWNER), (0, 1), (1, 3), 0))
    whole, _ = bittensor_core.encrypt_at_round(content, number)
    secret.pallets.drand.beacon_config = type(secret.pallets.drand).beacon_config.default
    assert commit(secret, number, bytes(bittensor_core.inner_ciphertext(whole))).succeeded
    pulse = Pulse(
        number, bytes.fromhex(published["randomness"]), bytes.fromhex(published["signature"])
    )
    bring(secret, number, pulse)
    to_epoch(secret)
    assert row(secret) == [[0, 21845], [1, 65535]]


def test_both_other_calls_do_the_same(secret):
    uris = (OWNER, "//Bob_hk")
    mechanism = {"netuid": 1, "mecid": 0, "reveal_round": 5}
    ciphertexts = [seal(secret, 5, uri, (uid,), (1,)) for uid, uri in enumerate(uris)]
    assert secret.call(
        uris[0], "commit_crv3_mechanism_weights", commit=ciphertexts[0], **mechanism
    ).succeeded
    assert secret.call(
        uris[1],
        "commit_timelocked_mechanism_weights",
        commit=ciphertexts[1],
        commit_reveal_version=4,
        **mechanism,
    ).succeeded
    bring(secret, 5)
    to_epoch(secret)
    assert (row(secret, 0), row(secret, 1)) == ([[0, 65535]], [[1, 65535]])


def test_a_longer_period_opens_later(secret):
    secret.admin("commit_reveal_weights_interval", netuid=1, interval=3)
    assert commit(secret, 5).succeeded
    bring(secret, 5)
    to_epoch(secret, 2)
    assert row(secret) is None
    to_epoch(secret)
    assert row(secret) is not None


def test_the_last_commit_counts(secret):
    for number, values in ((5, (1, 1)), (6, (3, 1))):
        assert commit(secret, number, seal(secret, number, values=values)).succeeded
    for number in (5, 6):
        bring(secret, number)
    to_epoch(secret)
    assert row(secret) == [[0, 65535], [1, 21845]]


# A beacon that stops


def test_a_beacon_that_is_late_within_the_epoch_delays_weights(secret):
    """The block after the round's arrival opens what waits, whichever block of the epoch that is."""
    assert commit(secret, 5).succeeded
    assert "TimelockedWeightsRevealed" not in to_epoch(secret)
    secret.seal(3)
    assert row(secret) is None
    bring(secret, 5)
    assert row(secret) is None
    secret.seal()
    assert row(secret) == [[0, 21845], [1, 65535]]


def test_a_beacon_that_stops_for_an_hour_costs_a_row_and_no_more(secret):
    """300 blocks of 12 seconds without a round: the commit is dropped with its epoch, the old row stays."""
    assert commit(secret, 5, seal(secret, 5, values=(1, 1))).succeeded
    bring(secret, 5)
    to_epoch(secret)
    kept = row(secret)
    assert commit(secret, 6).succeeded
    epoch = secret.pallets.schedule.index_of(NETUID)
    to_epoch(secret)
    assert list(queues(secret)) == [epoch]  # waits through its epoch
    secret.seal(300)
    assert queues(secret) == {}
    assert row(secret) == kept
    bring(secret, 6)  # the beacon is back, too late for this one
    secret.seal()
    assert row(secret) == kept
    assert commit(secret, 7).succeeded
    bring(secret, 7)
    to_epoch(secret)
    assert row(secret) == [[0, 21845], [1, 65535]]


def test_one_missing_round_does_not_hold_up_others(secret):
    assert commit(secret, 5, seal(secret, 5, uids=(0,), values=(1,))).succeeded
    assert commit(secret, 6, seal(secret, 6, "//Bob_hk", (1,), (1,)), "//Bob_hk").succeeded
    bring(secret, 6)
    to_epoch(secret)
    assert (row(secret, 0), row(secret, 1)) == (None, [[1, 65535]])
    assert [len(queue) for queue in queues(secret).values()] == [1]


# What doesn't open


@pytest.mark.parametrize(
    "make",
    [
        lambda world: b"no ciphertext",
        lambda world: b"",
        lambda world: seal(world, 6),  # another round
        lambda world: seal(world, 5, named="//Bob_hk"),  # another's, copied
        lambda world: seal(world, 5, uids=(0, 1), values=(1,)),
        lambda world: seal(world, 5, uids=(7,), values=(1,)),
        lambda world: sealed(b"no payload", BEACON.public_key, 5, b"seed"),
        lambda world: sealed(b"", BEACON.public_key, 5, b"seed"),
    ],
)
def test_what_does_not_open_or_fit_is_dropped(secret, make):
    assert commit(secret, 5, make(secret)).succeeded
    bring(secret, 5)
    assert "TimelockedWeightsRevealed" not in to_epoch(secret)
    assert row(secret) is None
    assert queues(secret) == {}


def test_who_lost_the_slot_meanwhile_reveals_nothing(secret):
    ciphertext = seal(secret, 5, "//Bob_hk", (1,), (1,))
    assert commit(secret, 5, ciphertext, "//Bob_hk").succeeded
    del secret.pallets.neurons.uids[NETUID, secret.key("//Bob_hk")]
    bring(secret, 5)
    for _ in range(TEMPO):
        secret.runtime.end()  # the laws know that the slot was taken away by hand
        secret._open()
    assert row(secret, 1) is None


def test_epochs_put_off_open_with_their_epoch(secret):
    assert commit(secret, 5).succeeded
    bring(secret, 5)
    before_epoch(secret)
    secret.pallets.schedule.max_epochs_per_block = 0
    secret.seal()
    assert row(secret) is None
    secret.pallets.schedule.max_epochs_per_block = 1
    secret.seal()
    assert row(secret) is not None


# Errors of the call


def test_commit_timelocked_weights_errors(secret):
    assert commit(secret, 5, version=3).error == "IncorrectCommitRevealVersion"
    assert commit(secret, 5, bytes(5001)).error == "CommitPayloadTooLarge"
    assert commit(secret, 5, netuid=9).error == "MechanismDoesNotExist"
    assert commit(secret, 5, uri="//Charlie_hk").error == "HotKeyNotRegisteredInSubNet"
    bring(secret, 7)
    assert commit(secret, 6).error == "InvalidRevealRound"
    assert commit(secret, 7).succeeded
    secret.admin("stake_threshold", min_stake=10**9)
    assert commit(secret, 7, uri="//Bob_hk").error == "NotEnoughStakeToSetWeights"


def test_commit_timelocked_weights_mechanism_does_not_exist(secret):
    call = {"netuid": 1, "mecid": 1, "commit": b"x", "reveal_round": 9, "commit_reveal_version": 4}
    refused = secret.call(OWNER, "commit_timelocked_mechanism_weights", **call)
    assert refused.error == "MechanismDoesNotExist"


VERSIONED = ("commit_timelocked_mechanism_weights", {"commit_reveal_version": 4})
PLAIN = ("commit_crv3_mechanism_weights", {})


def commit_to_second(world, number, call=VERSIONED):
    name, more = call
    sealed_row = {"netuid": 1, "mecid": 1, "commit": seal(world, number), "reveal_round": number}
    return world.call(OWNER, name, **sealed_row, **more)


@pytest.fixture
def twofold(secret):
    """The same with a second mechanism."""
    assert secret.admin("max_allowed_uids", netuid=1, max_allowed_uids=128).succeeded
    assert secret.admin("mechanism_count", netuid=1, mechanism_count=2).succeeded
    return secret


@pytest.mark.parametrize("call", [VERSIONED, PLAIN])
def test_commits_to_a_second_mechanism_are_opened_there(twofold, call):
    told = commit_to_second(twofold, 5, call).events("TimelockedWeightsCommitted")[0]
    second = storage_index(NETUID, 1)
    assert told.index_ == second
    assert queues(twofold) == {}
    bring(twofold, 5)
    assert "TimelockedWeightsRevealed" in to_epoch(twofold)
    rows = twofold.pallets.rows
    assert rows.rows(second)[0].tolist() == [[0, 21845], [1, 65535]]
    assert row(twofold) is None
    assert dict(rows.timelocked_weight_commits.under(second)) == {}


def test_a_mechanism_that_goes_takes_its_sealed_commits_along(twofold):
    assert commit_to_second(twofold, 5).succeeded
    assert twofold.admin("mechanism_count", netuid=1, mechanism_count=1).succeeded
    assert twofold.admin("mechanism_count", netuid=1, mechanism_count=2).succeeded
    bring(twofold, 5)
    assert "TimelockedWeightsRevealed" not in to_epoch(twofold)
    assert twofold.pallets.rows.rows(storage_index(NETUID, 1)) == {}


def test_commit_timelocked_weights_commit_reveal_disabled(world):
    assert commit(world, 5).error == "CommitRevealDisabled"


def test_commit_timelocked_weights_too_many(secret):
    for _ in range(10):
        assert commit(secret, 5, b"x").succeeded
    assert commit(secret, 5, b"x").error == "TooManyUnrevealedCommits"
    assert commit(secret, 5, b"x", uri="//Bob_hk").succeeded
    to_epoch(secret)
    assert commit(secret, 5, b"x").succeeded  # the limit is per epoch


def test_commit_timelocked_weights_too_fast(secret):
    secret.admin("weights_set_rate_limit", netuid=1, weights_set_rate_limit=5)
    secret.seal(5)
    assert commit(secret, 5).succeeded
    assert commit(secret, 5).error == "CommittingWeightsTooFast"


def test_sealed_commits_mask_newcomers_too(secret):
    assert commit(secret, 5).succeeded
    assert secret.pallets.epochs.snapshot(NETUID, 0).commit_blocks == [secret.height, None]
