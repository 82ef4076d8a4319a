"""Extrinsics that wait for a block, in one line per sender.

A sender's extrinsics are *ready* while their nonces follow the account's without a gap, and
*future* behind the first gap. Ready ones leave in order of priority, each sender's in order of
nonce. A line exists only while it holds something; the account's nonce is asked for when a line is
opened, and moves on inclusion after that.

In a full pool what pays least makes room for what pays more, and what is future for what is ready: to wait behind a
gap costs nothing, so nobody may fill the pool with it. What is future takes no room from what is ready.

The pool trusts its callers: signatures, fees and used nonces have been checked before `add`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final, Generic, Literal, NamedTuple, Protocol, TypeVar

from mycelia.primitives import AccountId
from mycelia.primitives.errors import ExhaustsResources
from mycelia.txpool.errors import AlreadyImported, PoolFull, PriorityTooLow

Status = Literal["ready", "future", "usurped", "dropped", "invalid"]

_COMPACT_AT: Final = 4
"""An eviction heap is rebuilt when it holds this many times more than the pool."""


class Waiting(Protocol):
    """What the pool needs of an extrinsic."""

    @property
    def raw(self) -> bytes: ...
    @property
    def hash(self) -> bytes: ...


X = TypeVar("X", bound=Waiting)


class Terms(Protocol):
    """What the runtime says of a valid extrinsic."""

    @property
    def sender(self) -> AccountId: ...
    @property
    def nonce(self) -> int: ...
    @property
    def priority(self) -> int: ...
    @property
    def longevity(self) -> int: ...


class Entry(NamedTuple, Generic[X]):
    """One waiting extrinsic. `until` is the last height at which it may be included."""

    xt: X
    sender: AccountId
    nonce: int
    priority: int
    until: int
    order: int


class Change(NamedTuple):
    """What became of a waiting extrinsic, other than being included; `by` replaced it."""

    hash: bytes
    status: Status
    by: bytes | None = None


@dataclass(frozen=True)
class Limits:
    """How much may wait. Beyond it only what pays more gets in, and what pays least goes."""

    count: int = 16_384
    bytes: int = 32 * 1024 * 1024
    extrinsic_bytes: int = 5 * 1024 * 1024
    """Of one extrinsic; what no block has room for must not wait for one."""
    per_sender: int = 4_096
    future_per_sender: int = 64
    stay_blocks: int = 4_096


@dataclass(slots=True)
class _Line(Generic[X]):
    """One sender's extrinsics by nonce; those in [next, gap) are ready."""

    next: int
    gap: int
    by_nonce: dict[int, Entry[X]] = field(default_factory=dict)

    def advance(self) -> list[Entry[X]]:
        """Move the gap past what follows on; returns what became ready."""
        ready = []
        while (entry := self.by_nonce.get(self.gap)) is not None:
            ready.append(entry)
            self.gap += 1
        return ready


