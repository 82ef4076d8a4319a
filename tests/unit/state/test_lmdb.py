"""What only the store on disk must do: other processes, restarts, growth, pruning, power."""

import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from mycelia.primitives.errors import Bug
from mycelia.state import Accumulators, values_before
from mycelia.state.errors import StateDiscarded, StoreLocked, StoreMissing
from mycelia.state.lmdb import LmdbStore

ITEM = b"i" * 32


class Process:
    """Another process that runs a program line by line with us: `ask` sends one line, gives the answer."""

    def __init__(self, program, *args):
        self.child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program), *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def ask(self, line=""):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        return self.hear()

    def hear(self):
        return self.child.stdout.readline().strip()

    def kill(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.child.stdin.close()
        self.child.stdout.close()


READER = """
    import sys
    from mycelia.state.lmdb import LmdbStore
    store = LmdbStore(sys.argv[1], readonly=True)
    view = store.head()
    for line in sys.stdin:
        head = store.head()
        print(head.height, head.get(b"a"), view.get(b"a"), len(list(head.keys(b""))), flush=True)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "store"


def test_reopened_it_is_what_it_was(path):
    store = LmdbStore(path)
    sums = Accumulators({})
    for height in range(5):
        changes = {ITEM + b"a": b"%d" % height, ITEM + b"%d" % height: b"x"}
        roots = sums.update(changes, values_before(store.head(), changes))
        store.commit(height, changes, roots, {b"block%d" % height: b"%d" % height})
        sums.adopt(roots)
    store.close()
    store.close()
    store = LmdbStore(path)
    assert store.head().height == 4
    assert store.at(1).get(ITEM + b"a") == b"1"
    assert store.record(b"block3") == b"3"
    assert store.accumulators() == sums.all()
    assert store.root() == sums.root()
    store.check()
    roots = sums.update({ITEM + b"a": None}, {ITEM + b"a": b"4"})
    store.commit(5, {ITEM + b"a": None}, roots, {})
    store.check()
    store.close()


def test_a_commit_waits_for_the_disk_unless_told_otherwise(path, tmp_path):
    store, fast = LmdbStore(path), LmdbStore(tmp_path / "fast", sync=False)
    assert store._env.flags()["sync"]
    assert store._env.flags()["metasync"]
    assert not fast._env.flags()["sync"]
    store.close()
    fast.close()


def test_other_processes_see_commits_and_keep_their_views(path):
    store = LmdbStore(path)
    store.commit(0, {b"a": b"0"}, {}, {})
    with Process(READER, path) as one, Process(READER, path) as two:
        for reader in (one, two):
            assert reader.ask() == "0 b'0' b'0' 1"
        store.commit(1, {b"a": b"1", b"b": b"1"}, {}, {})
        for reader in (one, two):
            assert reader.ask() == "1 b'1' b'0' 2"
    store.close()


def test_it_outgrows_its_map_and_readers_follow(path):
    store = LmdbStore(path, map_bytes=1 << 20)
    store.commit(0, {b"a": b"0"}, {}, {})
    with Process(READER, path) as reader:
        assert reader.ask() == "0 b'0' b'0' 1"
        many = {b"p%d" % n: bytes(1000) for n in range(5_000)}
        store.commit(1, {b"a": b"1", **many}, {}, {})
        assert reader.ask() == "1 b'1' b'0' 5001"
    store.close()
    store = LmdbStore(path, map_bytes=1 << 20)
    assert len(list(store.head().keys(b"p"))) == 5_000
    store.commit(2, dict.fromkeys(many, bytes(2000)), {}, {})
    store.close()


def test_a_reader_does_not_commit(path):
    LmdbStore(path).close()
    reader = LmdbStore(path, readonly=True)
    with pytest.raises(Bug):
        reader.commit(0, {}, {}, {})
    reader.close()


def test_a_reader_needs_a_store(path):
    with pytest.raises(StoreMissing) as error:
        LmdbStore(path, readonly=True)
    assert error.value.code == "store_missing"
    assert not path.exists()


def test_there_is_one_writer(path):
    holder = """
        import os, sys
        from mycelia.state.lmdb import LmdbStore
        store = LmdbStore(sys.argv[1])
        print(os.getpid(), flush=True)
        sys.stdin.readline()
    """
    with Process(holder, path) as other:
        pid = other.hear()
        with pytest.raises(StoreLocked, match=f"process {pid}"):
            LmdbStore(path)
    store = LmdbStore(path)  # the lock went with its process
    with pytest.raises(StoreLocked):
        LmdbStore(path)
    store.close()
    LmdbStore(path).close()


def test_history_goes_in_bounded_steps(path):
    store = LmdbStore(path, archive=True, sync=False)
    keys = [b"%d" % n for n in range(1_000)]
    for height in range(4):
        store.commit(height, dict.fromkeys(keys, b"%d" % height), {}, {})
    assert entries(store, "history") == 3_000
    store.close()
    store = LmdbStore(path, history=0, sync=False)
    left = []
    for height in range(4, 20):
        store.commit(height, {b"0": b"%d" % height}, {}, {})
        left.append(entries(store, "history"))
        with pytest.raises(StateDiscarded):
            store.at(height - 1)
    assert all(before - after < 300 for before, after in itertools.pairwise(left))
    assert 3_000 - 300 < left[0] < 3_000
    assert left[-1] == 0
    assert entries(store, "changes") == 0
    store.close()


def test_an_archive_made_later_keeps_from_then_on(path):
    store = LmdbStore(path, history=1, sync=False)
    for height in range(5):
        store.commit(height, {b"a": b"%d" % height}, {}, {})
    store.close()
    store = LmdbStore(path, archive=True, sync=False)
    for height in range(5, 10):
        store.commit(height, {b"a": b"%d" % height}, {}, {})
    assert [store.at(h).get(b"a") for h in range(3, 10)] == [b"%d" % h for h in range(3, 10)]
    with pytest.raises(StateDiscarded):
        store.at(2)
    store.close()


def entries(store, table):
    with store._env.begin() as txn:
        return txn.stat(getattr(store._tables, table))["entries"]


def test_a_full_disk_costs_the_block_and_no_more(path):
    program = """
        import resource, sys
        from mycelia.state.errors import StoreFull
        from mycelia.state.lmdb import LmdbStore
        store = LmdbStore(sys.argv[1])
        store.commit(0, {b"a": b"0"}, {}, {})
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        try:
            store.commit(1, {b"a": b"1", **{b"%d" % n: bytes(1000) for n in range(5000)}}, {}, {})
        except StoreFull as error:
            print(error.code, store.head().height, store.head().get(b"a"), flush=True)
    """
    with Process(program, path) as child:
        assert child.hear() == "store_full 0 b'0'"
    store = LmdbStore(path)
    assert store.head().get(b"a") == b"0"
    store.commit(1, {b"a": b"1"}, {}, {})
    store.close()


WRITER = """
    import random, sys
    from mycelia.state import Accumulators, values_before
    from mycelia.state.lmdb import LmdbStore
    store = LmdbStore(sys.argv[1], history=3)
    sums = Accumulators(store.accumulators())
    rng = random.Random(int(sys.argv[2]))
    while True:
        height = store.head().height + 1
        changes = {b"%d" % rng.randrange(500): rng.choice((None, rng.randbytes(900))) for _ in range(80)}
        changes[b"height"] = b"%d" % height
        roots = sums.update(changes, values_before(store.head(), changes))
        store.commit(height, changes, roots, {b"%d" % height: b"block"})
        sums.adopt(roots)
        print(height, flush=True)
"""


@pytest.mark.slow
def test_killed_at_any_moment_it_holds_all_it_reported(path):
    reported = -1
    for seed in range(6):
        with Process(WRITER, path, seed) as writer:
            reported = max(reported, int(writer.hear()))
            time.sleep(0.02 * seed)
            writer.child.send_signal(signal.SIGKILL)
            reported = max([reported, *(int(line) for line in writer.child.stdout.read().split())])
        store = LmdbStore(path)
        head = store.head()
        assert head.height >= reported
        assert head.get(b"height") == b"%d" % head.height
        assert store.record(b"%d" % head.height) == b"block"
        store.check()
        store.close()
