"""Children: named, waiting, in effect; their weight, their pay, their take."""

import pytest

from mycelia.pallets.network.pallet import NetworkRules
from mycelia.primitives import NetUid
from mycelia.primitives.fixed import U64_MAX
from mycelia.runtime import GenesisConfig, Rules, Runtime
from mycelia.state import MemoryStore, Overlay

TAO = 10**9
NETUID = NetUid(1)
HALF = U64_MAX // 2
PARENT, CHILD, OTHER = "//Bob_hk", "//Charlie_hk", "//Dave_hk"


def name_children(world, *children, uri="//Bob", parent=PARENT, netuid=1):
    named = [(share, world.address(child)) for share, child in children]
    return world.call(
        uri, "set_children", hotkey=world.address(parent), netuid=netuid, children=named
    )


def take(world, value, uri="//Charlie", hotkey=CHILD, netuid=1):
    return world.call(
        uri, "set_childkey_take", hotkey=world.address(hotkey), netuid=netuid, take=value
    )


def children_of(world, uri=PARENT, netuid=1):
    return {who: share for share, who in world.pallets.stakes.child_keys[world.key(uri), netuid]}


def parents_of(world, uri, netuid=1):
    return {who: share for share, who in world.pallets.stakes.parent_keys[world.key(uri), netuid]}


def weight(world, uri):
    return world.pallets.stakes.stake_weight_q64(world.key(uri), NETUID) >> 64


def pot(world, uri):
    return int(world.pallets.stakes.total_of(world.key(uri), NETUID))


def to_epoch(world):
    schedule = world.pallets.schedule
    used = schedule.index_of(NETUID)
    while schedule.index_of(NETUID) == used:
        world.seal()


@pytest.fixture
def family(world):
    """Bob, Charlie and Dave have neurons, Bob and Charlie stake; children wait for no cooldown."""
    for uri in ("//Bob", "//Charlie", "//Dave"):
        assert world.register(uri).succeeded
    assert world.admin("tempo", netuid=1, tempo=10).succeeded
    assert world.stake("//Bob", PARENT, 300 * TAO).succeeded
    assert world.stake("//Charlie", CHILD, 100 * TAO).succeeded
    assert world.sudo("SubtensorModule", "set_pending_childkey_cooldown", cooldown=0).succeeded
    world.seal(2)
    return world


@pytest.fixture
def lent(family):
    """Bob lends all to Charlie."""
    assert name_children(family, (U64_MAX, CHILD)).succeeded
    to_epoch(family)
    return family


# Naming


def test_a_cooldown_without_end_is_a_block_like_any_other(family):
    family.sudo("SubtensorModule", "set_pending_childkey_cooldown", cooldown=U64_MAX)
    told = name_children(family, (HALF, CHILD)).events("SetChildrenScheduled")
    assert told[0].block == U64_MAX
    family.seal()


def test_children_wait_for_the_cooldown_and_an_epoch(family):
    family.sudo("SubtensorModule", "set_pending_childkey_cooldown", cooldown=12)
    result = name_children(family, (HALF, CHILD), (1, OTHER))
    told = result.events("SetChildrenScheduled")[0]
    named = ((HALF, family.key(CHILD)), (1, family.key(OTHER)))
    assert (told.hotkey, told.netuid, told.children) == (family.key(PARENT), 1, named)
    assert told.block == family.height + 12
    pending = family.pallets.stakes.pending_child_keys
    assert pending[NETUID, family.key(PARENT)] == (named, told.block)
    to_epoch(family)
    assert family.height <= told.block
    assert children_of(family) == {}
    to_epoch(family)
    assert children_of(family) == {family.key(CHILD): HALF, family.key(OTHER): 1}
    assert parents_of(family, CHILD) == {family.key(PARENT): HALF}
    assert dict(pending.under(NETUID)) == {}
    assert "SetChildren" in [type(told.event).__name__ for told in family.runtime.state.told]


def test_before_the_start_children_take_effect_at_once(family):
    family.admin("network_rate_limit", rate_limit=0)
    created = family.call("//Dave", "register_network", hotkey=family.address("//Dave_own"))
    assert created.succeeded, created.error
    assert name_children(family, (HALF, CHILD), netuid=2).events("SetChildren")
    assert children_of(family, netuid=2) == {family.key(CHILD): HALF}


def test_naming_again_replaces_all(family):
    assert name_children(family, (HALF, CHILD), (5, OTHER)).succeeded
    to_epoch(family)
    family.seal(150)
    assert name_children(family, (7, OTHER)).succeeded
    to_epoch(family)
    assert children_of(family) == {family.key(OTHER): 7}
    assert parents_of(family, CHILD) == {}
    assert parents_of(family, OTHER) == {family.key(PARENT): 7}
    family.seal(150)
    assert name_children(family).succeeded
    to_epoch(family)
    assert (children_of(family), parents_of(family, OTHER)) == ({}, {})


