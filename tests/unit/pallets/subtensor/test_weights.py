"""Setting weights: the checks in order, and what is stored."""

import pytest

from mycelia.primitives import NetUid, Uid

TAO = 10**9
NETUID = NetUid(1)
OWNER = "//Alice_hk1"


def set_weights(world, uri=OWNER, uids=(0, 1), values=(1, 3), version=0, netuid=1, **mechanism):
    name = "set_mechanism_weights" if mechanism else "set_weights"
    return world.call(
        uri,
        name,
        netuid=netuid,
        dests=list(uids),
        weights=list(values),
        version_key=version,
        **mechanism,
    )


@pytest.fixture
def peopled(world):
    """Bob's neuron is uid 1, without permit; Alice's, uid 0, is the owner's."""
    assert world.register("//Bob").succeeded
    return world


def test_a_row_is_scaled_and_dated(peopled):
    peopled.seal(5)
    result = set_weights(peopled)
    told = result.events("WeightsSet")[0]
    assert (told.index_, told.uid) == (1, 0)
    assert peopled.pallets.rows.rows(NETUID)[0].tolist() == [[0, 21845], [1, 65535]]
    assert peopled.pallets.results.last_update[1].tolist()[0] == peopled.height
    assert set_weights(peopled, mecid=0).succeeded


def test_setting_weights_costs_nothing(peopled):
    owner = peopled.pallets.balances.free_balance(peopled.key(OWNER))
    assert set_weights(peopled).succeeded
    assert peopled.pallets.balances.free_balance(peopled.key(OWNER)) == owner == 0


def test_an_empty_row_is_stored_where_no_weights_are_asked_for(peopled):
    peopled.admin("min_allowed_weights", netuid=1, min_allowed_weights=0)
    assert set_weights(peopled, uids=(), values=()).succeeded
    assert peopled.pallets.rows.rows(NETUID)[0].tolist() == []


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"values": (1,)}, "WeightVecNotEqualSize"),
        ({"netuid": 9}, "CommitRevealEnabled"),
        ({"mecid": 1}, "MechanismDoesNotExist"),
        ({"uids": (0, 1, 2), "values": (1, 1, 1)}, "UidsLengthExceedUidsInSubNet"),
        ({"uri": "//Charlie_hk"}, "HotKeyNotRegisteredInSubNet"),
        ({"uri": "//Bob_hk"}, "NeuronNoValidatorPermit"),
        ({"uids": (1, 1)}, "DuplicateUids"),
        ({"uids": (1, 5)}, "UidVecContainInvalidOne"),
    ],
)
def test_set_weights_errors(peopled, change, error):
    assert set_weights(peopled, **change).error == error


def test_set_weights_commit_reveal_enabled(peopled):
    peopled.admin("commit_reveal_weights_enabled", netuid=1, enabled=True)
    assert set_weights(peopled).error == "CommitRevealEnabled"


def test_set_weights_without_a_subnet_and_on_the_root(peopled):
    peopled.pallets.parameters.commit_reveal_weights_enabled[NetUid(9)] = False
    assert set_weights(peopled, netuid=9).error == "MechanismDoesNotExist"
    peopled.pallets.parameters.commit_reveal_weights_enabled[NetUid(0)] = False
    assert set_weights(peopled, netuid=0).error == "CanNotSetRootNetworkWeights"


def test_set_weights_not_enough_stake(peopled):
    peopled.admin("stake_threshold", min_stake=TAO)
    self_row = {"uri": "//Bob_hk", "uids": (1,), "values": (1,)}
    assert set_weights(peopled, **self_row).error == "NotEnoughStakeToSetWeights"
    assert set_weights(peopled).succeeded  # the owner's hotkey is exempt
    peopled.stake("//Bob", "//Bob_hk", 2 * TAO)
    assert set_weights(peopled, **self_row).succeeded  # a self weight needs no permit


def test_set_weights_incorrect_weight_version_key(peopled):
    peopled.admin("weights_version_key", netuid=1, weights_version_key=7)
    assert set_weights(peopled, version=6).error == "IncorrectWeightVersionKey"
    assert set_weights(peopled, version=8).succeeded


def test_set_weights_too_fast(peopled):
    peopled.admin("weights_set_rate_limit", netuid=1, weights_set_rate_limit=5)
    peopled.seal(5)
    assert set_weights(peopled).succeeded
    peopled.seal(4)
    assert set_weights(peopled).error == "SettingWeightsTooFast"
    peopled.seal()
    assert set_weights(peopled).succeeded


def test_set_weights_weight_vec_length_is_low(peopled):
    peopled.admin("min_allowed_weights", netuid=1, min_allowed_weights=5)
    # Two neurons exist, so two weights are asked for.
    assert set_weights(peopled, uids=(1,), values=(1,)).error == "WeightVecLengthIsLow"
    assert set_weights(peopled).succeeded


def test_set_weights_max_weight_exceeded(peopled):
    peopled.pallets.parameters.max_weights_limit[NETUID] = 40_000
    assert set_weights(peopled, values=(1, 3)).error == "MaxWeightExceeded"
    assert set_weights(peopled, values=(2, 3)).succeeded


def test_a_permit_lets_anybody_weigh(peopled):
    permits = peopled.pallets.results.validator_permit[NETUID].copy()
    permits[1] = True
    peopled.pallets.results.validator_permit[NETUID] = permits
    assert set_weights(peopled, uri="//Bob_hk").succeeded
    assert Uid(1) in peopled.pallets.rows.rows(NETUID)
