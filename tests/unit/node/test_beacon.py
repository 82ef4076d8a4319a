"""A beacon of the node's own: which rounds it brings, when, and with which key."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from mycelia.node.beacon import KEY_FILE, MISSED_ROUNDS, Rounds, beacon_secret, with_beacon
from mycelia.node.genesis import development_genesis
from mycelia.pallets.drand.local import MAX_AT_ONCE
from mycelia.primitives import AppError
from mycelia.runtime import Extrinsic
from mycelia.testing.devchain import START_MS, DevChain
from mycelia.txpool import Pool

SECRET = b"\x07" * 32
START_ROUND = START_MS // 1000 + 1


class Desk:
    """A chain with the beacon, a pool before it, and the task that fills it."""

    def __init__(self, secret: bytes = SECRET) -> None:
        self.dev = DevChain(with_beacon(development_genesis(), SECRET))
        self.chain = self.dev.chain
        self.pool: Pool[Extrinsic] = Pool(height=self.chain.height)
        self.rounds = Rounds(self.chain, secret, submit=self.submit, next_nonce=self.next_nonce)

    def submit(self, raw: bytes) -> None:
        xt, validity = self.chain.check(raw)
        self.pool.add(xt, validity, validity.account_nonce)

    def next_nonce(self, who: Any) -> int:
        waiting = self.pool.next_nonce(who)
        return self.chain.next_nonce(who) if waiting is None else waiting

    def seal(self, now_ms: int | None = None) -> None:
        """A block with all that waits; every call in it must succeed."""
        entries = list(self.pool.ready())
        time_ms = now_ms or (self.chain.now_ms() + 250 if self.chain.height else START_MS)
        proposal = self.chain.prepare([entry.xt.raw for entry in entries], time_ms)
        told = [type(entry.event).__name__ for entry in self.chain.runtime.state.told]
        assert told.count("ExtrinsicSuccess") == len(entries) + 1
        self.chain.finalize(proposal)
        self.chain.commit()
        self.pool.included([entry.xt.hash for entry in entries], self.chain.height)

    @property
    def kept(self) -> list[int]:
        return sorted(int(number) for number in self.chain.runtime.pallets.drand.pulses.keys())  # noqa: SIM118  # a storage map is no mapping


def test_the_newest_round_comes_first_and_each_once() -> None:
    desk = Desk()
    assert desk.rounds.bring() == 0  # no block has a time yet
    desk.seal()
    assert desk.rounds.bring() == 1
    assert desk.rounds.bring() == 0  # it waits
    desk.seal()
    assert desk.kept == [START_ROUND]
    desk.seal(START_MS + 2_100)
    assert desk.rounds.bring() == 2
    desk.seal()
    assert desk.kept == [START_ROUND, START_ROUND + 1, START_ROUND + 2]


def test_what_was_missed_in_an_hour_is_caught_up_with() -> None:
    desk = Desk()
    desk.seal()
    desk.rounds.bring()
    desk.seal()
    desk.seal(START_MS + 3_600_000 * 2)
    brought = [desk.rounds.bring() for _ in range(3)]
    assert brought == [MAX_AT_ONCE] * 3
    desk.seal()
    newest = START_ROUND + 7_200
    first = newest - MISSED_ROUNDS + 1
    assert desk.kept == [START_ROUND, *range(first, first + 3 * MAX_AT_ONCE)]


def test_rounds_that_were_dropped_from_the_pool_are_brought_again() -> None:
    desk = Desk()
    desk.seal()
    desk.rounds.bring()
    desk.pool.clear(desk.chain.height)
    assert desk.rounds.bring() == 1
    desk.seal()
    assert desk.kept == [START_ROUND]


def test_a_network_begun_with_another_beacon_is_refused() -> None:
    with pytest.raises(AppError) as refused:
        Desk(b"\x08" * 32)
    assert refused.value.code == "beacon_differs"


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    made = beacon_secret(tmp_path / "node")
    assert beacon_secret(tmp_path / "node") == made
    assert stat.S_IMODE((tmp_path / "node" / KEY_FILE).stat().st_mode) == 0o600
    assert beacon_secret(tmp_path / "other") != made


@pytest.mark.parametrize("content", ["", "zz", "00" * 31, "00" * 33])
def test_a_damaged_key_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / KEY_FILE).write_text(content)
    with pytest.raises(AppError) as refused:
        beacon_secret(tmp_path)
    assert refused.value.code == "beacon_key_unusable"
    assert str(tmp_path / KEY_FILE) in refused.value.message
