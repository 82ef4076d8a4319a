"""What the kit seals is what the chain opens, in the epoch for which it was meant."""

from __future__ import annotations

import pytest

from mycelia.codec import U64, scale
from mycelia.neuron import sealing
from mycelia.neuron.sealing import Beacon, Payload, blocks_to_opening
from mycelia.pallets.drand import QUICKNET
from mycelia.pallets.subtensor.commits import timelock
from mycelia.primitives import NetUid
from mycelia.testing.devchain import DevChain
from mycelia.testing.oracle import Person


def test_the_sdks_beacon_is_the_chains_default() -> None:
    assert QUICKNET.public_key == sealing.QUICKNET_KEY
    assert timelock.CURRENT_VERSION == sealing.COMMIT_VERSION


def test_the_payload_is_the_chains() -> None:
    ours = Payload(b"\x01" * 32, (3, 4), (1, 65_535), U64(9))  # type: ignore[arg-type]
    theirs = timelock.Payload(ours.hotkey, ours.uids, ours.values, ours.version_key)
    assert scale(Payload).encode(ours) == scale(timelock.Payload).encode(theirs)


def test_rounds_follow_the_clock() -> None:
    beacon = Beacon(b"", period_s=3, genesis_s=100)
    assert [beacon.round_at(time_s) for time_s in (0, 100, 102.9, 103, 106)] == [1, 1, 1, 2, 3]


@pytest.fixture(scope="module")
def chain() -> DevChain:
    chain = DevChain()
    assert chain.sudo("AdminUtils", "sudo_set_admin_freeze_window", window=0).succeeded
    hotkey = Person("//Alice_hk").address
    assert chain.submit("//Alice", "SubtensorModule", "register_network", hotkey=hotkey).succeeded
    assert chain.sudo("AdminUtils", "sudo_set_tempo", netuid=1, tempo=7).succeeded
    return chain


@pytest.mark.parametrize("blocks", range(9))
@pytest.mark.parametrize("period", [1, 2, 3])
def test_the_opening_epoch_is_the_chains(chain: DevChain, blocks: int, period: int) -> None:
    then = chain.snapshot()
    chain.seal(blocks)
    schedule, netuid = chain.pallets.schedule, NetUid(1)
    expected = blocks_to_opening(
        chain.height,
        schedule.last_epoch_block[netuid],
        schedule.pending_epoch_at[netuid],
        7,
        period,
    )
    height = chain.height
    chain.seal()
    # The epoch to which a commit in this block belongs; one that was due has run at its beginning.
    target = schedule.index_of(netuid) + period
    while schedule.index_of(netuid) < target:
        chain.seal()
    assert chain.height - height == expected
    chain.revert(then)
