"""Weights by hash: the window of the reveal, the queue, batches, and what the epoch makes of commits."""

import pytest

from mycelia.pallets.subtensor.commits.kernel import commit_hash
from mycelia.primitives import NetUid

NETUID = NetUid(1)
OWNER = "//Alice_hk1"
ROW = ([0, 1], [1, 3])
SALT = [1, 2, 3]


def hash_of(world, uri=OWNER, row=ROW, salt=SALT, version=0, index=1):
    return commit_hash(world.key(uri), index, *row, salt, version)


def commit(world, uri=OWNER, netuid=1, **content):
    hash_ = "0x" + hash_of(world, uri, **content).hex()
    return world.call(uri, "commit_weights", netuid=netuid, commit_hash=hash_)


def reveal(world, uri=OWNER, row=ROW, salt=SALT, version=0, netuid=1, **mechanism):
    name = "reveal_mechanism_weights" if mechanism else "reveal_weights"
    uids, values = row
    return world.call(
        uri,
        name,
        netuid=netuid,
        uids=uids,
        values=values,
        salt=salt,
        version_key=version,
        **mechanism,
    )


def reveal_batch(world, *rows, salts=None, versions=None):
    return world.call(
        OWNER,
        "batch_reveal_weights",
        netuid=1,
        uids_list=[uids for uids, _ in rows],
        values_list=[values for _, values in rows],
        salts_list=[SALT] * len(rows) if salts is None else salts,
        version_keys=[0] * len(rows) if versions is None else versions,
    )


def next_epoch(world, epochs=1):
    """Go to the first block of a later epoch."""
    schedule = world.pallets.schedule
    target = schedule.index_of(NETUID) + epochs
    while schedule.index_of(NETUID) < target:
        world.seal()


def stored(world, uid=0):
    return world.pallets.rows.rows(NETUID)[uid].tolist()


def waiting(world, uri=OWNER):
    return world.pallets.rows.weight_commits[1, world.key(uri)]


@pytest.fixture
def secret(world):
    """Bob's neuron is uid 1; weights are committed, with a tempo of 10 and no rate limit."""
    assert world.register("//Bob").succeeded
    assert world.admin("tempo", netuid=1, tempo=10).succeeded
    assert world.admin("commit_reveal_weights_enabled", netuid=1, enabled=True).succeeded
    world.seal()
    return world


def test_committed_in_one_epoch_revealed_in_the_next(secret):
    made_at = secret.height
    committed = commit(secret)
    told = committed.events("WeightsCommitted")[0]
    assert (told.hotkey, told.index_, told.commit) == (secret.key(OWNER), 1, hash_of(secret))
    epoch = secret.pallets.schedule.index_of(NETUID)
    assert waiting(secret) == ((hash_of(secret), epoch, made_at, 0),)
    assert secret.pallets.results.last_update[1][0] == made_at
    next_epoch(secret)
    revealed = reveal(secret)
    assert revealed.events("WeightsRevealed")[0].commit == hash_of(secret)
    assert revealed.events("WeightsSet")[0].uid == 0
    assert stored(secret) == [[0, 21845], [1, 65535]]
    assert waiting(secret) is None
    assert secret.pallets.results.last_update[1][0] == made_at  # the commit was the activity


def test_the_hash_is_the_one_of_clients(secret):
    """As published: BLAKE2-256 of the SCALE tuple (hotkey, netuid, uids, values, salt, version)."""
    import hashlib

    def vec(values):
        return bytes([len(values) << 2]) + b"".join(v.to_bytes(2, "little") for v in values)

    data = secret.key(OWNER) + (1).to_bytes(2, "little") + vec(ROW[0]) + vec(ROW[1]) + vec(SALT)
    expected = hashlib.blake2b(data + (7).to_bytes(8, "little"), digest_size=32).digest()
    assert hash_of(secret, version=7) == expected


def test_both_calls_of_the_first_mechanism_are_the_same(secret):
    hash_ = "0x" + hash_of(secret).hex()
    mechanism = {"netuid": 1, "mecid": 0, "commit_hash": hash_}
    assert secret.call(OWNER, "commit_mechanism_weights", **mechanism).succeeded
    next_epoch(secret)
    assert reveal(secret, mecid=0).succeeded


def test_commit_weights_mechanism_does_not_exist(secret):
    hash_ = "0x" + hash_of(secret).hex()
    call = {"netuid": 1, "mecid": 1, "commit_hash": hash_}
    assert secret.call(OWNER, "commit_mechanism_weights", **call).error == "MechanismDoesNotExist"
    assert reveal(secret, mecid=1).error == "NoWeightsCommitFound"


def test_commit_weights_without_a_subnet(secret):
    assert commit(secret, netuid=9).error == "MechanismDoesNotExist"


def test_commit_weights_commit_reveal_disabled(world):
    assert commit(world).error == "CommitRevealDisabled"
    assert reveal(world).error == "NoWeightsCommitFound"


