"""The parameter tables and AdminUtils: every row reads its default and is set by its call, inside its bounds."""

import pytest

from mycelia.pallets.subtensor.hyperparameters.admin import AdminUtils, SetParameters
from mycelia.pallets.subtensor.hyperparameters.parameter import (
    UNLIMITED,
    Bounds,
    GlobalParameter,
    Parameter,
)
from mycelia.pallets.subtensor.hyperparameters.table import Hyperparameters, NetworkParameters
from mycelia.primitives import NetUid

NETUID = NetUid(1)
ROWS = [
    row
    for part in (Hyperparameters, NetworkParameters)
    for row, _ in part.spec.storage
    if isinstance(row, Parameter | GlobalParameter) and row.admin
]
BY_INDEX = {spec.index: spec for spec in SetParameters.spec.calls}
VALUES = {
    "max_allowed_uids": 100,
    "min_allowed_uids": 0,
    "max_allowed_validators": 200,
    "burn_increase_mult": 2 << 64,
    "bonds_moving_average": 975_000,
    "alpha_sigmoid_steepness": 5,
    "activity_cutoff_factor_milli": 2_000,
    "max_burn": 5 * 10**9,
    "min_burn": 7,
}


def value_of(row):
    if row.attribute in VALUES:
        return VALUES[row.attribute]
    if row.value is bool:
        return not row.default
    return max(row.admin.bounds.low or 0, 3)


def set_call(row, world, uri, value, netuid=1):
    spec = BY_INDEX[row.admin.index]
    argument = spec.arguments[-1][0]
    wire = {"bits": value} if row.attribute == "burn_increase_mult" else value
    params = {argument: wire, **({"netuid": netuid} if isinstance(row, Parameter) else {})}
    if uri:
        return world.submit(uri, "AdminUtils", spec.name, **params)
    return world.sudo("AdminUtils", spec.name, **params)


def read(row, world):
    if isinstance(row, Parameter):
        return world.pallets.parameters.handles[row.attribute][NETUID]
    return getattr(world.pallets.network, row.attribute)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.attribute)
def test_each_row_is_set_by_its_call(row, world):
    value = value_of(row)
    world.register("//Bob")  # so that the subnet has more than one neuron
    result = set_call(row, world, "", value)
    assert result.error is None
    assert read(row, world) == value
    for event in filter(None, (row.admin.event, row.admin.notice)):
        told = result.events(event.wire_name)[0]
        assert list(vars(told).values())[-1] == value


def test_some_changes_are_told_by_admin_utils_too(world):
    told = [row.admin.notice.wire_name for row in ROWS if row.admin.notice]
    assert sorted(told) == [
        "BondsResetToggled",
        "BurnHalfLifeSet",
        "BurnIncreaseMultSet",
        "SubnetEmissionEnabledSet",
        "Yuma3EnableToggled",
    ]
    result = world.admin("yuma3_enabled", netuid=1, enabled=True)
    entry = next(entry for entry in result.told if entry.pallet == "AdminUtils")
    assert (entry.event.netuid, entry.event.enabled) == (1, True)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.attribute)
def test_strangers_change_nothing(row, world):
    before = read(row, world)
    assert set_call(row, world, "//Bob", value_of(row)).error == "BadOrigin"
    assert read(row, world) == before


OWNED = [row for row in ROWS if row.admin.owner]


LIMITED = [row for row in OWNED if row.admin.owner != UNLIMITED]


@pytest.mark.parametrize("row", LIMITED, ids=lambda row: row.attribute)
def test_owners_wait_between_two_changes(row, bare):
    bare.admin("network_rate_limit", rate_limit=0)
    assert bare.call("//Bob", "register_network", hotkey=bare.address("//Bob_hk")).succeeded
    first = set_call(row, bare, "//Bob", value_of(row))
    assert first.error is None
    assert set_call(row, bare, "//Bob", value_of(row)).error == "TxRateLimitExceeded"
    bare.pallets.network.owner_hyperparam_rate_limit = 0
    bare.pallets.network.weights_version_key_rate_limit = 0
    assert set_call(row, bare, "//Bob", value_of(row)).error is None


@pytest.mark.parametrize("row", [row for row in OWNED if row not in LIMITED])
def test_some_parameters_owners_change_at_will(row, bare):
    bare.call("//Bob", "register_network", hotkey=bare.address("//Bob_hk"))
    for _ in range(2):
        assert set_call(row, bare, "//Bob", True).error is None


def test_root_does_not_wait(world):
    for _ in range(2):
        assert world.admin("rho", netuid=1, rho=3).error is None


