"""Who is told what became of an extrinsic."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from mycelia.rpc.errors import RpcError
from mycelia.rpc.hub import Hub
from mycelia.rpc.ports import Fate
from mycelia.rpc.session import Session

HASH, OTHER = b"\1" * 32, b"\2" * 32


def heard(session: Session) -> list[Any]:
    return [orjson.loads(frame)["params"]["result"] for frame in session._frames]


@pytest.mark.parametrize(
    ("fate", "told", "is_over"),
    [
        (Fate(HASH, "ready"), ["ready"], False),
        (Fate(HASH, "usurped", OTHER), [{"usurped": "0x" + OTHER.hex()}], True),
        (Fate(HASH, "dropped"), ["dropped"], True),
        (Fate(HASH, "invalid"), ["invalid"], True),
        (Fate(OTHER, "invalid"), [], False),
    ],
)
async def test_a_fate_reaches_its_watchers_and_ends_the_watch(
    fate: Fate, told: list[Any], is_over: bool
) -> None:
    hub, session = Hub(lambda keys: [None for _ in keys]), Session(close=lambda: None)
    hub.watch(session, HASH)
    hub.on_fate(fate)
    assert heard(session) == told
    assert (session.subscriptions == {}) is is_over
    assert hub.counters()["watched_extrinsics"] == (0 if is_over else 1)


async def test_every_watcher_is_told() -> None:
    hub = Hub(lambda keys: [None for _ in keys])
    sessions = [Session(close=lambda: None) for _ in range(3)]
    for session in sessions:
        hub.watch(session, HASH)
    hub.on_fate(Fate(HASH, "dropped"))
    assert [heard(session) for session in sessions] == [["dropped"]] * 3


async def test_a_session_that_is_cut_off_meanwhile_disturbs_no_other() -> None:
    hub = Hub(lambda keys: [None for _ in keys])
    gone, stays = Session(close=lambda: None), Session(close=lambda: None)
    hub.watch(gone, HASH)
    hub.watch(stays, HASH)
    gone.end()
    hub.on_fate(Fate(HASH, "invalid"))
    assert heard(stays) == ["invalid"]


async def test_keys_are_followed_up_to_a_bound_of_each_connection_and_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mycelia.rpc.hub._KEYS_PER_SESSION", 4)
    monkeypatch.setattr("mycelia.rpc.hub._KEYS", 6)
    hub = Hub(lambda keys: [None for _ in keys])
    one, other = Session(close=lambda: None), Session(close=lambda: None)
    keys = [bytes([n]) for n in range(4)]
    first = hub.storage(one, keys, HASH)
    with pytest.raises(RpcError, match="Too many keys"):
        hub.storage(one, keys[:1], HASH)
    with pytest.raises(RpcError, match="Too many keys"):
        hub.storage(other, keys[:3], HASH)
    hub.storage(other, [*keys[:2], keys[0]], HASH)  # a key counts once
    first.end()
    first.end()
    hub.storage(one, keys, HASH)
    one.end()
    other.end()
    hub.storage(Session(close=lambda: None), keys, HASH)
    assert hub.counters()["storage_subscriptions"] == 1