def test_reveal_weights_commit_reveal_disabled(secret):
    """What was committed while the subnet took commits; first the commit is looked for."""
    assert commit(secret).succeeded
    next_epoch(secret)
    secret.admin("commit_reveal_weights_enabled", netuid=1, enabled=False)
    assert reveal(secret, salt=[9]).error == "InvalidRevealCommitHashNotMatch"
    assert reveal(secret).error == "CommitRevealDisabled"
    assert reveal_batch(secret, ROW).error == "CommitRevealDisabled"


def test_commit_weights_not_registered(secret):
    assert commit(secret, "//Charlie_hk").error == "HotKeyNotRegisteredInSubNet"


def test_commit_weights_not_enough_stake(secret):
    secret.admin("stake_threshold", min_stake=10**9)
    assert commit(secret, "//Bob_hk").error == "NotEnoughStakeToSetWeights"
    assert commit(secret).succeeded  # the owner's hotkey is exempt


def test_commit_weights_too_fast(secret):
    secret.admin("weights_set_rate_limit", netuid=1, weights_set_rate_limit=5)
    secret.seal(5)
    assert commit(secret).succeeded
    secret.seal(4)
    assert commit(secret).error == "CommittingWeightsTooFast"
    secret.seal()
    assert commit(secret).succeeded


def test_commit_weights_too_many(secret):
    secret.admin("commit_reveal_weights_interval", netuid=1, interval=2)
    for salt in range(10):
        assert commit(secret, salt=[salt]).succeeded
    assert commit(secret, salt=[10]).error == "TooManyUnrevealedCommits"
    assert commit(secret, "//Bob_hk").succeeded  # the limit is each validator's own
    next_epoch(secret, 3)
    assert commit(secret, salt=[10]).succeeded  # expired ones make room
    assert len(waiting(secret)) == 1


def test_reveal_weights_too_early(secret):
    secret.admin("commit_reveal_weights_interval", netuid=1, interval=2)
    assert commit(secret).succeeded
    for _ in range(2):
        assert reveal(secret).error == "RevealTooEarly"
        next_epoch(secret)
    assert reveal(secret).succeeded


def test_reveal_weights_expired(secret):
    assert commit(secret).succeeded
    next_epoch(secret, 2)
    assert reveal(secret).error == "ExpiredWeightCommit"
    assert reveal(secret, salt=[9]).error == "NoWeightsCommitFound"
    assert secret.pallets.rows.rows(NETUID) == {}


def test_reveal_weights_no_commit(secret):
    assert reveal(secret).error == "NoWeightsCommitFound"


@pytest.mark.parametrize(
    "change", [{"row": ([0, 1], [3, 1])}, {"salt": [1]}, {"version": 1}, {"row": ([1, 0], [1, 3])}]
)
def test_reveal_weights_hash_not_match(secret, change):
    assert commit(secret).succeeded
    next_epoch(secret)
    assert reveal(secret, **change).error == "InvalidRevealCommitHashNotMatch"
    assert reveal(secret).succeeded


def test_nobody_reveals_what_another_committed(secret):
    assert commit(secret).succeeded
    assert commit(secret, "//Bob_hk", row=([1], [1])).succeeded
    next_epoch(secret)
    assert reveal(secret, "//Bob_hk").error == "InvalidRevealCommitHashNotMatch"


def test_a_revealed_row_is_checked_like_any_other(secret):
    secret.admin("min_allowed_weights", netuid=1, min_allowed_weights=2)
    secret.pallets.parameters.max_weights_limit[NETUID] = 40_000
    secret.admin("weights_version_key", netuid=1, weights_version_key=7)
    rows = {
        "WeightVecNotEqualSize": ([0, 1], [1]),
        "DuplicateUids": ([1, 1], [1, 1]),
        "UidVecContainInvalidOne": ([1, 5], [1, 1]),
        "UidsLengthExceedUidsInSubNet": ([0, 1, 2], [1, 1, 1]),
        "WeightVecLengthIsLow": ([1], [1]),
        "MaxWeightExceeded": ([0, 1], [1, 9]),
    }
    for row in rows.values():
        assert commit(secret, row=row, version=7).succeeded
    assert commit(secret, version=6).succeeded
    next_epoch(secret)
    for error, row in rows.items():
        assert reveal(secret, row=row, version=7).error == error
    assert reveal(secret, version=6).error == "IncorrectWeightVersionKey"
    assert len(waiting(secret)) == 7  # a failed reveal leaves the queue


def test_reveal_without_permit_and_stake(secret):
    for uri in ("//Bob_hk", OWNER):
        assert commit(secret, uri).succeeded
    next_epoch(secret)
    assert reveal(secret, "//Bob_hk").error == "NeuronNoValidatorPermit"
    secret.admin("stake_threshold", min_stake=10**9)
    assert reveal(secret, "//Bob_hk").error == "NotEnoughStakeToSetWeights"
    assert reveal(secret).succeeded


def test_revealing_a_later_commit_drops_earlier_ones(secret):
    for salt in ([1], [2], [3]):
        assert commit(secret, salt=salt).succeeded
    next_epoch(secret)
    assert reveal(secret, salt=[2]).succeeded
    assert reveal(secret, salt=[1]).error == "InvalidRevealCommitHashNotMatch"
    assert reveal(secret, salt=[3]).succeeded


