"""What comes of extrinsics that others hide: each is an ordinary one, signed and paid for by whoever made it, once."""

from __future__ import annotations

import bittensor_core
import pytest

from mycelia.chain import Budget, Chain
from mycelia.engine import Sealing, ShieldKeys, Solo, SoloConfig
from mycelia.primitives import RAO_PER_TAO
from mycelia.runtime import Extrinsic
from mycelia.testing.blocks import ALICE, BOB, DAVE, grow, new_chain, transfer
from mycelia.testing.oracle import compose
from mycelia.txpool import Change, Pool


class Bench:
    """An engine that opens what is hidden for its key."""

    def __init__(self) -> None:
        self.chain: Chain = new_chain()
        self.pool: Pool[Extrinsic] = Pool()
        self.sealed: list[Sealing] = []
        shield = ShieldKeys()
        self._key = shield.announce()
        self._now_ms = 5_000
        config = SoloConfig(interval_ms=None, budget=Budget(time_ms=600_000))
        self.solo = Solo(
            self.chain,
            self.pool,
            config,
            on_sealed=self.sealed.append,
            clock_ms=lambda: self._now_ms,
            shield=shield,
        )
        grow(self.chain)

    def submit(self, raw: bytes) -> bytes:
        xt, validity = self.chain.check(raw)
        self.pool.add(xt, validity, validity.account_nonce)
        return xt.hash

    def hide(self, hidden: bytes, nonce: int) -> bytes:
        """Bob submits it for another, in a call of his own."""
        sealed = bytes(bittensor_core.encrypt_mlkem768(self._key, hidden, include_key_hash=True))
        height = self.chain.height
        raw = BOB.sign(
            compose("MevShield", "submit_encrypted", ciphertext=sealed),
            nonce=nonce,
            genesis_hash=self.chain.genesis_hash,
            era={"period": 8, "current": height},
            era_hash=self.chain.history.hash_at(height),
        )
        return self.submit(raw)

    @property
    def sent(self) -> int:
        """How many TAO Dave has got."""
        free = self.chain.runtime.pallets.balances.free_balance(DAVE.account)
        return free // RAO_PER_TAO


async def test_what_is_hidden_twice_happens_once_also_after_it_was_revealed() -> None:
    bench = Bench()
    secret = transfer(bench.chain, ALICE, 0)
    bench.hide(secret, 0)
    bench.hide(secret, 1)
    await bench.solo.seal()
    bench.hide(secret, 2)
    await bench.solo.seal()
    assert bench.sent == 1
    assert bench.chain.next_nonce(ALICE.account) == 1
    assert bench.chain.next_nonce(BOB.account) == 3


async def test_one_that_also_waits_openly_is_told_as_included() -> None:
    bench = Bench()
    secret = transfer(bench.chain, ALICE, 0)
    open_hash, outer = bench.submit(secret), bench.hide(secret, 0)
    after = bench.submit(transfer(bench.chain, ALICE, 1))
    await bench.solo.seal()
    await bench.solo.seal()
    assert bench.sent == 2
    assert {hash_ for sealing in bench.sealed for hash_ in sealing.hashes} == {
        open_hash,
        outer,
        after,
    }
    assert Change(open_hash, "invalid") not in bench.pool.take_changes()


async def test_the_hidden_one_first_then_its_open_twin() -> None:
    """The outer one came first, so the twin comes up when its nonce is used already."""
    bench = Bench()
    secret = transfer(bench.chain, ALICE, 0)
    outer = bench.hide(secret, 0)
    twin = bench.submit(secret)
    await bench.solo.seal()
    assert bench.sent == 1
    assert sorted(bench.sealed[0].hashes) == sorted([outer, twin])
    assert bench.pool.take_changes() == []
    assert len(bench.pool) == 0


async def test_a_hidden_one_is_told_before_what_follows_it_openly() -> None:
    """In the block's order: whoever hears of a later nonce first takes the earlier one as outdated."""
    bench = Bench()
    secret = transfer(bench.chain, ALICE, 0)
    outer = bench.hide(secret, 0)
    twin = bench.submit(secret)
    after = bench.submit(transfer(bench.chain, ALICE, 1))
    await bench.solo.seal()
    assert bench.sealed[0].hashes == (outer, twin, after)
    assert bench.pool.take_changes() == []


@pytest.mark.parametrize("kind", ["forged", "inherent", "announcement", "future", "garbage"])
async def test_what_may_not_be_included_openly_is_not_included_hidden(kind: str) -> None:
    bench = Bench()
    signed = transfer(bench.chain, ALICE, 0)
    runtime = bench.chain.runtime
    hidden = {
        "forged": signed[:40] + bytes([signed[40] ^ 1]) + signed[41:],
        "inherent": runtime.inherent(9_000_000),
        "announcement": runtime.announcement(bytes(1_184)),
        "future": transfer(bench.chain, ALICE, 1),
        "garbage": b"garbage",
    }[kind]
    outer = bench.hide(hidden, 0)
    await bench.solo.seal()
    await bench.solo.seal()
    assert [sealing.hashes for sealing in bench.sealed] == [(outer,), ()]
    assert bench.sent == 0
    assert bench.chain.next_nonce(ALICE.account) == 0


async def test_a_hidden_call_that_fails_is_paid_for_by_who_signed_it() -> None:
    bench = Bench()
    balances = bench.chain.runtime.pallets.balances
    had = balances.free_balance(ALICE.account)
    bench.hide(transfer(bench.chain, ALICE, 0, rao=2**63), 0)
    await bench.solo.seal()
    assert 0 < had - balances.free_balance(ALICE.account) < RAO_PER_TAO
    assert (bench.sent, bench.chain.next_nonce(ALICE.account)) == (0, 1)
