"""Each call that sets, commits or reveals weights, against each fault that it names, in the order it finds them.

One caller has every fault there is. What the call names is mended, and so on until it succeeds: so each step
shows an outcome, and that the faults which are still there come later. What does not fit into one such
row of faults stands below it.

Source of the order: subtensor@14bc6f9 `guards/check_{weights,rate_limits}.rs`, `subnets/weights.rs`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from mycelia.codec import U64
from mycelia.pallets.subtensor.commits.kernel import commit_hash
from mycelia.pallets.subtensor.epoch.results import storage_index
from mycelia.primitives import NetUid
from tests.unit.pallets.subtensor.conftest import PEOPLE, TAO, SubnetWorld

NETUID, ROOT, NOWHERE = NetUid(1), NetUid(0), NetUid(9)
OWNER, VALIDATOR, STRANGER = "//Alice_hk1", "//Bob_hk", "//Charlie_hk"
SALT = [7]
LEAST_VERSION = 7
LAST_ROUND = 5
"""Newest round of the beacon, which the sealed commits' own is later than."""
MISSING = 2
"""A mechanism the subnet does not have: it has two."""

SETTING: Final = ("set_weights", "set_mechanism_weights")
HASHED: Final = ("commit_weights", "commit_mechanism_weights")
SEALED: Final = (
    "commit_timelocked_weights",
    "commit_timelocked_mechanism_weights",
    "commit_crv3_mechanism_weights",
)
REVEALING: Final = ("reveal_weights", "reveal_mechanism_weights", "batch_reveal_weights")


def mechanism_of(form: str) -> int:
    """The first mechanism, but the second where a call can name one."""
    return int("mechanism" in form)


class Caller:
    """Who makes a call, with what; each attempt changes some of it."""

    def __init__(self, world: Any, form: str, **fields: Any) -> None:
        self.world, self.form = world, form
        self.fields: dict[str, Any] = {
            "uri": VALIDATOR,
            "netuid": NETUID,
            "mecid": mechanism_of(form),
            "uids": (0, 1),
            "values": (1, 1),
            "version": LEAST_VERSION,
            "salt": SALT,
            "ciphertext": b"sealed",
            "round": LAST_ROUND + 1,
            "format": 4,
        } | fields

    def tries(self, **change: Any) -> str | None:
        """The error of the call with the fields changed for good."""
        self.fields |= change
        fields = self.fields
        params = {"netuid": fields["netuid"]}
        if "mechanism" in self.form:
            params["mecid"] = fields["mecid"]
        params |= self._content()
        error: str | None = self.world.call(fields["uri"], self.form, **params).error
        return error

    def _content(self) -> dict[str, Any]:
        fields, form = self.fields, self.form
        row = {"uids": fields["uids"], "values": fields["values"], "version_key": fields["version"]}
        if form in SETTING:
            return {"dests": row.pop("uids"), "weights": row.pop("values"), **row}
        if form in HASHED:
            return {"commit_hash": "0x" + self.hash_of().hex()}
        if form == "batch_reveal_weights":
            lists = {"values_list": [row["values"]], "salts_list": [fields["salt"]]}
            return {"uids_list": [row["uids"]], **lists, "version_keys": [fields["version"]]}
        if form in REVEALING:
            return {**row, "salt": fields["salt"]}
        sealed = {"commit": fields["ciphertext"], "reveal_round": fields["round"]}
        if form != "commit_crv3_mechanism_weights":  # which means the current one
            sealed["commit_reveal_version"] = fields["format"]
        return sealed

    def hash_of(self) -> bytes:
        fields = self.fields
        index = storage_index(fields["netuid"], fields["mecid"])
        row = (fields["uids"], fields["values"], fields["salt"], fields["version"])
        return commit_hash(self.world.key(fields["uri"]), index, *row)

    def commits(self, **fields: Any) -> None:
        """Commit what this caller would reveal with other fields, on the subnet that takes commits."""
        error = Caller(self.world, "commit_mechanism_weights", **self.fields | fields).tries()
        assert error is None, error


