"""What owners do to their subnets: mechanisms, slots, their own hotkey."""

import pytest

from mycelia.pallets.subtensor.registration.trimming import kept_uids
from mycelia.primitives import Alpha, NetUid, Uid

TAO = 10**9
NETUID = NetUid(1)


def act(world, name, uri="//Alice", netuid=NETUID, **params):
    return world.submit(uri, "AdminUtils", f"sudo_{name}", netuid=netuid, **params)


@pytest.fixture
def crowded(world):
    """Slots 0 to 5 on a subnet whose neurons are not immune; uid 2 earned least, then 4, 3, 5, 1."""
    world.admin("min_allowed_uids", netuid=NETUID, min_allowed_uids=0)
    world.admin("immunity_period", netuid=NETUID, immunity_period=0)
    for n in range(5):
        assert world.register("//Bob", f"//Bob_hk{n}").succeeded
    world.pallets.results.emission[NETUID] = tuple(Alpha(e) for e in (0, 50, 10, 30, 20, 40))
    world.pallets.rows.set(NETUID, Uid(3), [0, 1, 2, 5], [1, 2, 3, 4])
    world.pallets.rows.set(NETUID, Uid(2), [5], [9])
    world.seal()
    return world


def trim(world, slots, uri="//Alice"):
    return act(world, "trim_to_max_allowed_uids", uri, max_n=slots)


def test_trimming_takes_the_least_earning_but_spares_the_owner(crowded):
    hotkeys = crowded.pallets.neurons.hotkeys(NETUID)
    assert trim(crowded, 4).error is None
    # The owner's uid 0 earned nothing and stays; 2 and 4 earned least of the others.
    assert crowded.pallets.neurons.hotkeys(NETUID) == [hotkeys[uid] for uid in (0, 1, 3, 5)]
    assert crowded.pallets.parameters.max_allowed_uids[NETUID] == 4
    assert crowded.pallets.results.emission[NETUID] == (0, 50, 30, 40)
    assert not crowded.pallets.neurons.has(NETUID, hotkeys[2])
    crowded.seal(3)


def test_trimming_renumbers_weights(crowded):
    assert trim(crowded, 4).error is None
    rows = crowded.pallets.rows.rows(NETUID)
    # Uid 3 is 2 now; what it said of 2 is gone, of 5 is said of 3.
    assert {uid: row.tolist() for uid, row in rows.items()} == {2: [[0, 1], [1, 2], [3, 4]]}


def test_columns_are_as_long_as_there_are_neurons(crowded):
    trim(crowded, 3)
    graph = crowded.pallets.subnet_views.get_metagraph(NETUID)
    columns = (graph.active, graph.last_update, graph.emission, graph.dividends, graph.consensus)
    assert {len(column) for column in columns} == {3}


def test_trimming_without_surplus_only_lowers_the_limit(crowded):
    assert trim(crowded, 200).error is None
    assert crowded.pallets.neurons.size(NETUID) == 6
    assert crowded.pallets.parameters.max_allowed_uids[NETUID] == 200


@pytest.mark.parametrize("slots", [63, 257])
def test_trim_invalid_value(world, slots):
    assert trim(world, slots).error == "InvalidValue"


def test_trim_subnet_not_exists(world):
    params = {"netuid": 9, "max_n": 64}
    result = world.sudo("AdminUtils", "sudo_trim_to_max_allowed_uids", **params)
    assert result.error == "SubnetNotExists"