def test_a_child_has_several_parents(lent):
    assert name_children(lent, (HALF, CHILD), uri="//Dave", parent=OTHER).succeeded
    to_epoch(lent)
    assert parents_of(lent, CHILD) == {lent.key(PARENT): U64_MAX, lent.key(OTHER): HALF}


def test_set_children_errors(family):
    six = [(1, f"//Child{number}") for number in range(6)]
    for error, call in {
        "RegistrationNotPermittedOnRootSubnet": {"netuid": 0},
        "SubnetNotExists": {"netuid": 9},
        "NonAssociatedColdKey": {"uri": "//Charlie"},
    }.items():
        assert name_children(family, (1, CHILD), **call).error == error
    for error, children in {
        "DuplicateChild": [(1, CHILD), (2, CHILD)],
        "InvalidChild": [(1, PARENT)],
        "TooManyChildren": six,
        "ProportionOverflow": [(U64_MAX, CHILD), (1, OTHER)],
    }.items():
        assert name_children(family, *children).error == error
    assert name_children(family, *six[:5]).succeeded
    assert name_children(family, (1, CHILD)).error == "TxRateLimitExceeded"


def test_set_children_child_parent_inconsistency(lent):
    back = name_children(lent, (1, PARENT), uri="//Charlie", parent=CHILD)
    assert back.error == "ChildParentInconsistency"


def test_of_two_that_name_each_other_the_later_is_left_out(family):
    assert name_children(family, (HALF, CHILD)).succeeded
    assert name_children(family, (HALF, PARENT), uri="//Charlie", parent=CHILD).succeeded
    to_epoch(family)
    assert len(children_of(family)) + len(children_of(family, CHILD)) == 1


def test_set_children_not_enough_stake(family):
    family.admin("stake_threshold", min_stake=200 * TAO)
    poor = {"uri": "//Charlie", "parent": CHILD}
    assert name_children(family, (1, OTHER), **poor).error == "NotEnoughStakeToSetChildkeys"
    assert name_children(family, **poor).succeeded  # naming none needs none
    assert name_children(family, (1, OTHER)).succeeded
    owner = {"uri": "//Alice", "parent": "//Alice_hk1"}
    assert name_children(family, (1, OTHER), **owner).succeeded  # the owner's hotkey is exempt
    family.admin("stake_threshold", min_stake=10**6 * TAO)
    to_epoch(family)
    assert children_of(family) == {}  # Bob's stake is below the threshold by now
    assert children_of(family, "//Alice_hk1") == {family.key(OTHER): 1}


# Weight and pay


def test_lent_stake_counts_for_the_child(family):
    own, child_had = weight(family, PARENT), weight(family, CHILD)
    assert name_children(family, (HALF, CHILD)).succeeded
    to_epoch(family)
    grown = pot(family, PARENT) - own  # what the epoch paid on the way
    rounding = (own + grown) // 2**32 + 2  # a share has 32 fraction bits
    assert 0 <= weight(family, PARENT) - (own + grown) // 2 <= rounding
    assert weight(family, CHILD) >= child_had + own // 2 - rounding


def test_lent_stake_gives_a_permit(lent):
    lent.admin("max_allowed_validators", netuid=1, max_allowed_validators=1)
    to_epoch(lent)
    permits = lent.pallets.results.validator_permit[NETUID].tolist()
    assert permits == [True, False, True, False]  # the owner, who always has one, and the child


def say(world, setter, uid):
    return world.call(setter, "set_weights", netuid=1, dests=[uid], weights=[1], version_key=0)


def epoch_pay(world):
    """What an epoch adds to the pots of parent and child when the child backs Dave, uid 3."""
    to_epoch(world)
    assert say(world, CHILD, 3).succeeded
    to_epoch(world)
    before = pot(world, PARENT), pot(world, CHILD)
    to_epoch(world)
    return pot(world, PARENT) - before[0], pot(world, CHILD) - before[1]


def test_dividends_go_to_who_lent_the_stake(lent):
    to_parent, to_child = epoch_pay(lent)
    assert to_parent > 2 * to_child > 0
    share = pot(lent, PARENT) / (pot(lent, PARENT) + pot(lent, CHILD))
    assert abs(to_parent / (to_parent + to_child) - share) < 0.01