class Pool(Generic[X]):
    """All lines, with the limits over them."""

    def __init__(self, limits: Limits | None = None, height: int = 0) -> None:
        self.limits = limits or Limits()
        self._lines: dict[AccountId, _Line[X]] = {}
        self._by_hash: dict[bytes, Entry[X]] = {}
        self._expiring: dict[int, dict[bytes, Entry[X]]] = {}
        self._cheapest: list[tuple[int, int, bytes]] = []
        self._futures: list[tuple[int, bytes]] = []
        """Order and hash of what is, or was, future: the oldest goes first."""
        self._bytes = 0
        self._order = 0
        self._height = height
        self._changes: list[Change] = []

    def __len__(self) -> int:
        return len(self._by_hash)

    def __contains__(self, hash_: bytes) -> bool:
        return hash_ in self._by_hash

    @property
    def size_bytes(self) -> int:
        """Size of all that waits."""
        return self._bytes

    def add(self, xt: X, terms: Terms, account_nonce: int) -> Status:
        """Let an extrinsic wait; tells whether it is ready or future.

        Raises:
            AlreadyImported, ExhaustsResources, PriorityTooLow, PoolFull: it may not; nothing has
                changed then.
        """
        if xt.hash in self._by_hash:
            raise AlreadyImported(xt.hash)
        if len(xt.raw) > self.limits.extrinsic_bytes:
            raise ExhaustsResources
        line = self._lines.get(terms.sender) or _Line(account_nonce, account_nonce)
        rival = line.by_nonce.get(terms.nonce)
        if rival is not None and rival.priority >= terms.priority:
            raise PriorityTooLow(rival.priority, terms.priority)
        if rival is None:
            self._admit(line, terms)
        self._make_room(len(xt.raw), rival, terms, is_future=terms.nonce > line.gap)
        if rival is not None:
            self._forget(rival)
            self._changes.append(Change(rival.xt.hash, "usurped", xt.hash))
        return self._place(line, xt, terms)

    def ready(self) -> Iterator[Entry[X]]:
        """What a block may take, best first.

        The pool may change between two steps: what was rejected takes its successors with it, what
        was replaced is passed over.
        """
        heads = [
            (-entry.priority, entry.order, entry)
            for line in self._lines.values()
            if (entry := line.by_nonce.get(line.next)) is not None
        ]
        heapify(heads)
        while heads:
            entry = heappop(heads)[2]
            if self._by_hash.get(entry.xt.hash) is not entry:
                continue
            yield entry
            line = self._lines.get(entry.sender)
            if line is None or entry.nonce + 1 >= line.gap or entry.nonce not in line.by_nonce:
                continue
            follower = line.by_nonce[entry.nonce + 1]
            heappush(heads, (-follower.priority, follower.order, follower))

    def entries(self) -> Iterator[Entry[X]]:
        """All that waits, oldest first."""
        return iter(sorted(self._by_hash.values(), key=lambda entry: entry.order))

    def next_nonce(self, sender: AccountId) -> int | None:
        """First nonce neither used nor taken by a ready one; None if the sender has no line."""
        line = self._lines.get(sender)
        return None if line is None else line.gap

    def included(self, hashes: Iterable[bytes], height: int) -> None:
        """A block of this height holds these: they leave, and so does what its height outdates."""
        for hash_ in hashes:
            entry = self._by_hash.get(hash_)
            if entry is None:
                continue
            line = self._lines[entry.sender]
            self._forget(entry)
            self._move_on(line, entry.nonce)
        self._expire(height)

    def spent(self, sender: AccountId, nonce: int) -> None:
        """A block used a nonce for what never waited here: an extrinsic that another one hid."""
        line = self._lines.get(sender)
        if line is not None and nonce >= line.next:
            self._move_on(line, nonce)

    def reject(self, hash_: bytes) -> None:
        """The runtime refuses it after all; its successors wait for another with its nonce."""
        entry = self._by_hash.get(hash_)
        if entry is not None:
            self._drop(entry, "invalid")

    def clear(self, height: int) -> None:
        """Let everything go: the chain stands at another height, and what was checked was so elsewhere."""
        for entry in list(self._by_hash.values()):
            self._drop(entry, "dropped")
        self._cheapest.clear()
        self._futures.clear()
        self._height = height

    def take_changes(self) -> list[Change]:
        """What happened since the last call, in order, besides what `add` returned."""
        changes, self._changes = self._changes, []
        return changes

    def _admit(self, line: _Line[X], terms: Terms) -> None:
        is_future = terms.nonce > line.gap
        futures = len(line.by_nonce) - (line.gap - line.next)
        if len(line.by_nonce) >= self.limits.per_sender or (
            is_future and futures >= self.limits.future_per_sender
        ):
            raise PoolFull

    def _make_room(
        self, size: int, rival: Entry[X] | None, terms: Terms, *, is_future: bool
    ) -> None:
        """Evict what may go for it until `size` more bytes fit, or nothing if that is not enough."""
        count = len(self._by_hash) - (rival is not None)
        total = self._bytes - (len(rival.xt.raw) if rival else 0) + size
        victims: dict[bytes, Entry[X]] = {}
        while count >= self.limits.count or total > self.limits.bytes:
            future = None if is_future else self._pop_future()
            victim = future or self._pop_cheapest()
            if victim is not None and (victim is rival or victim.xt.hash in victims):
                victims[victim.xt.hash] = victim
                continue
            if victim is not None:
                victims[victim.xt.hash] = victim
            if future is None and (
                victim is None
                or victim.priority >= terms.priority
                or victim.sender == terms.sender
                or (is_future and not self._is_future(victim))
            ):
                for kept in victims.values():
                    self._may_be_evicted(kept)
                raise PoolFull
            if victim is not None:
                count -= 1
                total -= len(victim.xt.raw)
        for victim in victims.values():
            if victim is not rival:
                self._drop(victim, "dropped")

    def _may_be_evicted(self, entry: Entry[X]) -> None:
        heappush(self._cheapest, (entry.priority, -entry.order, entry.xt.hash))
        if len(self._cheapest) > 64 + _COMPACT_AT * len(self._by_hash):
            self._cheapest = [(e.priority, -e.order, h) for h, e in self._by_hash.items()]
            heapify(self._cheapest)
        if self._is_future(entry):
            self._note_future(entry)

    def _note_future(self, entry: Entry[X]) -> None:
        heappush(self._futures, (entry.order, entry.xt.hash))
        if len(self._futures) > 64 + _COMPACT_AT * len(self._by_hash):
            waiting = self._by_hash.items()
            self._futures = [(e.order, h) for h, e in waiting if self._is_future(e)]
            heapify(self._futures)

    def _is_future(self, entry: Entry[X]) -> bool:
        return entry.nonce >= self._lines[entry.sender].gap

    def _pop_future(self) -> Entry[X] | None:
        """The oldest of those whose turn can't come yet."""
        while self._futures:
            order, hash_ = heappop(self._futures)
            entry = self._by_hash.get(hash_)
            if entry is not None and entry.order == order and self._is_future(entry):
                return entry
        return None

    def _pop_cheapest(self) -> Entry[X] | None:
        """The youngest of those that pay least."""
        while self._cheapest:
            _, minus_order, hash_ = heappop(self._cheapest)
            entry = self._by_hash.get(hash_)
            if entry is not None and entry.order == -minus_order:
                return entry
        return None

    def _place(self, line: _Line[X], xt: X, terms: Terms) -> Status:
        self._order += 1
        until = self._height + min(terms.longevity, self.limits.stay_blocks) - 1
        entry = Entry(xt, terms.sender, terms.nonce, terms.priority, until, self._order)
        self._lines[terms.sender] = line
        line.by_nonce[terms.nonce] = entry
        self._by_hash[xt.hash] = entry
        self._bytes += len(xt.raw)
        self._expiring.setdefault(until, {})[xt.hash] = entry
        if terms.nonce == line.gap:
            line.gap += 1
            self._tell_ready(line)
        self._may_be_evicted(entry)
        return "future" if self._is_future(entry) else "ready"

    def _move_on(self, line: _Line[X], nonce: int) -> None:
        """A nonce is used: what it outdates leaves, what it makes way for is ready."""
        outdated = range(line.next, nonce + 1)
        for waiting in [e for n in outdated if (e := line.by_nonce.get(n)) is not None]:
            self._drop(waiting, "invalid")
        line.next = nonce + 1
        line.gap = max(line.gap, line.next)
        self._tell_ready(line)

    def _tell_ready(self, line: _Line[X]) -> None:
        self._changes.extend(Change(entry.xt.hash, "ready") for entry in line.advance())

    def _drop(self, entry: Entry[X], status: Status) -> None:
        line = self._lines[entry.sender]
        self._forget(entry)
        gap, line.gap = line.gap, min(line.gap, max(entry.nonce, line.next))
        for nonce in range(line.gap + 1, gap):
            if (successor := line.by_nonce.get(nonce)) is not None:
                self._note_future(successor)
        self._changes.append(Change(entry.xt.hash, status))

    def _forget(self, entry: Entry[X]) -> None:
        line = self._lines[entry.sender]
        del self._by_hash[entry.xt.hash]
        del line.by_nonce[entry.nonce]
        self._bytes -= len(entry.xt.raw)
        bucket = self._expiring[entry.until]
        del bucket[entry.xt.hash]
        if not bucket:
            del self._expiring[entry.until]
        if not line.by_nonce:
            del self._lines[entry.sender]

    def _expire(self, height: int) -> None:
        """Drop what may be included at `height` at the latest."""
        for past in range(self._height, height + 1):
            for entry in list(self._expiring.get(past, {}).values()):
                self._drop(entry, "invalid")
        self._height = height
