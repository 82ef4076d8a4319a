import pytest

from mycelia.primitives.errors import Bug
from mycelia.state import DecodedCache, MemoryStore, Overlay

ITEM = b"i" * 32


class Number:
    """Counts what it decodes."""

    def __init__(self):
        self.decoded = 0

    def encode(self, value):
        return value.to_bytes(4, "little")

    def decode(self, data):
        self.decoded += 1
        return int.from_bytes(data, "little")


@pytest.fixture
def scale():
    return Number()


@pytest.fixture
def store():
    store = MemoryStore()
    store.commit(0, {ITEM + b"a": b"\1\0\0\0", ITEM + b"c": b"\3\0\0\0"}, {}, {})
    return store


@pytest.fixture
def overlay(store):
    return Overlay(store.head())


def test_reads_committed_and_written(overlay, scale):
    assert overlay.get(ITEM + b"a", scale) == 1
    assert overlay.get(ITEM + b"b", scale) is None
    overlay.put(ITEM + b"b", 2, scale)
    assert overlay.get(ITEM + b"b", scale) == 2
    assert overlay.contains(ITEM + b"a")
    assert overlay.contains(ITEM + b"b")
    assert not overlay.contains(ITEM + b"x")


def test_decodes_once(overlay, scale):
    for _ in range(3):
        assert overlay.get(ITEM + b"a", scale) == 1
        assert overlay.get(ITEM + b"b", scale) is None
    assert scale.decoded == 1


def test_put_then_delete_leaves_nothing(overlay, scale):
    overlay.put(ITEM + b"b", 2, scale)
    overlay.delete(ITEM + b"b")
    overlay.delete(ITEM + b"a")
    assert overlay.get(ITEM + b"a", scale) is None
    assert not overlay.contains(ITEM + b"a")
    assert overlay.keys(ITEM) == [ITEM + b"c"]
    assert overlay.drain() == {ITEM + b"a": None, ITEM + b"b": None}


def test_keys_merge_in_order(overlay, scale):
    for suffix in (b"d", b"\0", b"b", b"ab"):
        overlay.put(ITEM + suffix, 9, scale)
    overlay.delete(ITEM + b"c")
    overlay.put(b"other", 9, scale)
    assert overlay.keys(ITEM) == [ITEM + s for s in (b"\0", b"a", b"ab", b"b", b"d")]
    assert overlay.keys(ITEM + b"a") == [ITEM + b"a", ITEM + b"ab"]
    assert overlay.keys(b"o") == [b"other"]
    assert overlay.keys(b"") == [*overlay.keys(ITEM), b"other"]


def test_rollback_leaves_no_trace(overlay, scale):
    overlay.put(ITEM + b"a", 10, scale)
    before = overlay.drain()
    mark = overlay.mark()
    overlay.put(ITEM + b"a", 11, scale)
    overlay.put(ITEM + b"a", 12, scale)
    overlay.put(ITEM + b"b", 2, scale)
    overlay.delete(ITEM + b"c")
    overlay.rollback(mark)
    assert overlay.drain() == before
    assert overlay.get(ITEM + b"a", scale) == 10
    assert overlay.keys(ITEM) == [ITEM + b"a", ITEM + b"c"]
    assert overlay._journal == []
    assert overlay._by_item == {ITEM: {ITEM + b"a": None}}


def test_marks_nest(overlay, scale):
    outer = overlay.mark()
    overlay.put(ITEM + b"a", 10, scale)
    inner = overlay.mark()
    overlay.put(ITEM + b"a", 11, scale)
    overlay.release(inner)
    inner = overlay.mark()
    overlay.put(ITEM + b"a", 12, scale)
    overlay.rollback(inner)
    assert overlay.get(ITEM + b"a", scale) == 11
    overlay.rollback(outer)
    assert overlay.get(ITEM + b"a", scale) == 1
    assert overlay.drain() == {}


def test_ending_an_outer_mark_ends_the_inner(overlay, scale):
    outer = overlay.mark()
    inner = overlay.mark()
    overlay.rollback(outer)
    for end in (overlay.rollback, overlay.release):
        with pytest.raises(Bug):
            end(inner)
        with pytest.raises(Bug):
            end(-1)


def test_drain_encodes_in_key_order_and_keeps_everything(overlay, scale):
    overlay.put(ITEM + b"b", 2, scale)
    overlay.put(ITEM + b"\0", 0, scale)
    drained = overlay.drain()
    assert list(drained) == [ITEM + b"\0", ITEM + b"b"]
    assert drained == overlay.drain() == {ITEM + b"\0": bytes(4), ITEM + b"b": b"\2\0\0\0"}


def test_rebase_keeps_decoded_values(store, overlay, scale):
    assert overlay.get(ITEM + b"a", scale) == 1
    overlay.put(ITEM + b"b", 2, scale)
    overlay.delete(ITEM + b"c")
    store.commit(1, overlay.drain(), {}, {})
    overlay.rebase(store.head())
    assert overlay.height == 1
    assert overlay.drain() == {}
    assert overlay.get(ITEM + b"a", scale) == 1
    assert overlay.get(ITEM + b"b", scale) == 2
    assert overlay.get(ITEM + b"c", scale) is None
    assert not overlay.contains(ITEM + b"c")
    assert scale.decoded == 1


def test_rebase_refuses_an_open_mark(store, overlay):
    overlay.mark()
    with pytest.raises(Bug):
        overlay.rebase(store.head())


def test_discard_returns_to_the_view(overlay, scale):
    mark = overlay.mark()
    overlay.put(ITEM + b"a", 5, scale)
    overlay.discard()
    assert overlay.get(ITEM + b"a", scale) == 1
    assert overlay.drain() == {}
    with pytest.raises(Bug):
        overlay.release(mark)


def test_a_shared_cache_serves_one_height_only(store, scale):
    cache = DecodedCache()
    old, new = Overlay(store.head(), cache), Overlay(store.head(), cache)
    assert old.get(ITEM + b"a", scale) == 1
    new.put(ITEM + b"a", 7, scale)
    store.commit(1, new.drain(), {}, {})
    new.rebase(store.head())
    assert new.get(ITEM + b"a", scale) == 7
    assert old.get(ITEM + b"a", scale) == 1
    assert old.get(ITEM + b"c", scale) == 3
    old.rebase(store.head())
    assert old.get(ITEM + b"a", scale) == 7


def test_the_cache_is_bounded(store, scale):
    cache = DecodedCache(entries=4)
    overlay = Overlay(store.head(), cache)
    for n in range(100):
        overlay.get(b"%d" % n, scale)
    assert len(cache.values) <= 4
    assert overlay.get(ITEM + b"a", scale) == 1
