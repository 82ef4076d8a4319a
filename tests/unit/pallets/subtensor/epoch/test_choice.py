"""Choosing among Yuma 2, Yuma 3 and its corrected form; the compatible switch stays in charge."""

import pytest

from mycelia.pallets.subtensor.epoch import MYCELIA, YUMA2, YUMA3
from mycelia.primitives import Alpha, NetUid

NETUID = NetUid(1)


def choose(world, uri, rules, netuid=1):
    return world.submit(uri, "EpochRules", "set_rules", netuid=netuid, rules=rules)


def rules_of(world):
    return world.pallets.epochs.snapshot(NETUID, Alpha(0)).rules


@pytest.mark.parametrize(
    ("name", "rules"), [("Yuma2", YUMA2), ("Yuma3", YUMA3), ("Mycelia", MYCELIA)]
)
def test_the_owner_chooses(world, name, rules):
    assert choose(world, "//Alice", "Mycelia" if name != "Mycelia" else "Yuma2").succeeded
    assert world.sudo("EpochRules", "set_rules", netuid=1, rules=name).succeeded
    assert rules_of(world) == rules
    switch = world.pallets.parameters.yuma3_on[NETUID]
    assert switch == (rules != YUMA2)


def test_what_was_chosen_is_told(world):
    done = choose(world, "//Alice", "Mycelia")
    assert [type(event.rules).__name__ for event in done.events("RulesChosen")] == ["Mycelia"]


def test_the_compatible_switch_stays_in_charge(world):
    assert world.sudo("EpochRules", "set_rules", netuid=1, rules="Mycelia").succeeded
    assert world.admin("yuma3_enabled", netuid=1, enabled=False).succeeded
    assert rules_of(world) == YUMA2
    assert world.admin("yuma3_enabled", netuid=1, enabled=True).succeeded
    assert rules_of(world) == MYCELIA


def test_set_rules_bad_origin(world):
    assert choose(world, "//Bob", "Mycelia").error == "BadOrigin"
    assert rules_of(world) == YUMA2


def test_set_rules_subnet_not_exists(world):
    done = world.sudo("EpochRules", "set_rules", netuid=77, rules="Mycelia")
    assert done.error == "SubnetNotExists"


def test_set_rules_tx_rate_limit_exceeded(world):
    assert choose(world, "//Alice", "Mycelia").succeeded
    assert choose(world, "//Alice", "Yuma3").error == "TxRateLimitExceeded"
    switch = world.submit(
        "//Alice", "AdminUtils", "sudo_set_yuma3_enabled", netuid=1, enabled=False
    )
    assert switch.error == "TxRateLimitExceeded"


def test_set_rules_admin_action_prohibited_during_weights_window(world):
    assert world.admin("admin_freeze_window", window=65_535).succeeded
    assert choose(world, "//Alice", "Mycelia").error == "AdminActionProhibitedDuringWeightsWindow"
    assert rules_of(world) == YUMA2