def test_childkey_takes_lie_between_the_network_s(world):
    name = "min_childkey_take_per_subnet"
    assert world.admin(name, netuid=1, take=11_796).error is None
    assert world.admin(name, netuid=1, take=11_797).error == "InvalidValue"


@pytest.mark.parametrize("row", OWNED, ids=lambda row: row.attribute)
def test_bounds_are_inclusive(row, world):
    for bounds in {row.admin.bounds, row.admin.owner_bounds} - {Bounds()}:
        above = bounds.above or bounds.error
        for edge, outside, error in ((bounds.low, -1, bounds.error), (bounds.high, 1, above)):
            if edge is not None:
                bounds.check(edge)
                with pytest.raises(error):
                    bounds.check(edge + outside)
    bounds = row.admin.bounds
    if bounds.high is not None and row.attribute != "burn_increase_mult":
        result = set_call(row, world, "", bounds.high + 1)
        assert result.error == (bounds.above or bounds.error).wire_name


def test_weights_are_revealed_after_an_epoch_at_the_earliest(world):
    result = world.admin("commit_reveal_weights_interval", netuid=1, interval=0)
    assert result.error == "RevealPeriodTooSmall"


def test_the_cutoff_s_bounds_have_an_error_of_their_own(world):
    result = world.admin("activity_cutoff_factor", netuid=1, factor_milli=999)
    assert result.error == "ActivityCutoffFactorMilliOutOfBounds"


def test_frozen_parameters_stay_before_an_epoch(world):
    world.admin("admin_freeze_window", window=400)
    refused = world.admin("rho", netuid=1, rho=3)
    assert refused.error == "AdminActionProhibitedDuringWeightsWindow"
    assert world.admin("kappa", netuid=1, kappa=3).succeeded  # not a frozen one
    world.admin("admin_freeze_window", window=0)
    assert world.admin("rho", netuid=1, rho=3).succeeded


FROZEN = [row for row in ROWS if isinstance(row, Parameter) and row.admin.frozen]
OF_SUBNETS = [row for row in ROWS if isinstance(row, Parameter)]


@pytest.mark.parametrize("row", FROZEN, ids=lambda row: row.attribute)
def test_each_frozen_row_stays_before_an_epoch(row, world):
    world.admin("admin_freeze_window", window=400)
    refused = set_call(row, world, "", value_of(row))
    assert refused.error == "AdminActionProhibitedDuringWeightsWindow"


@pytest.mark.parametrize("row", OF_SUBNETS, ids=lambda row: row.attribute)
def test_no_row_is_of_a_subnet_that_is_not_there(row, world):
    assert set_call(row, world, "", value_of(row), netuid=9).error == "SubnetDoesNotExist"


@pytest.mark.parametrize(
    "name", ["burn_increase_mult", "owner_cut_enabled", "subnet_emission_enabled"]
)
def test_some_rows_are_not_the_root_s(name, world):
    row = next(row for row in ROWS if row.attribute == name)
    assert set_call(row, world, "", value_of(row), netuid=0).error == "NotPermittedOnRootSubnet"


def test_burn_increase_mult_invalid_value(world):
    row = next(row for row in ROWS if row.attribute == "burn_increase_mult")
    assert set_call(row, world, "", 4 << 64).error == "InvalidValue"


def test_tempo_and_alpha_values_are_frozen_too(world):
    values = {"netuid": 1, "alpha_low": 2000, "alpha_high": 3000}
    assert world.admin("liquid_alpha_enabled", netuid=1, enabled=True).succeeded
    assert world.submit("//Alice", "AdminUtils", "sudo_set_alpha_values", **values).succeeded
    assert world.submit("//Alice", "AdminUtils", "sudo_set_alpha_values", **values).error == (
        "TxRateLimitExceeded"
    )
    world.admin("admin_freeze_window", window=400)
    frozen = "AdminActionProhibitedDuringWeightsWindow"
    assert world.admin("tempo", netuid=1, tempo=400).error == frozen
    assert world.admin("alpha_values", **values).error == frozen


def test_unknown_subnets_have_no_parameters(world):
    assert world.admin("kappa", netuid=9, kappa=3).error == "SubnetDoesNotExist"
    assert world.admin("tempo", netuid=9, tempo=3).error == "SubnetDoesNotExist"
    assert (
        world.admin("alpha_values", netuid=9, alpha_low=2000, alpha_high=3000).error
        == "SubnetDoesNotExist"
    )


def test_the_root_has_no_slot_price(world):
    result = world.admin("burn_half_life", netuid=0, burn_half_life=3)
    assert result.error == "NotPermittedOnRootSubnet"


