"""Who is told of what: subscriptions to heads, storage and waiting extrinsics, fed by the sealer's news."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from mycelia.rpc.errors import BUSY, RpcError, invalid_params
from mycelia.rpc.ports import Fate, Sealed
from mycelia.rpc.render import header_json, to_hex
from mycelia.rpc.session import Session, Subscription

HeadKind = Literal["new", "finalized", "all"]
ReadValues = Callable[[list[bytes]], list[bytes | None]]

_HEAD_METHODS: Final[dict[HeadKind, str]] = {
    "new": "chain_newHead",
    "finalized": "chain_finalizedHead",
    "all": "chain_allHead",
}
_WATCHED_KEYS: Final = 256
"""Of one subscription."""
_KEYS_PER_SESSION: Final = 4_096
_KEYS: Final = 32_768
"""Of all subscriptions together: after every block each is read."""


class _StorageWatch:
    """Keys of one storage subscription with the values told last."""

    def __init__(self, keys: list[bytes], values: list[bytes | None]) -> None:
        self.values = dict(zip(keys, values, strict=True))

    def changes(self, values: list[bytes | None]) -> list[list[str | None]]:
        """What differs now, as clients read it."""
        changed: list[list[str | None]] = []
        for key, value in zip(list(self.values), values, strict=True):
            if self.values[key] != value:
                self.values[key] = value
                changed.append([to_hex(key), None if value is None else to_hex(value)])
        return changed


class Hub:
    """Subscriptions of all connections. `read` gives the values of keys at the head."""

    def __init__(self, read: ReadValues) -> None:
        self._read = read
        self._heads: dict[HeadKind, dict[Subscription, None]] = {k: {} for k in _HEAD_METHODS}
        self._storage: dict[Subscription, _StorageWatch] = {}
        self._followed: dict[Session, int] = {}
        """Keys in each session's storage subscriptions."""
        self._watchers: dict[bytes, dict[Subscription, None]] = {}

    def heads(self, session: Session, kind: HeadKind) -> Subscription:
        """Follow heads; since every block is final at once, the kinds differ by name only."""
        following = self._heads[kind]
        subscription = session.open(_HEAD_METHODS[kind], lambda s: _drop(following, s))
        following[subscription] = None
        return subscription

    def storage(self, session: Session, keys: list[bytes], block: bytes) -> Subscription:
        """Follow the values of keys; the present ones are told at once."""
        if not 0 < len(keys) <= _WATCHED_KEYS:
            raise invalid_params(f"between 1 and {_WATCHED_KEYS} keys can be followed.")
        keys = list(dict.fromkeys(keys))
        self._require_room(session, len(keys))
        watch = _StorageWatch(keys, self._read(keys))

        def ends(subscription: Subscription) -> None:
            if self._storage.pop(subscription, None) is not None:
                self._followed[session] -= len(keys)
                if not self._followed[session]:
                    del self._followed[session]

        subscription = session.open("state_storage", ends)
        self._storage[subscription] = watch
        self._followed[session] = self._followed.get(session, 0) + len(keys)
        told = [[to_hex(k), None if v is None else to_hex(v)] for k, v in watch.values.items()]
        subscription.push({"block": to_hex(block), "changes": told})
        return subscription

    def watch(self, session: Session, hash_: bytes) -> Subscription:
        """Follow an extrinsic until it is included or refused."""

        def ends(subscription: Subscription) -> None:
            watchers = self._watchers.get(hash_, {})
            watchers.pop(subscription, None)
            if not watchers:
                self._watchers.pop(hash_, None)

        subscription = session.open("author_extrinsicUpdate", ends)
        self._watchers.setdefault(hash_, {})[subscription] = None
        return subscription

    def on_sealed(self, sealed: Sealed) -> None:
        """Tell everyone of a block; it is final when it is heard of."""
        block = to_hex(sealed.hash)
        if any(self._heads.values()):
            head = header_json(sealed.header)
            for following in self._heads.values():
                for subscription in list(following):
                    subscription.push(head)
        if self._watchers:
            for hash_ in sealed.included:
                self._finish(hash_, [{"inBlock": block}, {"finalized": block}])
        if self._storage:
            self._tell_storage(block)

    def on_fate(self, fate: Fate) -> None:
        """Tell the watchers of an extrinsic what became of it."""
        if fate.status in ("ready", "future"):
            for subscription in list(self._watchers.get(fate.hash, ())):
                subscription.push(fate.status)
        elif fate.status == "usurped":
            self._finish(fate.hash, [{"usurped": to_hex(fate.by or b"")}])
        else:
            self._finish(fate.hash, [fate.status])

    def counters(self) -> dict[str, int]:
        """How much is followed."""
        return {
            "head_subscriptions": sum(map(len, self._heads.values())),
            "storage_subscriptions": len(self._storage),
            "watched_extrinsics": len(self._watchers),
        }

    def _require_room(self, session: Session, keys: int) -> None:
        own = self._followed.get(session, 0) + keys
        if own > _KEYS_PER_SESSION or sum(self._followed.values()) + keys > _KEYS:
            raise RpcError(
                BUSY,
                "Too many keys are followed",
                f"Follow fewer: {_KEYS_PER_SESSION} per connection, {_KEYS} in all.",
            )

    def _finish(self, hash_: bytes, statuses: list[Any]) -> None:
        for subscription in list(self._watchers.get(hash_, ())):
            for status in statuses:
                subscription.push(status)
            subscription.end()

    def _tell_storage(self, block: str) -> None:
        for subscription, watch in list(self._storage.items()):
            changed = watch.changes(self._read(list(watch.values)))
            if changed:
                subscription.push({"block": block, "changes": changed})


def end(session: Session, id_: str) -> bool:
    """Stop a subscription of this session; False if it has none of that id."""
    subscription = session.subscriptions.get(id_)
    if subscription is None:
        return False
    subscription.end()
    return True


def require(session: Session | None) -> Session:
    """The session of a request that came over a WebSocket; HTTP has none."""
    if session is None:
        raise RpcError(-32601, "Method not found", "Subscriptions need a WebSocket connection.")
    return session


def _drop(following: dict[Subscription, Any], subscription: Subscription) -> None:
    following.pop(subscription, None)
