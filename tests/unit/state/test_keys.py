import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mycelia.state.keys import (
    HEAD_INLINE_BYTES,
    HEIGHT_BYTES,
    LMDB_KEY_BYTES,
    STEM_INLINE_BYTES,
    head_key,
    is_hashed_head,
    is_hashed_stem,
    key_of_stem,
    split_full_key,
    stem,
    stem_prefix,
    with_full_key,
)

keys = st.one_of(
    st.binary(min_size=1, max_size=6),
    st.text("\0\x01\xff", min_size=1, max_size=6).map(lambda text: text.encode("latin-1")),
    st.builds(
        lambda fill, count, rest: bytes([fill]) * count + rest,
        st.sampled_from([0, 1, 255]),
        st.sampled_from([236, 237, 238, 473, 475, 476, 479, 480, 700]),
        st.binary(max_size=2),
    ),
)


@settings(max_examples=300)
@given(st.lists(keys, unique=True, max_size=8))
def test_stored_keys_are_distinct_and_fit_lmdb(some):
    assert len({head_key(key) for key in some}) == len({stem(key) for key in some}) == len(some)
    assert all(len(head_key(key)) <= LMDB_KEY_BYTES for key in some)
    assert all(len(stem(key)) + HEIGHT_BYTES <= LMDB_KEY_BYTES for key in some)


@settings(max_examples=300)
@given(keys, keys)
def test_stored_keys_sort_as_the_raw_ones_up_to_where_they_are_cut(left, right):
    if left[:HEAD_INLINE_BYTES] < right[:HEAD_INLINE_BYTES]:
        assert head_key(left) < head_key(right)
    stems = stem(left)[:STEM_INLINE_BYTES], stem(right)[:STEM_INLINE_BYTES]
    assert stems[0] == stems[1] or (stems[0] < stems[1]) == (left < right)


@settings(max_examples=300)
@given(keys, keys)
def test_a_stem_starts_with_the_stem_of_each_prefix_and_of_nothing_else(prefix, key):
    assert stem(prefix + key).startswith(stem_prefix(prefix))
    if len(stem_prefix(prefix)) < STEM_INLINE_BYTES:
        assert stem(key).startswith(stem_prefix(prefix)) == key.startswith(prefix)


@settings(max_examples=300)
@given(keys, keys)
def test_no_stem_begins_another(left, right):
    assert left == right or not stem(left).startswith(stem(right))


@given(keys)
def test_inline_keys_are_found_in_the_key_and_hashed_ones_in_the_value(key):
    assert is_hashed_head(head_key(key)) == (len(key) > HEAD_INLINE_BYTES)
    if not is_hashed_stem(stem(key)):
        assert key_of_stem(stem(key)) == key
    assert split_full_key(with_full_key(key, b"value")) == (key, b"value")


@pytest.mark.parametrize("count", [STEM_INLINE_BYTES - 2, STEM_INLINE_BYTES - 1])
def test_the_longest_inline_stem(count):
    assert is_hashed_stem(stem(b"a" * count)) == (count > STEM_INLINE_BYTES - 2)