def test_a_child_takes_its_share(lent):
    assert take(lent, 11_796).succeeded
    to_parent, to_child = epoch_pay(lent)
    share = pot(lent, PARENT) / (pot(lent, PARENT) + pot(lent, CHILD))
    assert abs(to_parent / (to_parent + to_child) - 0.82 * share) < 0.01


def test_a_subnet_that_goes_takes_its_families_along(lent):
    assert take(lent, 5).succeeded
    lent.pallets.dissolution.dissolve(NETUID)
    assert (children_of(lent), parents_of(lent, CHILD)) == ({}, {})
    assert dict(lent.pallets.families.childkey_take.items()) == {}


# Take


def test_the_take_is_between_bounds_and_rises_seldom(family):
    told = take(family, 100).events("ChildKeyTakeSet")[0]
    assert (told.hotkey, told.take) == (family.key(CHILD), 100)
    assert take(family, 101).error == "TxChildkeyTakeRateLimitExceeded"
    assert take(family, 100).succeeded
    assert take(family, 50).succeeded
    family.sudo("SubtensorModule", "sudo_set_tx_childkey_take_rate_limit", tx_rate_limit=2)
    family.seal(2)
    assert take(family, 11_797).error == "InvalidChildkeyTake"
    assert take(family, 11_796).succeeded
    assert take(family, 1, uri="//Bob").error == "NonAssociatedColdKey"


def test_the_least_take_holds_for_those_below_it(family):
    families = family.pallets.families
    told = family.sudo("SubtensorModule", "sudo_set_min_childkey_take", take=200)
    assert told.events("MinChildKeyTakeSet")[0].take == 200
    assert families.take_of(family.key(CHILD), NETUID) == 200
    family.pallets.parameters.min_childkey_take_per_subnet[NETUID] = 300
    assert families.take_of(family.key(CHILD), NETUID) == 300
    assert take(family, 299).error == "InvalidChildkeyTake"
    assert take(family, 400).succeeded
    assert families.take_of(family.key(CHILD), NETUID) == 400
    told = family.sudo("SubtensorModule", "sudo_set_max_childkey_take", take=350)
    assert told.events("MaxChildKeyTakeSet")[0].take == 350
    assert take(family, 360).error == "InvalidChildkeyTake"


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("sudo_set_tx_childkey_take_rate_limit", "tx_rate_limit"),
        ("sudo_set_min_childkey_take", "take"),
        ("sudo_set_max_childkey_take", "take"),
        ("set_pending_childkey_cooldown", "cooldown"),
    ],
)
def test_only_root_sets_limits(family, name, argument):
    assert family.call("//Bob", name, **{argument: 5}).error == "BadOrigin"
    assert family.sudo("SubtensorModule", name, **{argument: 5}).succeeded


# New subnets


def test_a_new_subnets_hotkey_is_the_child_of_the_root_network(family):
    for uri, hotkey in (("//Bob", PARENT), ("//Charlie", CHILD)):
        joined = family.call(uri, "root_register", hotkey=family.address(hotkey))
        assert joined.succeeded, joined.error
        family.seal()
    family.admin("network_rate_limit", rate_limit=0)
    declined = {"hotkey": family.address(CHILD), "enabled": False}
    told = family.call("//Charlie", "set_auto_parent_delegation_enabled", **declined)
    assert told.events("AutoParentDelegationEnabledSet")[0].enabled is False
    created = family.call("//Dave", "register_network", hotkey=family.address("//Dave_own"))
    assert created.events("SetChildren")[0].hotkey == family.key(PARENT)
    assert parents_of(family, "//Dave_own", 2) == {family.key(PARENT): U64_MAX}


def test_set_auto_parent_delegation_errors(family):
    call = {"hotkey": family.address(PARENT), "enabled": False}
    assert (
        family.call("//Charlie", "set_auto_parent_delegation_enabled", **call).error
        == "NonAssociatedColdKey"
    )
    assert (
        family.call("//Bob", "set_auto_parent_delegation_enabled", **call).error
        == "HotKeyNotRegisteredInSubNet"
    )


def test_children_of_a_fast_network_may_change_after_15_blocks(family):
    family.pallets.rules.rules = NetworkRules(is_fast=True)
    assert name_children(family, (U64_MAX, CHILD)).succeeded
    family.seal(14)
    assert name_children(family).error == "TxRateLimitExceeded"
    family.seal()
    assert name_children(family).succeeded


def test_a_fast_network_waits_less():
    journal = Overlay(MemoryStore().head())
    runtime = Runtime(journal, Rules(is_fast=True))
    runtime.genesis(GenesisConfig())
    assert runtime.pallets.children.pending_child_key_cooldown == 15
    assert runtime.pallets.children.tx_childkey_take_rate_limit == 5
