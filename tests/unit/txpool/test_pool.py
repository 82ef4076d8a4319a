"""Order, replacement, limits and leaving of the pool."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import pytest

from mycelia.primitives import AccountId
from mycelia.primitives.errors import ExhaustsResources
from mycelia.txpool import AlreadyImported, Change, Limits, Pool, PoolFull, PriorityTooLow

ALICE, BOB = AccountId(b"a" * 32), AccountId(b"b" * 32)


@dataclass(frozen=True)
class Xt:
    """An extrinsic, as far as the pool looks at one."""

    raw: bytes

    @property
    def hash(self) -> bytes:
        return blake2b(self.raw, digest_size=32).digest()


@dataclass(frozen=True)
class Terms:
    """What the runtime would have said of it."""

    sender: AccountId
    nonce: int
    priority: int = 0
    longevity: int = 64


def put(
    pool: Pool[Xt], who: AccountId, nonce: int, priority: int = 0, *, base: int = 0, life: int = 64
) -> bytes:
    """Add an extrinsic of its own bytes; returns its hash."""
    xt = Xt(who + nonce.to_bytes(4, "big") + priority.to_bytes(4, "big"))
    pool.add(xt, Terms(who, nonce, priority, life), base)
    return xt.hash


def order(pool: Pool[Xt]) -> list[tuple[AccountId, int]]:
    return [(entry.sender, entry.nonce) for entry in pool.ready()]


def test_nonces_of_a_sender_leave_in_order_and_senders_by_priority() -> None:
    pool: Pool[Xt] = Pool()
    put(pool, ALICE, 1, 9)
    put(pool, ALICE, 0, 1)
    put(pool, BOB, 0, 5)
    assert order(pool) == [(BOB, 0), (ALICE, 0), (ALICE, 1)]


def test_a_gap_keeps_successors_in_the_future_until_it_is_filled() -> None:
    pool: Pool[Xt] = Pool()
    waiting = put(pool, ALICE, 2)
    put(pool, ALICE, 0)
    assert order(pool) == [(ALICE, 0)]
    assert pool.next_nonce(ALICE) == 1
    put(pool, ALICE, 1)
    assert pool.take_changes() == [Change(waiting, "ready")]
    assert [nonce for _, nonce in order(pool)] == [0, 1, 2]
    assert pool.next_nonce(ALICE) == 3
    assert pool.next_nonce(BOB) is None


def test_the_same_bytes_twice_are_refused() -> None:
    pool: Pool[Xt] = Pool()
    put(pool, ALICE, 0)
    with pytest.raises(AlreadyImported) as refusal:
        put(pool, ALICE, 0)
    assert refusal.value.code == 1013


def test_replacement_takes_a_higher_priority() -> None:
    pool: Pool[Xt] = Pool()
    old = put(pool, ALICE, 0, 5)
    put(pool, ALICE, 1)
    with pytest.raises(PriorityTooLow) as refusal:
        put(pool, ALICE, 0, 4)
    assert refusal.value.code == 1014
    assert "Priority is too low: (5 vs 4)" in refusal.value.message
    new = put(pool, ALICE, 0, 6)
    assert pool.take_changes() == [Change(old, "usurped", new)]
    assert next(entry.xt.hash for entry in pool.ready()) == new
    assert pool.next_nonce(ALICE) == 2


def test_included_extrinsics_leave_and_the_line_moves_on() -> None:
    pool: Pool[Xt] = Pool()
    first = put(pool, ALICE, 7, base=7)
    put(pool, ALICE, 8, base=7)
    pool.included([first], 1)
    assert order(pool) == [(ALICE, 8)]
    assert pool.next_nonce(ALICE) == 9
    assert pool.take_changes() == []


def test_a_rejected_one_sends_its_successors_to_the_future() -> None:
    pool: Pool[Xt] = Pool()
    bad = put(pool, ALICE, 0)
    put(pool, ALICE, 1)
    ready = pool.ready()
    assert next(ready).xt.hash == bad
    pool.reject(bad)
    assert list(ready) == []
    assert len(pool) == 1
    assert pool.take_changes() == [Change(bad, "invalid")]


def test_selection_goes_on_while_the_pool_changes() -> None:
    pool: Pool[Xt] = Pool()
    put(pool, ALICE, 0, 3)
    put(pool, BOB, 0, 2)
    ready = pool.ready()
    next(ready)
    put(pool, ALICE, 1, 1)
    put(pool, BOB, 0, 4)
    assert [(entry.sender, entry.nonce) for entry in ready] == [(ALICE, 1)]


def test_what_outlives_its_longevity_leaves() -> None:
    pool: Pool[Xt] = Pool(height=10)
    short = put(pool, ALICE, 0, life=3)
    put(pool, BOB, 0, life=4)
    pool.included([], 11)
    assert len(pool) == 2
    pool.included([], 12)
    assert pool.take_changes() == [Change(short, "invalid")]
    assert order(pool) == [(BOB, 0)]


def test_a_full_pool_takes_only_what_pays_more_than_the_least() -> None:
    pool: Pool[Xt] = Pool(Limits(count=2))
    low = put(pool, ALICE, 0, 1)
    put(pool, BOB, 0, 2)
    carol = AccountId(b"c" * 32)
    with pytest.raises(PoolFull):
        put(pool, carol, 0, 1)
    assert len(pool) == 2
    put(pool, carol, 0, 3)
    assert pool.take_changes() == [Change(low, "dropped")]
    assert order(pool) == [(carol, 0), (BOB, 0)]


CAROL = AccountId(b"c" * 32)


def test_in_a_full_pool_the_future_makes_room_for_what_is_ready() -> None:
    pool: Pool[Xt] = Pool(Limits(count=3))
    old, young = put(pool, ALICE, 5, 9), put(pool, ALICE, 6, 9)
    put(pool, BOB, 0)
    put(pool, CAROL, 0)
    assert pool.take_changes() == [Change(old, "dropped")]
    put(pool, CAROL, 1)
    assert pool.take_changes() == [Change(young, "dropped")]
    with pytest.raises(PoolFull):
        put(pool, ALICE, 0)
    assert order(pool) == [(BOB, 0), (CAROL, 0), (CAROL, 1)]


def test_the_future_takes_no_room_from_what_is_ready_whatever_it_offers() -> None:
    pool: Pool[Xt] = Pool(Limits(count=1))
    put(pool, BOB, 0)
    with pytest.raises(PoolFull):
        put(pool, ALICE, 5, 9)
    assert order(pool) == [(BOB, 0)]
    put(pool, ALICE, 0, 9)
    assert order(pool) == [(ALICE, 0)]


def test_what_a_rejected_one_leaves_behind_makes_room_too() -> None:
    pool: Pool[Xt] = Pool(Limits(count=3))
    bad = put(pool, ALICE, 0, 9)
    left = [put(pool, ALICE, nonce, 9) for nonce in (1, 2)]
    with pytest.raises(PoolFull):
        put(pool, BOB, 0)
    pool.reject(bad)
    for nonce in range(3):
        put(pool, BOB, nonce)
    assert pool.take_changes() == [
        Change(bad, "invalid"),
        *(Change(hash_, "dropped") for hash_ in left),
    ]
    assert order(pool) == [(BOB, 0), (BOB, 1), (BOB, 2)]


def test_one_that_became_ready_is_future_no_more() -> None:
    pool: Pool[Xt] = Pool(Limits(count=2))
    put(pool, ALICE, 1)
    put(pool, ALICE, 0)
    with pytest.raises(PoolFull):
        put(pool, BOB, 0)
    assert order(pool) == [(ALICE, 0), (ALICE, 1)]


def test_room_that_was_not_enough_is_given_back() -> None:
    pool: Pool[Xt] = Pool(Limits(bytes=100))
    put(pool, ALICE, 5)
    put(pool, BOB, 0, 3)
    big = Xt(b"x" * 90)
    for _ in range(200):
        with pytest.raises(PoolFull):
            pool.add(big, Terms(CAROL, 0), 0)
    assert len(pool) == 2
    assert len(pool._cheapest) + len(pool._futures) < 200
    put(pool, CAROL, 0)
    assert order(pool) == [(BOB, 0), (CAROL, 0)]


def test_a_full_pool_still_replaces() -> None:
    pool: Pool[Xt] = Pool(Limits(count=1))
    put(pool, ALICE, 0, 1)
    put(pool, ALICE, 0, 2)
    assert len(pool) == 1


def test_bytes_are_bounded_and_given_back() -> None:
    pool: Pool[Xt] = Pool(Limits(bytes=100))
    first = put(pool, ALICE, 0)
    put(pool, ALICE, 1)
    with pytest.raises(PoolFull):
        put(pool, ALICE, 2)
    assert pool.size_bytes == 80
    pool.included([first], 1)
    put(pool, ALICE, 2)
    assert pool.size_bytes == 80


def test_what_no_block_has_room_for_may_not_wait() -> None:
    pool: Pool[Xt] = Pool(Limits(extrinsic_bytes=39))
    with pytest.raises(ExhaustsResources):
        put(pool, ALICE, 0)


def test_one_sender_has_a_share_and_a_smaller_one_of_the_future() -> None:
    pool: Pool[Xt] = Pool(Limits(per_sender=3, future_per_sender=1))
    put(pool, ALICE, 5)
    with pytest.raises(PoolFull):
        put(pool, ALICE, 6)
    put(pool, ALICE, 0)
    put(pool, ALICE, 1)
    with pytest.raises(PoolFull):
        put(pool, ALICE, 2)


def test_a_flood_that_is_replaced_again_and_again_leaves_no_memory_behind() -> None:
    pool: Pool[Xt] = Pool()
    for priority in range(1_000):
        put(pool, ALICE, 0, priority)
    assert len(pool) == 1
    assert len(pool._cheapest) < 200
    assert sum(map(len, pool._expiring.values())) == 1
    assert pool.size_bytes == 40


def test_a_nonce_used_by_what_never_waited_makes_way_for_the_next() -> None:
    pool: Pool[Xt] = Pool()
    outer = put(pool, ALICE, 0)
    twin, queued = put(pool, ALICE, 1), put(pool, ALICE, 3)
    pool.included([outer], 1)
    pool.take_changes()
    pool.spent(ALICE, 1)
    pool.spent(ALICE, 2)
    assert pool.take_changes() == [Change(twin, "invalid"), Change(queued, "ready")]
    assert order(pool) == [(ALICE, 3)]
    assert pool.next_nonce(ALICE) == 4


def test_a_nonce_used_twice_or_by_a_stranger_changes_nothing() -> None:
    pool: Pool[Xt] = Pool()
    put(pool, ALICE, 5, base=5)
    pool.spent(ALICE, 4)
    pool.spent(BOB, 0)
    assert order(pool) == [(ALICE, 5)]
    assert pool.take_changes() == []
