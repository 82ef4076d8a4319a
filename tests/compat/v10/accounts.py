"""Balances, transfers, blocks."""

from __future__ import annotations

from bittensor.utils.balance import Balance
from kit import ALICE, BOB, DAVE, TAO, chain, cold, done, free, raw, step, wallet


@step
def connects() -> None:
    assert chain.get_current_block() > 0
    assert chain.is_fast_blocks()
    assert chain.get_existential_deposit().rao == 500
    assert chain.get_timestamp().timestamp() > 1_600_000_000
    assert chain.get_block_hash(0).startswith("0x")


@step
def balances_are_the_development_networks() -> None:
    assert free(ALICE) == free(BOB) == 1_000_000 * TAO
    both = chain.get_balances(cold(ALICE), cold(DAVE))
    assert [both[cold(who)].rao for who in (ALICE, DAVE)] == [1_000_000 * TAO, 2_000 * TAO]


@step
def a_transfer_costs_what_was_quoted_to_the_rao() -> None:
    before = free(BOB), free(DAVE)
    amount = Balance.from_tao(12.5)
    response = done(chain.transfer(BOB, cold(DAVE), amount, wait_for_finalization=True))
    after = free(BOB), free(DAVE)
    assert after[1] - before[1] == amount.rao
    fee = response.extrinsic_fee.rao
    assert before[0] - after[0] == amount.rao + fee, (before[0] - after[0], fee)
    assert chain.get_transfer_fee(BOB, cold(DAVE), amount).rao >= fee - 10


@step
def everything_can_be_sent() -> None:
    poor = wallet("Poor")
    done(chain.transfer(BOB, cold(poor), Balance.from_tao(1)))
    done(
        chain.transfer(
            poor, cold(BOB), None, transfer_all=True, keep_alive=False, wait_for_finalization=True
        )
    )
    assert free(poor) == 0


@step
def a_transfer_that_cannot_be_paid_is_refused() -> None:
    response = chain.transfer(wallet("Nobody"), cold(BOB), Balance.from_tao(1))
    assert not response.success


@step
def a_block_is_decoded_whole() -> None:
    info = chain.get_block_info()
    assert info.number > 0
    assert info.hash == chain.get_block_hash(info.number)
    assert info.extrinsics


@step
def a_failed_call_has_the_chains_name_and_words() -> None:
    response = raw(BOB, "SubtensorModule", "start_call", netuid=777)
    assert not response.success
    assert "SubnetNotExists" in str(response.message) + str(response.error), response.message
