"""Damage of every kind gives a named error with a remedy, and never ends the process."""

import itertools
import random
import shutil

import lmdb
import pytest

from mycelia.state import Accumulators, StoreError
from mycelia.state import lmdb_file as files
from mycelia.state.errors import (
    StoreCorrupt,
    StoreForeign,
    StoreLocked,
    StoreNewer,
    StoreUnwritable,
)
from mycelia.state.lmdb import LmdbStore

ITEMS = [bytes([n]) * 32 for n in range(3)]
MARK = b"a value to be found in the file"


def contents(store):
    heights = [store.at(height) for height in range(store.head().height + 1)]
    return (
        [{key: view.get(key) for key in view.keys(b"")} for view in heights],
        store.accumulators(),
        store.root(),
        [store.record(b"%d" % n) for n in range(len(heights))],
    )


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A store with deep tables, overflow pages, hashed keys, freed pages and history."""
    path = tmp_path_factory.mktemp("pristine") / "store"
    rng = random.Random(3)
    store = LmdbStore(path, sync=False)
    sums = Accumulators({})
    state = {}
    keys = [rng.choice(ITEMS) + rng.randbytes(8) for _ in range(200)] + [b"L" * 600, b"L" * 601]
    for height in range(6):
        changed = rng.sample(keys, 200 if height == 0 else 40)
        changes = {k: None if rng.random() < 0.2 else rng.randbytes(60) for k in changed}
        changes |= {ITEMS[0]: MARK + b"%d" % height, ITEMS[1]: rng.randbytes(9_000)}
        roots = sums.update(changes, {key: state.get(key) for key in changes})
        store.commit(height, changes, roots, {b"%d" % height: rng.randbytes(5_000)})
        sums.adopt(roots)
        state |= changes
    expected = contents(store)
    store.close()
    return path, expected


@pytest.fixture
def path(pristine, tmp_path):
    shutil.copytree(pristine[0], tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def expected(pristine):
    return pristine[1]


def opened(path, **how):
    store = LmdbStore(path, **how)
    try:
        return contents(store)
    finally:
        store.close()


def test_undamaged_it_opens(path, expected):
    assert opened(path) == expected
    assert opened(path, readonly=True) == expected


@pytest.mark.parametrize("readonly", [False, True])
def test_a_flipped_bit_is_named_or_does_no_harm(path, expected, readonly):
    data = (path / "data.mdb").read_bytes()
    rng = random.Random(5)
    refused = 0
    for at in sorted(rng.sample(range(len(data)), 120)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << rng.randrange(8)
        (path / "data.mdb").write_bytes(damaged)
        try:
            found = opened(path, readonly=readonly)
        except StoreError as error:
            refused += bool(error.remedy)
        else:
            assert found == expected, at
    assert refused > 30


@pytest.mark.parametrize("readonly", [False, True])
def test_a_cut_file_is_refused(path, readonly):
    data = (path / "data.mdb").read_bytes()
    rng = random.Random(7)
    cuts = [
        0,
        1,
        16,
        4095,
        4096,
        4200,
        8191,
        8192,
        len(data) - 1,
        *rng.sample(range(len(data)), 20),
    ]
    for length in cuts:
        (path / "data.mdb").write_bytes(data[:length])
        with pytest.raises(StoreCorrupt):
            LmdbStore(path, readonly=readonly)
    (path / "data.mdb").write_bytes(data)
    opened(path, readonly=readonly)


def test_a_page_of_noise_is_refused(path):
    data = (path / "data.mdb").read_bytes()
    for page in (0, 1):
        noise = random.Random(page).randbytes(4096)
        (path / "data.mdb").write_bytes(data[: page * 4096] + noise + data[(page + 1) * 4096 :])
        with pytest.raises(StoreCorrupt):
            LmdbStore(path)


@pytest.mark.parametrize("noise", [b"", b"SQLite format 3\0" * 600, bytes(20_000)])
def test_another_kind_of_file_is_refused(path, noise):
    (path / "data.mdb").write_bytes(noise)
    with pytest.raises(StoreCorrupt):
        LmdbStore(path)


def test_too_large_to_walk_a_cut_file_is_still_refused(path, monkeypatch):
    monkeypatch.setattr(files, "CHECK_BYTES", 0)
    data = (path / "data.mdb").read_bytes()
    (path / "data.mdb").write_bytes(data[:-4096])
    for readonly in (False, True):
        with pytest.raises(StoreCorrupt, match="it ends after"):
            LmdbStore(path, readonly=readonly)


def test_too_large_to_walk_a_changed_value_is_refused_when_read(path, monkeypatch):
    monkeypatch.setattr(files, "CHECK_BYTES", 0)
    data = (path / "data.mdb").read_bytes()
    (path / "data.mdb").write_bytes(data.replace(MARK, MARK.upper()))
    store = LmdbStore(path)
    for height in (3, 5):
        with pytest.raises(StoreCorrupt, match="checksum"):
            store.at(height).get(ITEMS[0])
    with pytest.raises(StoreCorrupt):
        store.check()
    store.close()


def test_values_that_do_not_add_up_are_named_by_item(path):
    store = LmdbStore(path)
    store.commit(6, {ITEMS[2] + b"x": b"not in the accumulator"}, {}, {})
    with pytest.raises(StoreCorrupt, match=ITEMS[2].hex()) as error:
        store.check()
    assert ITEMS[1].hex() not in str(error.value)
    store.close()


def test_accumulators_that_do_not_make_the_root_are_refused(path):
    store = LmdbStore(path)
    store._accumulators = Accumulators({})
    store.commit(6, {}, {}, {})
    store.close()
    for readonly in (False, True, False):
        with pytest.raises(StoreCorrupt, match="state root"):
            LmdbStore(path, readonly=readonly)


def test_a_transaction_of_another_program_is_refused(path):
    with lmdb.open(str(path), max_dbs=8) as env, env.begin(write=True) as txn:
        txn.put(b"k", files.seal(b"k", b"v"), db=env.open_db(b"records", txn))
    with pytest.raises(StoreCorrupt, match="last commit"):
        LmdbStore(path)


@pytest.mark.parametrize("byte", [144, 147, 151, 4096 + 145])
def test_a_renumbered_meta_page_is_refused(path, byte):
    data = bytearray((path / "data.mdb").read_bytes())
    data[byte] ^= 0b100
    (path / "data.mdb").write_bytes(data)
    with pytest.raises(StoreCorrupt):
        LmdbStore(path)


def test_a_changed_separator_is_refused(path):
    """A branch page may look whole and lead a search astray."""
    data = bytearray((path / "data.mdb").read_bytes())
    branches = [at for at in range(2 * 4096, len(data), 4096) if data[at + 10] == 1]
    refused = 0
    for page, bit in itertools.product(branches, range(8)):
        node = page + int.from_bytes(data[page + 18 : page + 20], "little")  # second separator
        damaged = bytearray(data)
        damaged[node + 8 + 32] ^= 1 << bit  # behind the item prefix, which all share
        (path / "data.mdb").write_bytes(damaged)
        try:
            opened(path)
        except StoreCorrupt as error:
            refused += "out of place" in str(error)
    assert refused > 0


@pytest.mark.parametrize("readonly", [False, True])
def test_a_newer_format_is_refused_by_number(path, readonly):
    with lmdb.open(str(path), max_dbs=8) as env, env.begin(write=True) as txn:
        entry = files.seal(b"format", b"mycelia store\0" + (files.FORMAT + 1).to_bytes(4, "little"))
        txn.put(b"format", entry, db=env.open_db(b"meta", txn))
    with pytest.raises(StoreNewer, match=f"format {files.FORMAT + 1}") as error:
        LmdbStore(path, readonly=readonly)
    assert error.value.code == "store_newer"
    assert "release" in error.value.remedy


@pytest.mark.parametrize("table", [b"other", b"meta"])
def test_a_database_of_another_program_is_refused(tmp_path, table):
    with lmdb.open(str(tmp_path), max_dbs=8) as env, env.begin(write=True) as txn:
        txn.put(b"k", b"v", db=env.open_db(table, txn))
    for readonly in (False, True):
        with pytest.raises(StoreForeign):
            LmdbStore(tmp_path, readonly=readonly)


def test_a_refused_store_is_released(path):
    data = (path / "data.mdb").read_bytes()
    (path / "data.mdb").write_bytes(data[:5000])
    for _ in range(2):
        with pytest.raises(StoreCorrupt):
            LmdbStore(path)
    (path / "data.mdb").write_bytes(data)
    LmdbStore(path).close()


def test_a_path_that_cannot_be_a_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("here")
    for path in (tmp_path / "file", tmp_path / "file" / "store"):
        with pytest.raises(StoreUnwritable) as error:
            LmdbStore(path)
        assert error.value.code == "store_unwritable"


def test_a_creation_cut_short_is_begun_again(tmp_path):
    (tmp_path / ".new").mkdir()
    (tmp_path / ".new" / "data.mdb").write_bytes(b"half")
    store = LmdbStore(tmp_path)
    store.commit(0, {b"a": b"1"}, {}, {})
    store.close()
    assert not (tmp_path / ".new").exists()


def test_the_store_of_this_process_is_opened_once(path):
    store = LmdbStore(path)
    with pytest.raises(StoreLocked):
        LmdbStore(path, readonly=True)
    store.close()


def test_the_lock_names_itself_unknown_when_it_is(path, monkeypatch):
    store = LmdbStore(path)
    (path / "writer.lock").write_text("")
    with pytest.raises(StoreLocked, match="another process"):
        LmdbStore(path)
    store.close()
