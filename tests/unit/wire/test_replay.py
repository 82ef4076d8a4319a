"""A request is accepted once, for at least the window, in bounded memory."""

import pytest

from mycelia.wire.errors import Rejection
from mycelia.wire.replay import ReplayStore


def _code(store: ReplayStore, hotkey: str, nonce: int, now_s: float) -> str:
    try:
        store.accept(hotkey, nonce, now_s)
    except Rejection as refused:
        return refused.code
    return "accepted"


@pytest.mark.parametrize("later_s", [0.0, 5.0, 11.9, 12.0])
def test_a_replay_within_the_window_is_refused(later_s):
    for accepted_s in (100.0, 105.0, 111.9):
        store = ReplayStore(12.0, 100)
        store.accept("a", 0, 100.0)
        store.accept("a", 1, accepted_s)
        assert _code(store, "a", 1, accepted_s + later_s) == "replayed_request"


def test_other_nonce_or_hotkey_is_another_request():
    store = ReplayStore(12.0, 100)
    assert [_code(store, h, n, 100.0) for h, n in (("a", 1), ("a", 2), ("b", 1))] == [
        "accepted"
    ] * 3


def test_memory_is_freed_after_two_windows():
    store = ReplayStore(12.0, 100)
    for nonce in range(50):
        store.accept("a", nonce, 100.0)
    store.accept("a", 50, 112.0)
    assert len(store) == 51
    store.accept("a", 51, 124.0)
    assert len(store) == 2
    store.accept("a", 52, 1_000.0)
    assert len(store) == 1


def test_a_full_store_refuses_instead_of_forgetting():
    store = ReplayStore(12.0, 3)
    for nonce in range(3):
        store.accept("a", nonce, 100.0)
    with pytest.raises(Rejection) as refused:
        store.accept("a", 3, 100.0)
    assert (refused.value.status, refused.value.code) == (429, "replay_store_full")
    assert refused.value.retry_after_s
    assert _code(store, "a", 0, 100.0) == "replayed_request"
    assert _code(store, "a", 3, 130.0) == "accepted"