def peopled() -> SubnetWorld:
    """Two mechanisms; uid 0 is the owner's, uid 1 a validator's without permit."""
    world = SubnetWorld({"//Alice": 10_000_000 * TAO, **dict.fromkeys(PEOPLE, 100_000 * TAO)})
    assert world.admin("admin_freeze_window", window=0).succeeded
    world.create_subnet()
    assert world.register("//Bob").succeeded
    for name, value in (
        ("tempo", {"tempo": 10}),
        ("max_allowed_uids", {"max_allowed_uids": 64}),
        ("mechanism_count", {"mechanism_count": MISSING}),
        ("weights_version_key", {"weights_version_key": LEAST_VERSION}),
        ("min_allowed_weights", {"min_allowed_weights": 2}),
    ):
        done = world.admin(name, netuid=NETUID, **value)
        assert done.succeeded, (name, done.error)
    world.pallets.parameters.max_weights_limit[NETUID] = 40_000
    world.seal(5)
    return world


@pytest.fixture(scope="module")
def plain() -> SubnetWorld:
    return peopled()


@pytest.fixture(scope="module")
def secret() -> SubnetWorld:
    """The same where weights are committed, and a round of the beacon is known."""
    world = peopled()
    take_commits(world, enabled=True)
    world.pallets.drand.last_stored_round = U64(LAST_ROUND)
    return world


@pytest.fixture
def openly(plain: SubnetWorld) -> Iterator[SubnetWorld]:
    """A world that no test changes for the next one."""
    with plain.runtime.state.read_only():
        yield plain


@pytest.fixture
def secretly(secret: SubnetWorld) -> Iterator[SubnetWorld]:
    """A world that no test changes for the next one."""
    with secret.runtime.state.read_only():
        yield secret


def take_commits(world: Any, *, enabled: bool) -> None:
    done = world.admin("commit_reveal_weights_enabled", netuid=NETUID, enabled=enabled)
    assert done.succeeded, done.error


def ask_for_stake(world: Any, least: int) -> None:
    assert world.admin("stake_threshold", min_stake=least).succeeded


def limit_rate(world: Any, blocks: int) -> None:
    done = world.admin("weights_set_rate_limit", netuid=NETUID, weights_set_rate_limit=blocks)
    assert done.succeeded, done.error


def permit(world: Any) -> None:
    permits = world.pallets.results.validator_permit[NETUID].copy()
    permits[1] = True
    world.pallets.results.validator_permit[NETUID] = permits


def go_on(world: Any, epochs: int = 1) -> None:
    """Let the subnet's epochs go by, as far as commits know."""
    world.pallets.schedule.subnet_epoch_index[NETUID] += epochs


ROWS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("WeightVecNotEqualSize", {"uids": (5, 5, 5), "values": (1, 9), "version": 0}),
    ("UidsLengthExceedUidsInSubNet", {"values": (1, 9, 9)}),
    ("IncorrectWeightVersionKey", {"uids": (5, 5), "values": (1, 9)}),
    ("NeuronNoValidatorPermit", {"version": LEAST_VERSION}),
    ("DuplicateUids", {}),
    ("UidVecContainInvalidOne", {"uids": (5,), "values": (9,)}),
    ("WeightVecLengthIsLow", {"uids": (0,)}),
    ("MaxWeightExceeded", {"uids": (0, 1), "values": (1, 9)}),
)
"""Faults of a row, each with what mended the last one."""


def find_faults_of_rows(caller: Caller) -> None:
    """Each row is refused, and for its first fault; the last has none."""
    for error, change in ROWS:
        if error == "DuplicateUids":
            permit(caller.world)
        assert caller.tries(**change) == error
    assert caller.tries(values=(1, 1)) is None


