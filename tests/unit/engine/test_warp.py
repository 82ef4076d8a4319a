"""What a developer may do to time, and that going back leaves nothing behind."""

from __future__ import annotations

import pytest

from mycelia.engine import Clock, Solo, SoloConfig, Warp
from mycelia.primitives import AppError
from mycelia.runtime import Extrinsic
from mycelia.state import MemoryStore
from mycelia.testing.blocks import ALICE, DAVE, SLOT_MS, new_chain, transfer
from mycelia.txpool import Pool


class Bench:
    """An engine whose clock stands at 5 s unless it is set."""

    def __init__(self, history: int = 4_096) -> None:
        self.chain = new_chain(MemoryStore(history=history))
        self.pool: Pool[Extrinsic] = Pool()
        clock = Clock(lambda: 5_000)
        config = SoloConfig(interval_ms=None)
        solo = Solo(self.chain, self.pool, config, on_sealed=lambda _: None, clock_ms=clock)
        self.warp = Warp(solo, clock)

    def submit(self, nonce: int, raw: bytes | None = None) -> bytes:
        raw = raw or transfer(self.chain, ALICE, nonce)
        xt, validity = self.chain.check(raw)
        self.pool.add(xt, validity, validity.account_nonce)
        return raw

    def free(self, who: bytes) -> int:
        return int(self.chain.runtime.pallets.balances.free_balance(who))


async def test_a_reverted_chain_is_the_chain_of_then() -> None:
    bench = Bench()
    await bench.warp.seal(3)
    then, root = await bench.warp.snapshot(), bench.chain.store.root()
    bench.submit(0)
    hashes = await bench.warp.seal(2)
    assert bench.free(DAVE.account) > 0
    bench.submit(1)
    await bench.warp.revert(then)
    assert bench.chain.head_hash == then
    assert bench.chain.store.root() == root
    assert (bench.free(DAVE.account), bench.chain.next_nonce(ALICE.account)) == (0, 0)
    assert [bench.chain.history.height_of(hash_) for hash_ in hashes] == [None, None]
    assert bench.chain.history.hash_at(4) is None
    assert len(bench.pool) == 0
    assert [change.status for change in bench.pool.take_changes()] == ["dropped"]
    bench.submit(0)
    await bench.warp.seal(1)
    assert bench.chain.next_nonce(ALICE.account) == 1


async def test_the_same_blocks_again_have_the_same_hashes() -> None:
    bench = Bench()
    then = (await bench.warp.seal(1))[0]
    raw = bench.submit(0)
    first = await bench.warp.seal(3)
    await bench.warp.revert(then)
    bench.submit(0, raw)
    assert await bench.warp.seal(3) == first


async def test_what_cannot_be_gone_back_to_is_said_and_nothing_changes() -> None:
    bench = Bench(history=2)
    early = (await bench.warp.seal(1))[0]
    await bench.warp.seal(5)
    head = bench.chain.head_hash
    for block, code in ((b"\x07" * 32, "unknown_snapshot"), (early, "snapshot_discarded")):
        with pytest.raises(AppError) as error:
            await bench.warp.revert(block)
        assert error.value.code == code
        assert bench.chain.head_hash == head
    await bench.warp.seal(1)


async def test_the_clock_is_set_forward_and_back_behind_a_revert() -> None:
    bench = Bench()
    then = (await bench.warp.seal(1))[0]
    assert bench.chain.now_ms() == 5_000
    await bench.warp.set_time(60_000)
    await bench.warp.seal(2)
    assert bench.chain.now_ms() == 60_000 + SLOT_MS
    with pytest.raises(AppError, match="later than the newest"):
        await bench.warp.set_time(60_000 + SLOT_MS)
    await bench.warp.revert(then)
    await bench.warp.set_time(7_000)
    await bench.warp.seal(1)
    assert bench.chain.now_ms() == 7_000


@pytest.mark.parametrize("netuid", [1, 77])
async def test_a_subnet_without_epochs_has_none_to_jump_to(netuid: int) -> None:
    with pytest.raises(AppError) as error:
        await Bench().warp.seal_epoch(netuid)
    assert error.value.code == "no_epoch"