def test_parameters_that_compare_with_others(world):
    for name, value, error in (
        ("max_allowed_uids", 63, "MaxAllowedUidsLessThanMinAllowedUids"),
        ("max_allowed_uids", 257, "MaxAllowedUidsGreaterThanDefaultMaxAllowedUids"),
        ("min_allowed_uids", 256, "MinAllowedUidsGreaterThanMaxAllowedUids"),
        ("min_allowed_uids", 1, "MinAllowedUidsGreaterThanCurrentUids"),
        ("max_allowed_validators", 257, "MaxValidatorsLargerThanMaxUIds"),
        ("max_burn", 500_000, "ValueNotInBounds"),
    ):
        assert world.admin(name, netuid=1, **{name: value}).error == error
    world.admin("max_burn", netuid=1, max_burn=200_000_000)
    assert world.admin("min_burn", netuid=1, min_burn=200_000_000).error == "ValueNotInBounds"
    world.admin("min_allowed_uids", netuid=1, min_allowed_uids=0)
    world.register("//Bob")
    result = world.admin("max_allowed_uids", netuid=1, max_allowed_uids=1)
    assert result.error == "MaxAllowedUIdsLessThanCurrentUIds"


def test_owner_bounds_are_narrower(bare):
    bare.call("//Bob", "register_network", hotkey=bare.address("//Bob_hk"))
    for call, value, error in (
        ("sudo_set_bonds_moving_average", 975_001, "BondsMovingAverageMaxReached"),
        ("sudo_set_alpha_sigmoid_steepness", -1, "NegativeSigmoidSteepness"),
        ("sudo_set_network_registration_allowed", False, "InvalidValue"),
    ):
        argument = next(s for s in SetParameters.spec.calls if s.name == call).arguments[-1][0]
        params = {"netuid": 1, argument: value}
        assert bare.submit("//Bob", "AdminUtils", call, **params).error == error
        assert bare.sudo("AdminUtils", call, **params).succeeded


def test_tempo_restarts_the_count(world):
    world.seal(3)
    result = world.admin("tempo", netuid=1, tempo=20)
    assert result.events("TempoSet")[0].value == 20
    assert world.pallets.schedule.blocks_until_epoch(NETUID) == 20


def test_owners_choose_tempos_within_bounds(bare):
    bare.call("//Bob", "register_network", hotkey=bare.address("//Bob_hk"))

    def set_tempo(tempo):
        return bare.submit("//Bob", "AdminUtils", "sudo_set_tempo", netuid=1, tempo=tempo)

    assert set_tempo(359).error == "TempoOutOfBounds"
    assert set_tempo(50_401).error == "TempoOutOfBounds"
    assert set_tempo(360).succeeded
    assert set_tempo(361).error == "TxRateLimitExceeded"


def test_alpha_values(world):
    def choose(low, high):
        return world.admin("alpha_values", netuid=1, alpha_low=low, alpha_high=high).error

    assert choose(2000, 3000) == "LiquidAlphaDisabled"
    assert world.admin("liquid_alpha_enabled", netuid=1, enabled=True).succeeded
    assert choose(2000, 3000) is None
    assert world.pallets.parameters.alpha_values[NETUID] == (2000, 3000)
    assert choose(1637, 1637) == "AlphaHighTooLow"
    assert choose(1637, 1638) == choose(3000, 2000) == "AlphaLowOutOfRange"
    assert choose(1638, 1638) is None


def test_proof_of_work_stays_off(world):
    result = world.admin("network_pow_registration_allowed", netuid=1, registration_allowed=True)
    assert result.error == "POWRegistrationDisabled"


def test_calls_have_the_chains_indexes():
    by_name = {
        spec.name: spec.index for spec in (*SetParameters.spec.calls, *AdminUtils.spec.calls)
    }
    for name, index in (
        ("sudo_set_serving_rate_limit", 3),
        ("sudo_set_weights_version_key", 6),
        ("sudo_set_immunity_period", 13),
        ("sudo_set_tempo", 30),
        ("sudo_set_commit_reveal_weights_enabled", 49),
        ("sudo_set_bonds_penalty", 60),
        ("sudo_set_burn_half_life", 89),
    ):
        assert by_name[name] == index


def test_activity_cutoff_follows_the_tempo(world):
    assert world.pallets.parameters.activity_cutoff_blocks(NETUID) == 5000
    world.admin("tempo", netuid=1, tempo=20)
    assert world.pallets.parameters.activity_cutoff_blocks(NETUID) == 277