@pytest.mark.parametrize("form", SETTING)
def test_faults_of_setting_weights(openly: Any, form: str) -> None:
    own_weight = {"uids": (1,), "values": (1,)}
    assert Caller(openly, form, **own_weight).tries() is None  # anybody may
    caller = Caller(openly, form, **dict(ROWS)["WeightVecNotEqualSize"])
    ask_for_stake(openly, TAO)
    limit_rate(openly, 100)
    assert caller.tries() == "NotEnoughStakeToSetWeights"
    ask_for_stake(openly, 0)
    assert caller.tries() == "SettingWeightsTooFast"
    limit_rate(openly, 0)
    find_faults_of_rows(caller)


@pytest.mark.parametrize("form", SETTING)
def test_setting_weights_where_they_are_committed(secretly: Any, form: str) -> None:
    caller = Caller(secretly, form, **dict(ROWS)["WeightVecNotEqualSize"])
    ask_for_stake(secretly, TAO)
    limit_rate(secretly, 100)
    assert caller.tries() == "NotEnoughStakeToSetWeights"
    ask_for_stake(secretly, 0)
    assert caller.tries() == "CommitRevealEnabled"


@pytest.mark.parametrize("form", SETTING)
def test_setting_weights_where_there_are_none(openly: Any, form: str) -> None:
    for netuid in (ROOT, NOWHERE):
        openly.pallets.parameters.commit_reveal_weights_enabled[netuid] = False
    caller = Caller(openly, form, values=(1,))
    assert caller.tries(netuid=ROOT) == "CanNotSetRootNetworkWeights"
    assert caller.tries(netuid=NOWHERE) == "WeightVecNotEqualSize"
    assert caller.tries(values=(1, 1)) == "MechanismDoesNotExist"
    assert caller.tries(netuid=NETUID, uri=STRANGER, uids=(0, 1, 2), values=(1, 1, 1)) == (
        "UidsLengthExceedUidsInSubNet"
    )
    assert caller.tries(uids=(0, 1), values=(1, 1), version=0) == "HotKeyNotRegisteredInSubNet"


def test_a_mechanism_that_is_missing_is_named_before_the_rate_limit(openly: Any) -> None:
    limit_rate(openly, 100)
    caller = Caller(openly, "set_mechanism_weights", mecid=MISSING)
    assert caller.tries() == "MechanismDoesNotExist"
    take_commits(openly, enabled=True)
    caller = Caller(openly, "commit_mechanism_weights", mecid=MISSING)
    assert caller.tries() == "MechanismDoesNotExist"


def fill_queue(caller: Caller) -> None:
    for salt in range(10):
        assert caller.tries(salt=[salt], ciphertext=bytes([salt])) is None


@pytest.mark.parametrize("form", HASHED)
def test_faults_of_committing_a_hash(secretly: Any, form: str) -> None:
    caller = Caller(secretly, form)
    fill_queue(caller)
    ask_for_stake(secretly, TAO)
    limit_rate(secretly, 100)
    take_commits(secretly, enabled=False)
    assert caller.tries() == "NotEnoughStakeToSetWeights"
    ask_for_stake(secretly, 0)
    assert caller.tries() == "CommittingWeightsTooFast"
    limit_rate(secretly, 0)
    assert caller.tries(uri=STRANGER, netuid=NOWHERE) == "MechanismDoesNotExist"
    assert caller.tries(netuid=NETUID) == "CommitRevealDisabled"
    take_commits(secretly, enabled=True)
    assert caller.tries() == "HotKeyNotRegisteredInSubNet"
    assert caller.tries(uri=VALIDATOR) == "TooManyUnrevealedCommits"
    go_on(secretly, 2)
    assert caller.tries() is None