def test_trimming_would_exceed_max_immune_percentage(crowded):
    assert crowded.admin("immunity_period", netuid=NETUID, immunity_period=100).error is None
    assert trim(crowded, 5).error == "TrimmingWouldExceedMaxImmunePercentage"
    assert crowded.pallets.neurons.size(NETUID) == 6


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("trim_to_max_allowed_uids", {"max_n": 100}),
        ("set_mechanism_count", {"mechanism_count": 1}),
        ("set_mechanism_emission_split", {"maybe_split": [65535]}),
    ],
)
def test_owners_wait_and_strangers_may_not(world, name, params):
    assert act(world, name, "//Bob", **params).error == "BadOrigin"
    assert act(world, name, **params).error is None
    assert act(world, name, **params).error == "TxRateLimitExceeded"
    world.pallets.network.admin_freeze_window = 400
    frozen = world.sudo("AdminUtils", f"sudo_{name}", netuid=NETUID, **params)
    assert frozen.error == "AdminActionProhibitedDuringWeightsWindow"


@pytest.mark.parametrize(("count", "error"), [(0, "InvalidValue"), (3, "InvalidValue")])
def test_set_mechanism_count_invalid_value(world, count, error):
    assert act(world, "set_mechanism_count", mechanism_count=count).error == error


def test_more_mechanisms_leave_room_for_fewer_slots_each(world):
    assert act(world, "set_mechanism_count", mechanism_count=2).error == "TooManyUIDsPerMechanism"
    trim(world, 128)
    assert act(world, "set_mechanism_count", mechanism_count=2).error is None
    assert world.pallets.parameters.mechanism_count_current[NETUID] == 2


@pytest.mark.parametrize(
    ("name", "value"), [("mechanism_count", 1), ("mechanism_emission_split", None)]
)
def test_mechanism_does_not_exist(world, name, value):
    argument = "maybe_split" if "split" in name else name
    result = world.admin(name, netuid=9, **{argument: value})
    assert result.error == "MechanismDoesNotExist"


@pytest.mark.parametrize("split", [[], [65534], [32767, 32768]])
def test_splits_must_add_up(world, split):
    assert act(world, "set_mechanism_emission_split", maybe_split=split).error == "InvalidValue"


def test_a_split_is_shown_and_taken_back(world):
    splits = world.pallets.mechanisms.mechanism_emission_split
    assert act(world, "set_mechanism_emission_split", maybe_split=[65535]).error is None
    assert splits[NETUID] == (65535,)
    assert world.admin("mechanism_emission_split", netuid=1, maybe_split=None).error is None
    assert splits[NETUID] is None


def test_the_limit_of_mechanisms_is_root_s(world):
    assert world.admin("max_mechanism_count", max_mechanism_count=0).error == "InvalidValue"
    assert world.admin("max_mechanism_count", max_mechanism_count=17).error == "InvalidValue"
    assert world.admin("max_mechanism_count", max_mechanism_count=16).error is None
    assert world.pallets.network.max_mechanism_count == 16


@pytest.mark.parametrize("name", ["set_sn_owner_hotkey", "set_subnet_owner_hotkey"])
def test_the_owner_s_hotkey(world, name):
    hotkey = world.address("//Alice_other")
    assert act(world, name, "//Bob", hotkey=hotkey).error == "BadOrigin"
    result = act(world, name, hotkey=hotkey)
    assert result.error is None
    assert world.pallets.subnets.subnet_owner_hotkey[NETUID] == world.key("//Alice_other")
    assert act(world, name, hotkey=hotkey).error == "TxRateLimitExceeded"
    missing = world.sudo("AdminUtils", f"sudo_{name}", netuid=9, hotkey=hotkey)
    assert missing.error == "SubnetNotExists"


@pytest.mark.parametrize("name", ["set_sn_owner_hotkey", "set_subnet_owner_hotkey"])
def test_a_subnet_s_account_is_no_owner_s_hotkey(world, name):
    account = "0x" + world.pallets.subnet_views.get_subnet_account_id(NETUID).hex()
    result = act(world, name, hotkey=account)
    assert result.error == "CannotUseSystemAccount"


def test_of_equal_emissions_the_highest_uid_goes():
    assert kept_uids([5, 5, 5], (), 2) == [0, 1]
    assert kept_uids([1, 2, 3], (0,), 2) == [0, 2]
    assert kept_uids([1, 2, 3], (), 9) == [0, 1, 2]
