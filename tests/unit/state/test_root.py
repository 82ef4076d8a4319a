import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from mycelia.primitives.errors import Bug
from mycelia.state import Accumulators, MemoryStore, recompute, state_root
from mycelia.state.root import ACCUMULATOR_BYTES, accumulator_of, digest_of, diverging, item_of

BALANCES = b"b" * 32
SUBNETS = b"s" * 32
EMPTY_ROOT = "20a73a8a9fe1c67d78d2c6095c22f9adda04b8a95955014f97ac94183b9fd188"
BALANCES_DIGEST = "a93a5a16c9fdf07fc3b84ecc24a35d8bb81ca21e5ed27fb5895c2df7494f3467"
ROOT = "da523919aaf2739f243ec3e6ea40957e17a466d4d13e58b1ab4a38523cd36fd4"


def test_the_root_is_frozen():
    """A change here is a change of consensus."""
    sums = Accumulators({})
    changes = {BALANCES + b"alice": b"\1", BALANCES + b"bob": b"\2", SUBNETS: b"", b":code": b"c"}
    updated = sums.update(changes, dict.fromkeys(changes))
    assert sums.root().hex() == EMPTY_ROOT
    assert digest_of(updated[BALANCES]).hex() == BALANCES_DIGEST
    assert sums.root(updated).hex() == ROOT


def test_update_is_a_proposal_until_adopted():
    sums = Accumulators({})
    before = sums.root()
    updated = sums.update({BALANCES: b"1"}, {BALANCES: None})
    assert sums.root() == before != sums.root(updated)
    sums.adopt(updated)
    assert sums.root() == sums.root(updated) == state_root(updated)
    assert sums.all() == updated


def test_what_did_not_change_is_not_updated():
    sums = Accumulators({})
    assert sums.update({BALANCES: b"1", SUBNETS: None}, {BALANCES: b"1", SUBNETS: None}) == {}


def test_the_last_key_takes_its_item_along():
    sums = Accumulators({})
    empty = sums.root()
    sums.adopt(sums.update({BALANCES: b"1"}, {BALANCES: None}))
    updated = sums.update({BALANCES: None}, {BALANCES: b"1"})
    assert updated == {BALANCES: b""}
    assert sums.root(updated) == empty
    sums.adopt(updated)
    assert sums.root() == empty
    assert sums.all() == {}


def test_where_a_key_ends_matters():
    assert accumulator_of([(b"ab", b"c")]) != accumulator_of([(b"a", b"bc")])


def test_swapping_two_values_matters():
    left = accumulator_of([(b"a", b"1"), (b"b", b"2")])
    assert left != accumulator_of([(b"a", b"2"), (b"b", b"1")])
    assert left == accumulator_of([(b"b", b"2"), (b"a", b"1")])


def test_moving_an_accumulator_to_another_item_matters():
    sums = accumulator_of([(b"a", b"1")])
    assert state_root({BALANCES: sums}) != state_root({SUBNETS: sums})


def test_diverging_names_the_items():
    stores = MemoryStore(), MemoryStore()
    for store, value in zip(stores, (b"1", b"2"), strict=True):
        store.commit(0, {BALANCES + b"a": value, SUBNETS + b"a": b"same", b":code": b"c"}, {}, {})
    left, right = (recompute(store.head()) for store in stores)
    assert diverging(left, right) == [BALANCES]
    assert diverging(left, left) == []
    assert set(left) == {BALANCES, SUBNETS, b":code"}


def test_items_are_the_first_32_bytes():
    assert item_of(BALANCES + b"x") == BALANCES
    assert item_of(b":code") == b":code"


def test_an_accumulator_of_another_length_is_a_bug():
    sums = Accumulators({BALANCES: b"\1" * (ACCUMULATOR_BYTES - 2)})
    with pytest.raises(Bug):
        sums.update({BALANCES: b"1"}, {BALANCES: None})


def plain_sum(elements):
    """The definition, in plain integers: no numpy, no batches."""
    lanes = [0] * 1024
    for key, value in elements.items():
        data = len(key).to_bytes(4, "little") + key + value
        wide = blake3(data, key=b"mycelia state element v1" + bytes(8)).digest(2048)
        for lane in range(1024):
            lanes[lane] += int.from_bytes(wide[2 * lane : 2 * lane + 2], "little")
    return b"".join((lane % 2**16).to_bytes(2, "little") for lane in lanes)


small_states = st.dictionaries(st.binary(max_size=3), st.binary(max_size=3), max_size=4)


@settings(max_examples=50, deadline=None)
@given(small_states.filter(bool))
def test_an_accumulator_is_the_plain_sum(elements):
    assert accumulator_of(elements.items()) == plain_sum(elements)


@pytest.mark.parametrize("count", [63, 64, 65, 200])
def test_batches_add_up(count):
    elements = {b"%d" % n: b"v" for n in range(count)}
    assert accumulator_of(elements.items()) == plain_sum(elements)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(st.binary(max_size=2), st.none() | st.binary(max_size=2))))
def test_step_by_step_equals_from_scratch(blocks):
    sums, state = Accumulators({}), {}
    for changes in blocks:
        sums.adopt(sums.update(changes, {key: state.get(key) for key in changes}))
        state |= changes
        state = {key: value for key, value in state.items() if value is not None}
    scratch = Accumulators({})
    assert sums.all() == scratch.update(state, dict.fromkeys(state))
    assert sums.root() == state_root(sums.all())