@pytest.mark.parametrize("form", SEALED)
def test_faults_of_committing_sealed_weights(secretly: Any, form: str) -> None:
    network = secretly.pallets.subnets.network
    caller = Caller(secretly, form)
    fill_queue(caller)
    ask_for_stake(secretly, TAO)
    limit_rate(secretly, 100)
    take_commits(secretly, enabled=False)
    network.commit_reveal_weights_version += 1
    too_large = {"ciphertext": bytes(5_001), "round": LAST_ROUND - 1}
    assert caller.tries(uri=STRANGER, netuid=NOWHERE, **too_large) == "CommitPayloadTooLarge"
    assert caller.tries(ciphertext=b"sealed") == "NotEnoughStakeToSetWeights"
    ask_for_stake(secretly, 0)
    assert caller.tries() == "InvalidRevealRound"
    assert caller.tries(round=LAST_ROUND) == "MechanismDoesNotExist"
    assert caller.tries(netuid=NETUID) == "CommitRevealDisabled"
    take_commits(secretly, enabled=True)
    assert caller.tries() == "IncorrectCommitRevealVersion"
    network.commit_reveal_weights_version -= 1
    assert caller.tries() == "HotKeyNotRegisteredInSubNet"
    assert caller.tries(uri=VALIDATOR) == "CommittingWeightsTooFast"
    limit_rate(secretly, 0)
    assert caller.tries() == "TooManyUnrevealedCommits"
    go_on(secretly)
    assert caller.tries() is None


@pytest.mark.parametrize("form", REVEALING)
def test_faults_of_revealing_weights(secretly: Any, form: str) -> None:
    caller = Caller(secretly, form, **dict(ROWS)["WeightVecNotEqualSize"])
    caller.commits(salt=[1])
    go_on(secretly)
    for _, change in ROWS:
        caller.fields |= change
        caller.commits()
    caller.commits(values=(1, 1))
    caller.fields |= dict(ROWS)["WeightVecNotEqualSize"]
    ask_for_stake(secretly, TAO)
    take_commits(secretly, enabled=False)
    assert caller.tries(salt=[9]) == "NotEnoughStakeToSetWeights"
    ask_for_stake(secretly, 0)
    assert caller.tries(uri=STRANGER) == "NoWeightsCommitFound"
    assert caller.tries(uri=VALIDATOR) == "InvalidRevealCommitHashNotMatch"
    assert caller.tries(salt=SALT) == "RevealTooEarly"
    go_on(secretly)
    assert caller.tries(salt=[1]) == "ExpiredWeightCommit"
    assert caller.tries(salt=SALT) == "CommitRevealDisabled"
    take_commits(secretly, enabled=True)
    find_faults_of_rows(caller)


@pytest.mark.parametrize("form", REVEALING)
def test_who_lost_its_slot_cannot_reveal(secretly: Any, form: str) -> None:
    caller = Caller(secretly, form)
    caller.commits()
    go_on(secretly)
    parameters = secretly.pallets.parameters
    parameters.immunity_period[NETUID] = parameters.min_non_immune_uids[NETUID] = 0
    parameters.max_allowed_uids[NETUID] = 2
    assert secretly.register("//Charlie").succeeded
    assert caller.tries(version=LEAST_VERSION) == "HotKeyNotRegisteredInSubNet"


@pytest.mark.parametrize("form", REVEALING)
def test_what_was_committed_on_the_root_is_no_weights(secretly: Any, form: str) -> None:
    assert secretly.call("//Bob", "root_register", hotkey=secretly.address(VALIDATOR)).succeeded
    secretly.pallets.parameters.weights_set_rate_limit[ROOT] = 0
    tempo = secretly.pallets.parameters.tempo
    tempo[ROOT] = 100 * secretly.height  # its epoch comes due once, and never runs
    caller = Caller(secretly, form, netuid=ROOT, mecid=0, values=(1,))
    caller.commits()
    assert caller.tries() == "RevealTooEarly"
    tempo[ROOT] = 1
    assert caller.tries() == "CanNotSetRootNetworkWeights"


def test_only_a_registered_hotkey_of_the_owner_needs_no_stake(openly: Any) -> None:
    ask_for_stake(openly, TAO)
    assert Caller(openly, "set_weights", uri=OWNER).tries() is None
    openly.pallets.subnets.subnet_owner_hotkey[NETUID] = openly.key(STRANGER)
    assert Caller(openly, "set_weights", uri=STRANGER).tries() == "NotEnoughStakeToSetWeights"
