"""What every store must do: subclass `StoreSuite`, say how to make one, and pytest runs it.

class TestMine(StoreSuite):
    def make(self, tmp_path, *, archive=False, history=HISTORY_BLOCKS):
        return MyStore(tmp_path, archive=archive, history=history)
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from mycelia.primitives.errors import Bug
from mycelia.state.errors import StateDiscarded, UnknownHeight
from mycelia.state.root import Accumulators, diverging, recompute, state_root, values_before
from mycelia.state.store import BEFORE_GENESIS, HISTORY_BLOCKS, Store

LONG = b"L" * 600
"""Longer than any engine's own limit on keys; with suffixes, a group that shares its first 600 bytes."""


def random_changes(rng: random.Random, keys: list[bytes], count: int) -> dict[bytes, bytes | None]:
    """Some keys with new values, about a third of them deleted."""
    chosen = rng.sample(keys, min(count, len(keys)))
    return {key: None if rng.random() < 0.3 else rng.randbytes(rng.randrange(40)) for key in chosen}


def awkward_keys(rng: random.Random, count: int) -> list[bytes]:
    """Keys with shared prefixes, runs of 0x00 and 0xff, one byte, and lengths around 511."""
    alphabet = [b"\0", b"\0\0", b"\xff", b"\0\xff", b"a", b"b", b"\1"]
    keys = {b"".join(rng.choices(alphabet, k=rng.randrange(1, 7))) for _ in range(count)}
    keys |= {
        bytes([fill]) * n for fill in (0, 97, 255) for n in (470, 475, 476, 479, 480, 511, 700)
    }
    keys |= {LONG + rng.randbytes(rng.randrange(4)) for _ in range(count // 4)}
    return sorted(keys)


class StoreSuite:
    """The laws of `mycelia.state.store.Store`."""

    def make(
        self, tmp_path: Path, *, archive: bool = False, history: int = HISTORY_BLOCKS
    ) -> Store:
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = self.make(tmp_path)
        yield store
        store.close()

    def test_an_empty_store_stands_before_genesis(self, store: Store) -> None:
        head = store.head()
        assert head.height == BEFORE_GENESIS
        assert head.get(b"a") is None
        assert list(head.keys(b"")) == []
        assert store.record(b"r") is None
        assert store.accumulators() == {}
        assert store.root() == state_root({})

    def test_commit_changes_state_roots_and_records_together(self, store: Store) -> None:
        roots = Accumulators({}).update({b"a": b"1"}, {b"a": None})
        store.commit(0, {b"a": b"1"}, roots, {b"r": b"block"})
        assert store.head().height == 0
        assert store.head().get(b"a") == b"1"
        assert store.record(b"r") == b"block"
        assert store.accumulators() == roots
        assert store.root() == state_root(roots)

    def test_a_rewound_store_is_the_store_of_then(self, store: Store) -> None:
        rng = random.Random(11)  # noqa: S311 - repeatable, not secret
        keys = awkward_keys(rng, 40)
        sums = Accumulators({})
        for height in range(12):
            changes = random_changes(rng, keys, 25)
            roots = sums.update(changes, values_before(store.head(), changes))
            sums.adopt(roots)
            store.commit(height, changes, roots, {b"block %d" % height: b"x"})
            if height == 5:
                then = {key: store.head().get(key) for key in store.head().keys(b"")}
                root = store.root()
        store.rewind(5, [b"block %d" % height for height in range(6, 12)])
        assert store.head().height == 5
        assert {key: store.head().get(key) for key in store.head().keys(b"")} == then
        assert store.root() == root
        assert recompute(store.head()) == store.accumulators()
        assert (store.record(b"block 5"), store.record(b"block 6")) == (b"x", None)
        assert list(store.at(4).keys(b"")) != []
        with pytest.raises(UnknownHeight):
            store.at(6)
        store.commit(6, {b"new": b"1"}, {}, {})
        assert store.at(5).get(b"new") is None

    def test_a_discarded_height_is_no_place_to_go_back_to(self, tmp_path: Path) -> None:
        store = self.make(tmp_path, history=2)
        for height in range(6):
            store.commit(height, {b"a": b"%d" % height}, {}, {})
        with pytest.raises(StateDiscarded):
            store.rewind(1, ())
        with pytest.raises(UnknownHeight):
            store.rewind(6, ())
        assert store.head().get(b"a") == b"5"
        store.close()

    def test_an_empty_value_is_a_value(self, store: Store) -> None:
        store.commit(0, {b"a": b"", LONG: b""}, {}, {b"r": b""})
        store.commit(1, {b"a": b"x", LONG: None}, {}, {})
        assert store.at(0).get(b"a") == b""
        assert store.at(0).get(LONG) == b""
        assert store.record(b"r") == b""

    def test_no_key_is_empty(self, store: Store) -> None:
        store.commit(0, {b"a": b"1"}, {}, {})
        store.commit(1, {b"b": b"1"}, {}, {})
        assert store.head().get(b"") is None
        assert store.at(0).get(b"") is None

    def test_a_record_is_replaced(self, store: Store) -> None:
        store.commit(0, {}, {}, {b"r": b"1"})
        store.commit(1, {}, {}, {b"r": b"2"})
        assert store.record(b"r") == b"2"

    def test_an_item_without_keys_has_no_accumulator(self, store: Store) -> None:
        roots = Accumulators({}).update({b"a": b"1"}, {b"a": None})
        store.commit(0, {b"a": b"1"}, roots, {})
        sums = Accumulators(store.accumulators())
        store.commit(1, {b"a": None}, sums.update({b"a": None}, {b"a": b"1"}), {})
        assert store.accumulators() == {}
        assert store.root() == state_root({})

    def test_a_view_stays_what_it_is(self, store: Store) -> None:
        store.commit(0, {b"a": b"1", b"b": b"1"}, {}, {})
        view = store.head()
        walk = view.keys(b"")
        first = next(walk)
        store.commit(1, {b"a": b"2", b"b": None, b"c": b"2"}, {}, {})
        assert view.height == 0
        assert view.get(b"a") == b"1"
        assert view.get(b"c") is None
        assert [first, *walk] == [b"a", b"b"]

    def test_deleted_and_put_again(self, store: Store) -> None:
        for height, value in enumerate([b"1", None, b"3", b"3", None]):
            store.commit(height, {b"a": value}, {}, {})
        assert [store.at(h).get(b"a") for h in range(5)] == [b"1", None, b"3", b"3", None]
        assert [list(store.at(h).keys(b"")) for h in range(5)] == [[b"a"], [], [b"a"], [b"a"], []]

    def test_deleting_what_is_not_there_is_no_change(self, store: Store) -> None:
        store.commit(0, {b"a": None}, {}, {})
        store.commit(1, {b"a": None}, {}, {})
        assert store.at(0).get(b"a") is None

    def test_keys_ascend_from_after_to_limit(self, store: Store) -> None:
        keys = [b"p\0", b"p\0\0", b"p\0\xff", b"p\1", b"pa", b"pb", b"p\xff"]
        store.commit(0, dict.fromkeys([*keys, b"o", b"q"], b"v"), {}, {})
        store.commit(1, dict.fromkeys(keys, None), {}, {})
        view = store.at(0)
        assert list(view.keys(b"p")) == keys
        assert list(view.keys(b"p", after=b"p\0\xff")) == keys[3:]
        assert list(view.keys(b"p", after=b"p\0\xfe", limit=2)) == keys[2:4]
        assert list(view.keys(b"p", after=b"a")) == keys
        assert list(view.keys(b"p", after=b"q")) == []
        assert list(view.keys(b"p", limit=0)) == []
        assert list(store.head().keys(b"p")) == []

    def test_long_keys_come_back_whole_and_in_order(self, store: Store) -> None:
        long = sorted(LONG + bytes([n * 37 % 256]) for n in range(50))
        short = [b"K", b"L", LONG[:479], LONG[:480], LONG]
        store.commit(0, {key: key for key in long + short}, {}, {})
        ordered = [b"L", LONG[:479], LONG[:480], LONG, *long]
        for view in (store.head(), self._one_later(store).at(0)):
            assert list(view.keys(b"L")) == ordered
            assert list(view.keys(LONG)) == [LONG, *long]
            assert list(view.keys(LONG, after=long[9], limit=5)) == long[10:15]
            assert list(view.keys(long[7])) == [long[7]]
            assert [view.get(key) for key in long] == long

    @staticmethod
    def _one_later(store: Store) -> Store:
        store.commit(1, dict.fromkeys(store.head().keys(b""), None), {}, {})
        return store

    def test_many_keys_need_more_than_one_page(self, store: Store) -> None:
        keys = [b"p" + n.to_bytes(3, "big") for n in range(5_000)]
        store.commit(0, dict.fromkeys(keys, b"v"), {}, {})
        assert list(store.head().keys(b"p")) == keys
        store.commit(1, dict.fromkeys(keys[::2], None), {}, {})
        assert list(store.head().keys(b"p")) == keys[1::2]
        assert list(store.at(0).keys(b"p", limit=3_000)) == keys[:3_000]

    def test_heights_follow_each_other(self, store: Store) -> None:
        store.commit(0, {b"a": b"1"}, {}, {})
        for wrong in (0, 2, -1):
            with pytest.raises(Bug):
                store.commit(wrong, {b"a": b"2"}, {}, {})
        assert store.head().get(b"a") == b"1"

    def test_a_store_may_begin_above_genesis(self, store: Store) -> None:
        store.commit(70, {b"a": b"1"}, {}, {})
        store.commit(71, {b"a": b"2"}, {}, {})
        assert store.at(70).get(b"a") == b"1"
        with pytest.raises(StateDiscarded):
            store.at(69)

    def test_unknown_heights_are_refused(self, store: Store) -> None:
        store.commit(0, {b"a": b"1"}, {}, {})
        assert store.at(BEFORE_GENESIS).get(b"a") is None
        assert list(store.at(BEFORE_GENESIS).keys(b"")) == []
        for wrong in (1, -2):
            with pytest.raises(UnknownHeight):
                store.at(wrong)

    def test_history_is_kept_so_long_and_no_longer(self, tmp_path: Path) -> None:
        store = self.make(tmp_path, history=3)
        held = None
        for height in range(10):
            store.commit(height, {b"a": b"%d" % height, b"%d" % height: b"x"}, {}, {})
            held = held or store.head()
        assert [store.at(h).get(b"a") for h in range(6, 10)] == [b"6", b"7", b"8", b"9"]
        assert len(list(store.at(6).keys(b""))) == 8
        with pytest.raises(StateDiscarded):
            store.at(5)
        assert held is not None
        with pytest.raises(StateDiscarded):
            held.get(b"a")
        with pytest.raises(StateDiscarded):
            list(held.keys(b""))
        store.close()

    def test_an_archive_keeps_all(self, tmp_path: Path) -> None:
        store = self.make(tmp_path, archive=True, history=1)
        for height in range(20):
            store.commit(height, {b"a": b"%d" % height}, {}, {})
        assert [store.at(h).get(b"a") for h in range(20)] == [b"%d" % h for h in range(20)]
        store.close()

    @pytest.mark.parametrize("seed", range(4))
    def test_every_kept_height_reads_as_it_was(self, tmp_path: Path, seed: int) -> None:
        rng = random.Random(seed)  # noqa: S311 - a fixed sequence is wanted
        keys = awkward_keys(rng, 40)
        store = self.make(tmp_path, history=12)
        model: dict[bytes, bytes] = {}
        past: list[dict[bytes, bytes]] = []
        sums = Accumulators({})
        for height in range(40):
            changes = random_changes(rng, keys, rng.choice((0, 3, 30)))
            roots = sums.update(changes, values_before(store.head(), changes))
            store.commit(height, changes, roots, {})
            sums.adopt(roots)
            model |= {key: value for key, value in changes.items() if value is not None}
            model = {
                key: value for key, value in model.items() if changes.get(key, b"") is not None
            }
            past.append(dict(model))
        for height in range(27, 40):
            view, was = store.at(height), past[height]
            assert {key: view.get(key) for key in keys if view.get(key) is not None} == was
            for prefix in (b"", b"\0", b"\0\xff", b"a", LONG, b"\xff" * 490):
                expected = sorted(key for key in was if key.startswith(prefix))
                assert list(view.keys(prefix)) == expected
                after = rng.choice(keys)
                assert (
                    list(view.keys(prefix, after=after, limit=7))
                    == [key for key in expected if key > after][:7]
                )
        assert diverging(store.accumulators(), recompute(store.head())) == []
        assert store.root() == sums.root() == state_root(recompute(store.head()))
        store.close()