def test_a_commit_in_the_block_of_a_due_epoch_belongs_to_the_next(secret):
    """The epoch ran at the block's beginning, so the counter has moved by the time of the call."""
    next_epoch(secret)
    epoch = secret.pallets.schedule.index_of(NETUID)
    assert commit(secret).succeeded
    assert waiting(secret)[0][1] == epoch


# Batches


def test_a_batch_of_reveals_is_all_or_nothing(secret):
    first, second = ([0, 1], [1, 1]), ([0, 1], [1, 2])
    for row in (first, second):
        assert commit(secret, row=row).succeeded
    next_epoch(secret)
    missing = ([0, 1], [9, 1])
    assert reveal_batch(secret, first, missing).error == "InvalidRevealCommitHashNotMatch"
    assert secret.pallets.rows.rows(NETUID) == {}
    assert reveal_batch(secret, first, first).error == "InvalidRevealCommitHashNotMatch"
    done = reveal_batch(secret, first, second)
    told = done.events("WeightsBatchRevealed")[0]
    assert told.commits == (hash_of(secret, row=first), hash_of(secret, row=second))
    assert stored(secret) == [[0, 32768], [1, 65535]]
    assert waiting(secret) is None


def test_batch_reveal_errors(secret):
    assert reveal_batch(secret, ROW).error == "NoWeightsCommitFound"
    assert commit(secret).succeeded
    assert reveal_batch(secret, ROW, salts=[]).error == "InputLengthsUnequal"
    assert reveal_batch(secret, ROW, versions=[0, 0]).error == "InputLengthsUnequal"
    assert reveal_batch(secret, ROW).error == "RevealTooEarly"
    next_epoch(secret, 2)
    assert reveal_batch(secret, ROW).error == "ExpiredWeightCommit"


def test_a_batch_of_commits_goes_on_after_errors(secret):
    hash_ = "0x" + hash_of(secret).hex()
    result = secret.call(
        OWNER, "batch_commit_weights", netuids=[9, 1, 8], commit_hashes=[hash_] * 3
    )
    assert result.succeeded
    failed = result.events("BatchWeightItemFailed")
    assert [each.netuid for each in failed] == [9, 8]
    assert failed[0].error.error.index == 7
    assert failed[0].error.error.error[0] == 74  # MechanismDoesNotExist
    assert len(result.events("BatchCompletedWithErrors")) == 1
    assert result.events("BatchWeightsCompleted")[0].netuids == (9, 1, 8)
    assert len(waiting(secret)) == 1


def test_batch_commit_errors(secret):
    lengths = {"netuids": [1, 1], "commit_hashes": ["0x" + bytes(32).hex()]}
    assert secret.call(OWNER, "batch_commit_weights", **lengths).error == "InputLengthsUnequal"
    secret.admin("stake_threshold", min_stake=10**9)
    one = {"netuids": [1], "commit_hashes": ["0x" + bytes(32).hex()]}
    refused = secret.call("//Bob_hk", "batch_commit_weights", **one)
    assert refused.error == "NotEnoughStakeToSetWeights"


def test_a_batch_of_rows(world):
    assert world.register("//Bob").succeeded
    rows = [[(0, 1), (1, 3)], [(0, 1)]]
    batch = {"netuids": [1, 9], "weights": rows, "version_keys": [0, 0]}
    result = world.call(OWNER, "batch_set_weights", **batch)
    assert result.succeeded
    assert stored(world) == [[0, 21845], [1, 65535]]
    assert [each.netuid for each in result.events("BatchWeightItemFailed")] == [9]
    clean = world.call(OWNER, "batch_set_weights", netuids=[1], weights=rows[:1], version_keys=[0])
    assert not clean.events("BatchCompletedWithErrors")
    unequal = {"netuids": [1], "weights": rows, "version_keys": [0]}
    assert world.call(OWNER, "batch_set_weights", **unequal).error == "InputLengthsUnequal"
    world.admin("stake_threshold", min_stake=10**9)
    refused = world.call("//Bob_hk", "batch_set_weights", **batch)
    assert refused.error == "NotEnoughStakeToSetWeights"


# What the epoch makes of commits


def test_weights_committed_before_a_miner_registered_do_not_reach_it(secret):
    """Who takes over a slot between commit and reveal must not inherit what was said of the last holder."""
    assert commit(secret).succeeded
    epochs = secret.pallets.epochs
    blocks = epochs.snapshot(NETUID, 0).commit_blocks
    assert blocks == [secret.height, None]
    secret.seal()
    assert secret.register("//Charlie").succeeded  # uid 2, after the commit
    next_epoch(secret)
    snapshot = epochs.snapshot(NETUID, 0)
    assert snapshot.commit_blocks[0] < snapshot.registered_at[2]
    next_epoch(secret, 2)
    assert epochs.snapshot(NETUID, 0).commit_blocks[0] is None  # expired commits mask nothing
