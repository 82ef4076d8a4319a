"""Weights in the open, behind a hash and behind a beacon's round; bonds; children."""

from __future__ import annotations

from kit import ALICE, BOB, CHARLIE, chain, cold, done, hot, made, raw, step, sudo, to_next_epoch

BOB_UID = 1
SALT = [7, 7, 7, 7]


def rows() -> dict[int, list[tuple[int, int]]]:
    """Weights by validator."""
    return dict(chain.weights(made["netuid"]))


@step
def stake_gives_a_permit() -> None:
    netuid = made["netuid"]
    to_next_epoch()
    assert chain.get_subnet_validator_permits(netuid)[BOB_UID]


@step
def stake_is_taken_back() -> None:
    # What the owner got with each block so far would outvote Bob, on a slow machine by far.
    netuid = made["netuid"]
    held = chain.get_stake_for_hotkey(hot(ALICE), netuid)
    done(chain.unstake(ALICE, netuid, hot(ALICE), held * 0.95, wait_for_finalization=True))
    assert chain.get_stake_for_hotkey(hot(ALICE), netuid).rao < held.rao / 10


@step
def weights_are_set_in_the_open() -> None:
    before = chain.get_current_block()
    response = chain.set_weights(
        BOB, made["netuid"], uids=[0, 2], weights=[0.5, 1.0], version_key=0
    )
    done(response)
    assert rows()[BOB_UID] == [(0, 32_768), (2, 65_535)]
    age = chain.blocks_since_last_update(made["netuid"], BOB_UID)
    assert age <= chain.get_current_block() - before


@step
def bonds_follow_weights() -> None:
    netuid = made["netuid"]
    to_next_epoch()
    assert dict(dict(chain.bonds(netuid))[BOB_UID])[2] > 0


@step
def mechanisms_have_weights_of_their_own() -> None:
    netuid = made["netuid"]
    sudo("AdminUtils", "sudo_set_max_allowed_uids", netuid=netuid, max_allowed_uids=128)
    sudo("AdminUtils", "sudo_set_mechanism_count", netuid=netuid, mechanism_count=2)
    split = {"netuid": netuid, "maybe_split": [16_384, 49_151]}
    sudo("AdminUtils", "sudo_set_mechanism_emission_split", **split)
    assert chain.get_mechanism_count(netuid) == 2
    assert chain.get_mechanism_emission_split(netuid) == [25, 75]
    first = rows()
    done(chain.set_weights(BOB, netuid, uids=[0, 2], weights=[0.25, 0.75], mechid=1))
    assert chain.weights(netuid, mechid=1) == [(BOB_UID, [(0, 21_845), (2, 65_535)])]
    assert rows() == first
    updates = chain.get_metagraph_info(netuid, mechid=1).last_update
    assert [at > 0 for at in updates[:3]] == [False, True, False]
    to_next_epoch()
    graph = chain.metagraph(netuid, mechid=1)
    assert (graph.mechid, graph.mechanism_count, graph.emissions_split) == (1, 2, [25, 75])
    incentives = chain.get_metagraph_info(netuid, mechid=1).incentives
    assert [round(each, 3) for each in incentives[:3]] == [0.25, 0, 0.75], incentives
    sudo("AdminUtils", "sudo_set_mechanism_count", netuid=netuid, mechanism_count=1)
    assert chain.weights(netuid, mechid=1) == []
    assert chain.get_mechanism_emission_split(netuid) is None


@step
def weights_are_committed_by_hash_and_revealed_an_epoch_later() -> None:
    netuid = made["netuid"]
    sudo("AdminUtils", "sudo_set_commit_reveal_weights_enabled", netuid=netuid, enabled=True)
    # No version: this client puts its default into the hash, whatever it is told.
    row = {"uids": [0, 2], "weights": [65_535, 16_384], "salt": SALT}
    assert not chain.reveal_weights(BOB, netuid, max_attempts=1, **row).success
    to_next_epoch()
    done(chain.commit_weights(BOB, netuid, max_attempts=1, **row))
    assert not chain.reveal_weights(BOB, netuid, max_attempts=1, **row).success
    assert rows()[BOB_UID] == [(0, 32_768), (2, 65_535)]
    to_next_epoch()
    done(chain.reveal_weights(BOB, netuid, max_attempts=1, **row))
    assert rows()[BOB_UID] == [(0, 65_535), (2, 16_384)]


@step
def weights_are_sealed_until_a_round_of_the_beacon() -> None:
    netuid = made["netuid"]
    before = chain.get_current_block()
    response = chain.set_weights(
        BOB, netuid, uids=[0, 2], weights=[0.1, 1.0], block_time=0.25, version_key=0
    )
    done(response)
    who, block, sealed, round_ = chain.get_timelocked_weight_commits(netuid)[0]
    assert (who, bool(sealed)) == (hot(BOB), True)
    assert block >= before - 1
    assert round_ > 0
    assert rows()[BOB_UID] == [(0, 65_535), (2, 16_384)]


@step
def too_few_stake_is_refused_before_a_block() -> None:
    netuid = made["netuid"]
    sudo("AdminUtils", "sudo_set_commit_reveal_weights_enabled", netuid=netuid, enabled=False)
    sudo("AdminUtils", "sudo_set_stake_threshold", min_stake=10**18)
    response = chain.set_weights(
        BOB, netuid, uids=[0], weights=[1.0], version_key=0, max_attempts=1
    )
    assert "Custom error: 1" in str(response.message) + str(response.error), response.message
    sudo("AdminUtils", "sudo_set_stake_threshold", min_stake=0)


@step
def children_wait_and_take_effect() -> None:
    netuid, half = made["netuid"], [(0.5, hot(CHARLIE))]
    done(chain.root_set_pending_childkey_cooldown(ALICE, 3))
    to_next_epoch()
    done(chain.set_children(BOB, netuid, hot(BOB), half))
    pending, block = chain.get_children_pending(hot(BOB), netuid)
    assert [child for _, child in pending] == [hot(CHARLIE)]
    assert block > 0
    for _ in range(2):
        to_next_epoch()
    succeeded, children, _ = chain.get_children(hot(BOB), netuid)
    assert succeeded
    assert [(round(share, 6), child) for share, child in children] == half
    parents = chain.get_parents(hot(CHARLIE), netuid)
    assert [(round(share, 6), parent) for share, parent in parents] == [(0.5, hot(BOB))]
    assert chain.get_children_pending(hot(BOB), netuid) == ([], 0)


@step
def a_child_has_a_take_by_call() -> None:
    choice = {"hotkey": hot(CHARLIE), "netuid": made["netuid"], "take": 6_553}
    done(raw(CHARLIE, "SubtensorModule", "set_childkey_take", **choice))
    found = chain.query_subtensor("ChildkeyTake", params=[hot(CHARLIE), made["netuid"]])
    assert int(getattr(found, "value", found)) == 6_553
    assert chain.get_hotkey_owner(hot(CHARLIE)) == cold(CHARLIE)


@step
def stake_weight_is_a_list() -> None:
    assert all(0 <= share <= 1 for share in chain.get_stake_weight(made["netuid"]))
