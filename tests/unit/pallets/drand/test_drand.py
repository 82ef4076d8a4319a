"""Rounds of a beacon on the chain: genuine ones of quicknet, and of a beacon of one's own."""

import json
from pathlib import Path

import pytest

from mycelia.pallets.drand import QUICKNET
from mycelia.pallets.drand.local import MAX_AT_ONCE, local_beacon, pulse_of, pulses_due, round_at
from mycelia.pallets.drand.pallet import MAX_KEPT, MAX_REMOVED
from mycelia.testing.world import World

DATA = json.loads(Path("tests/vectors/data/quicknet.json").read_text())
PUBLISHED = {
    entry["round"]: (bytes.fromhex(entry["randomness"]), bytes.fromhex(entry["signature"]))
    for entry in DATA["rounds"]
}
SECRET = b"\x05" * 32
SIGNER = {"Sr25519": "0x" + "00" * 32}


def bring(world, *pulses, uri="//Alice"):
    """Bring pulses, as (round, randomness, signature)."""
    shown = [
        {"round": number, "randomness": randomness, "signature": signature}
        for number, randomness, signature in pulses
    ]
    payload = {"block_number": 0, "pulses": shown, "public": SIGNER}
    return world.submit(uri, "Drand", "write_pulse", pulses_payload=payload, signature=None)


def own(number):
    pulse = pulse_of(SECRET, number)
    return (number, pulse.randomness, pulse.signature)


def config_of(beacon):
    fields = vars(beacon) | {"metadata": vars(beacon.metadata)}
    return {"block_number": 0, "config": fields, "public": SIGNER}


@pytest.fixture
def world():
    """Quicknet is believed."""
    return World()


@pytest.fixture
def local(world):
    """A beacon of our own is believed."""
    config = config_of(local_beacon(SECRET))
    told = world.sudo("Drand", "set_beacon_config", config_payload=config, signature=None)
    assert told.events("BeaconConfigChanged")
    return world


def test_the_beacon_is_quicknet_as_published(world):
    config = world.pallets.drand.beacon_config
    assert config == QUICKNET
    assert config.public_key.hex() == DATA["public_key"]
    assert config.hash.hex() == DATA["chain_hash"]
    assert (config.period, config.genesis_time) == (DATA["period_s"], DATA["genesis_time_s"])
    assert config.scheme_id.decode() == DATA["scheme"]


def test_published_rounds_are_kept(world):
    for number, (randomness, signature) in PUBLISHED.items():
        told = bring(world, (number, randomness, signature)).events("NewPulse")
        assert told[0].rounds == (number,)
        assert world.pallets.drand.signature_of(number) == signature
    world.seal()
    assert world.pallets.drand.last_stored_round == max(PUBLISHED)
    assert (
        world.pallets.drand.oldest_stored_round == min(PUBLISHED) + MAX_REMOVED
    )  # over a week apart
    assert world.pallets.drand.signature_of(1) is None


def test_write_pulse_unverified(world):
    (randomness, signature), (_, other) = PUBLISHED[1000], PUBLISHED[123]
    assert bring(world, (1001, randomness, signature)).error == "UnverifiedPulse"
    assert bring(world, (1000, bytes(32), signature)).error == "UnverifiedPulse"
    assert bring(world, (1000, randomness, other)).error == "UnverifiedPulse"
    assert bring(world, own(1000)).error == "UnverifiedPulse"
    assert bring(world).error == "UnverifiedPulse"
    assert bring(world, (1000, randomness, signature), own(1001)).error == "UnverifiedPulse"
    assert world.pallets.drand.last_stored_round == 0


def test_write_pulse_verification_error(world):
    randomness, signature = PUBLISHED[1000]
    for bad in (b"", signature[:-1], b"\xff" * 48, b"\xc0" + bytes(47)):
        assert bring(world, (1000, randomness, bad)).error == "PulseVerificationError"


def test_write_pulse_invalid_round_number(local):
    assert bring(local, own(7)).succeeded
    assert bring(local, own(7)).error == "InvalidRoundNumber"
    assert bring(local, own(6)).error == "InvalidRoundNumber"  # older than the oldest
    assert bring(local, own(0)).error == "InvalidRoundNumber"


def test_rounds_come_in_any_order(local):
    for number in (7, 9, 8):
        assert bring(local, own(number)).succeeded
    assert local.pallets.drand.last_stored_round == 9
    assert local.pallets.drand.signature_of(8) == own(8)[2]
    local.seal()


def test_root_brings_no_pulses(local):
    payload = {"block_number": 0, "pulses": [], "public": SIGNER}
    assert (
        local.sudo("Drand", "write_pulse", pulses_payload=payload, signature=None).error
        == "BadOrigin"
    )


def test_old_rounds_are_removed_a_hundred_at_a_time(local):
    drand = local.pallets.drand
    for number in range(1, 4):
        assert bring(local, own(number)).succeeded
    assert bring(local, own(MAX_KEPT + 1)).succeeded
    assert (drand.oldest_stored_round, drand.signature_of(1)) == (2, None)
    assert drand.signature_of(2) is not None
    assert bring(local, own(2 * MAX_KEPT)).succeeded
    assert drand.oldest_stored_round == 2 + MAX_REMOVED
    assert drand.signature_of(3) is None
    local.seal()


def test_only_root_configures(local):
    config = config_of(QUICKNET)
    refused = local.submit(
        "//Alice", "Drand", "set_beacon_config", config_payload=config, signature=None
    )
    assert refused.error == "BadOrigin"
    told = local.sudo("Drand", "set_oldest_stored_round", oldest_round=5)
    assert told.events("SetOldestStoredRound")[0].round == 5
    assert bring(local, own(4)).error == "InvalidRoundNumber"
    refused = local.submit("//Alice", "Drand", "set_oldest_stored_round", oldest_round=1)
    assert refused.error == "BadOrigin"


def test_rounds_of_a_local_beacon_follow_the_clock():
    beacon = local_beacon(SECRET, period_s=3, genesis_s=100)
    assert [round_at(beacon, now) for now in (0, 99, 100, 102, 103)] == [0, 0, 1, 1, 2]
    assert pulses_due(SECRET, beacon, 0, 50) == ()
    assert [pulse.round for pulse in pulses_due(SECRET, beacon, 0, 112)] == [5]
    assert [pulse.round for pulse in pulses_due(SECRET, beacon, 2, 112)] == [3, 4, 5]
    assert pulses_due(SECRET, beacon, 5, 112) == ()
    assert len(pulses_due(SECRET, beacon, 2, 10_000)) == MAX_AT_ONCE
    assert pulses_due(SECRET, beacon, 2, 112)[0] == pulse_of(SECRET, 3)
