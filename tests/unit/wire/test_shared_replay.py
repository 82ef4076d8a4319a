"""One memory for several processes: nothing accepted twice, whoever is asked."""

import multiprocessing
import time
from pathlib import Path

import pytest

from mycelia.wire import shared_replay
from mycelia.wire.errors import Rejection
from mycelia.wire.shared_replay import ReplayFileError, SharedReplays


def _code(store: SharedReplays, hotkey: str, nonce: int, now_s: float) -> str:
    try:
        store.accept(hotkey, nonce, now_s)
    except Rejection as refused:
        return refused.code
    return "accepted"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "replays"


@pytest.fixture
def now_s() -> float:
    return time.monotonic() + 100


@pytest.mark.parametrize("later_s", [0.0, 5.0, 11.9, 12.0])
def test_a_replay_within_the_window_is_refused_by_either(path, now_s, later_s):
    first, second = SharedReplays(path, entries=100), SharedReplays(path, entries=100)
    first.accept("a", 0, now_s)
    for nonce, accepted_s in ((1, now_s), (2, now_s + 5), (3, now_s + 11.9)):
        first.accept("a", nonce, accepted_s)
    for store in (second, first):
        assert _code(store, "a", 3, now_s + 11.9 + later_s) == "replayed_request"


def test_other_nonce_or_hotkey_is_another_request(path, now_s):
    store = SharedReplays(path, entries=100)
    asked = [("a", 1), ("a", 2), ("b", 1)]
    assert [_code(store, h, n, now_s) for h, n in asked] == ["accepted"] * 3


def test_room_is_made_after_two_windows(path, now_s):
    store = SharedReplays(path, entries=100)
    for nonce in range(50):
        store.accept("a", nonce, now_s)
    store.accept("a", 50, now_s + 12)
    assert len(store) == 51
    store.accept("a", 51, now_s + 24)
    assert len(store) == 2
    store.accept("a", 52, now_s + 1000)
    assert len(store) == 1
    assert _code(store, "a", 0, now_s + 1000) == "accepted"


def test_a_full_memory_refuses_instead_of_forgetting(path, now_s):
    store = SharedReplays(path, entries=64)
    for nonce in range(64):
        store.accept("a", nonce, now_s)
    assert _code(store, "a", 64, now_s) == "replay_store_full"
    assert all(_code(store, "a", nonce, now_s) == "replayed_request" for nonce in range(64))


def test_what_was_accepted_outlives_a_restart(path):
    before = SharedReplays(path, entries=100)
    before.accept("a", 1)
    born_ns = before.born_ns
    before.close()
    after = SharedReplays(path, entries=100)
    assert after.born_ns == born_ns
    assert _code(after, "a", 1, time.monotonic()) == "replayed_request"


def test_after_a_restart_of_the_machine_nothing_older_is_believed(path, monkeypatch):
    before = SharedReplays(path, entries=100)
    before.accept("a", 1)
    born_ns = before.born_ns
    monkeypatch.setattr(shared_replay.time, "monotonic", lambda: 5.0)
    after = SharedReplays(path, entries=100)
    assert after.born_ns > born_ns
    assert len(after) == 0


def test_only_its_owner_may_read_it(path):
    SharedReplays(path, entries=100)
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"x", b"x" * 100_000, None])
def test_a_foreign_file_is_refused(path, content):
    if content is None:
        SharedReplays(path, entries=5000)
    else:
        path.write_bytes(content)
    with pytest.raises(ReplayFileError) as refused:
        SharedReplays(path, entries=100)
    assert refused.value.remedy


def _race(path: Path, count: int, pipe) -> None:
    store = SharedReplays(path)
    pipe.recv()
    pipe.send(sum(_code(store, "a", n, time.monotonic()) == "accepted" for n in range(count)))


@pytest.mark.slow
def test_of_racing_processes_one_accepts_each(path):
    context, count = multiprocessing.get_context("spawn"), 2000
    pipes, processes = [], []
    for _ in range(3):
        ours, theirs = context.Pipe()
        processes.append(context.Process(target=_race, args=(path, count, theirs), daemon=True))
        processes[-1].start()
        pipes.append(ours)
    for pipe in pipes:
        pipe.send(True)
    assert sum(pipe.recv() for pipe in pipes) == count
    for process in processes:
        process.join(5)
