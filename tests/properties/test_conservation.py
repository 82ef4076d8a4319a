"""Whatever people call in whatever order, money is conserved, failures leave no trace, and history repeats itself.

The laws themselves are every pallet's invariants, and the books of `ledger`. At the end bugs are planted, one of each
kind, and each is seen.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mycelia.chain import Chain, History, copy_genesis
from mycelia.frame.state import Transaction
from mycelia.pallets.balances import Balances
from mycelia.pallets.subtensor.emission import kernel
from mycelia.pallets.subtensor.staking.pools import Pools
from mycelia.pallets.subtensor.subnets.custody import Custody
from mycelia.pallets.subtensor.subnets.issuance import Issuance
from mycelia.pallets.system import System
from mycelia.pallets.transaction_payment import TransactionPayment
from mycelia.primitives import InvalidBlock, Tao
from mycelia.state import MemoryStore, Overlay, recompute
from tests.properties.ledger import Ledger
from tests.properties.steps import (
    RUNNING,
    STEP,
    TAO,
    Restart,
    Say,
    Seal,
    Step,
    Sudo,
    address,
    take,
    walk,
)

STEPS = st.lists(STEP, min_size=10, max_size=50)
STRETCH = 100
BLOCKS = int(os.environ.get("MYCELIA_WALK_BLOCKS", "2000"))
"""Length of the long walk. `MYCELIA_WALK_BLOCKS=20000` takes one that a night has time for."""


@settings(max_examples=40)
@given(STEPS)
def test_any_calls_from_genesis_keep_every_law(steps: list[Step]) -> None:
    walk(steps)


@settings(max_examples=60)
@given(STEPS)
def test_any_calls_on_running_subnets_keep_every_law(steps: list[Step]) -> None:
    walk([*RUNNING, *steps])


@settings(max_examples=15)
@given(STEPS)
def test_replayed_by_nodes_that_restart_the_blocks_give_the_same_roots(steps: list[Step]) -> None:
    replayed(walk([*RUNNING, *steps]))


def replayed(walked: Ledger) -> None:
    """Import a walk's blocks into a chain that starts anew after each."""
    history = History(walked.store)
    chain = copy_genesis(history, store := MemoryStore())
    for height in range(1, history.height() + 1):
        block = history.block_at(height)
        assert block is not None
        chain.import_block(block)  # raises where the header differs
        chain = Chain(store)  # nothing decoded, nothing remembered
    assert recompute(store.head()) == store.accumulators()
    assert chain.head_hash == walked.chain.head_hash


@pytest.mark.timeout(120 + BLOCKS // 10)
def test_a_long_walk_mints_in_full_and_does_a_bit_of_everything() -> None:
    """One chain, a random signed call in each of its blocks."""
    walked = walk(RUNNING)
    broken: list[Exception] = []

    @settings(
        max_examples=BLOCKS // STRETCH,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(st.lists(STEP, min_size=STRETCH, max_size=STRETCH))
    def stretches(steps: list[Step]) -> None:
        if broken:  # Hypothesis comes back to show it: the chain stands where it broke
            raise broken[0]
        before = walked.height
        for step in steps:
            try:
                take(walked, step)
                walked.seal()
            except Exception as error:
                broken.append(error)
                raise
        assert walked.height >= before + STRETCH
        minted = zip(walked.emissions[-STRETCH:], walked.minted[-STRETCH:], strict=True)
        # Every rao of the emission, but for what each subnet's share loses by rounding down.
        assert all(0 <= due - given <= 2 * len(walked.netuids()) for due, given in minted)

    stretches()
    assert walked.height >= BLOCKS
    done = {name for name, error in walked.outcomes if error is None}
    failed = {name for name, error in walked.outcomes if error is not None}
    assert done >= {"transfer_keep_alive", "burned_register", "add_stake", "remove_stake"}
    assert done >= {"register_network", "set_weights", "serve_axon", "sudo", "unstake_all"}
    assert "set_mechanism_weights" in done & failed
    assert failed >= {"burned_register", "add_stake", "set_weights", "sudo_set_tempo"}


# --- bugs of each kind ---

BOB, DAVE_HOTKEY = address("//Bob"), address("//Dave/hot1")
STAKED = {"hotkey": address("//Bob/hot1"), "netuid": 1}
EVENTFUL: tuple[Step, ...] = (
    *RUNNING,
    Say("//Dave", "Balances", "transfer_keep_alive", {"dest": BOB, "value": TAO}),
    Say("//Dave", "Balances", "transfer_keep_alive", {"dest": BOB, "value": 10**6 * TAO}),
    Say("//Dave/hot1", "Balances", "transfer_all", {"dest": BOB, "keep_alive": False}),
    Say("//Bob", "SubtensorModule", "add_stake", {**STAKED, "amount_staked": TAO}),
    Say("//Dave", "SubtensorModule", "add_stake", {**STAKED, "amount_staked": 10**6 * TAO}),
    Seal(2),
    Restart(),
    Say("//Bob", "SubtensorModule", "remove_stake", {**STAKED, "amount_unstaked": TAO}),
    # A subnet whose only slot is its owner's: found out after the hotkey is claimed and the price paid.
    Say("//Alice", "SubtensorModule", "register_network", {"hotkey": address("//Alice/hot2")}),
    Sudo("sudo_set_min_allowed_uids", {"netuid": 3, "min_allowed_uids": 0}),
    Sudo("sudo_set_max_allowed_uids", {"netuid": 3, "max_allowed_uids": 1}),
    Say("//Dave", "SubtensorModule", "burned_register", {"netuid": 3, "hotkey": DAVE_HOTKEY}),
    Seal(6),
)

Plant = Callable[[pytest.MonkeyPatch], None]


def transfers_create_money(patch: pytest.MonkeyPatch) -> None:
    give = Balances._give
    patch.setattr(Balances, "_give", lambda self, who, rao: give(self, who, Tao(rao + 1)))


def transfers_mint(patch: pytest.MonkeyPatch) -> None:
    transfer = Balances.transfer

    def minting(self: Any, source: Any, dest: Any, value: Tao, **terms: Any) -> None:
        transfer(self, source, dest, value, **terms)
        self.dust.minted(Tao(1))
        self.credit(dest, Tao(1))

    patch.setattr(Balances, "transfer", minting)


def blocks_mint_twice(patch: pytest.MonkeyPatch) -> None:
    emission = kernel.subnet_emission_q32
    patch.setattr(kernel, "subnet_emission_q32", lambda rao, share: 2 * emission(rao, share))


def minted_money_is_not_counted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Issuance, "minted", lambda _self, _amount: None)


def fees_stay_in_circulation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Issuance, "recycled", lambda _self, _amount: None)


def stakes_are_not_paid_for(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Custody, "pay_in", lambda _self, _netuid, _payer, amount: amount)


def pools_forget_what_was_sold(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Pools, "sold", lambda _self, _netuid, _trade: None)


def failed_calls_keep_their_changes(patch: pytest.MonkeyPatch) -> None:
    leave = Transaction.__exit__

    def keeping(self: Any, kind: Any, error: Any, at: Any) -> None:
        leave(self, None if self._keeps else kind, error, at)

    patch.setattr(Transaction, "__exit__", keeping)


def failed_calls_are_free(patch: pytest.MonkeyPatch) -> None:
    charge = TransactionPayment.charge

    def charging(self: Any, who: Any, fee: Tao, tip: Tao) -> None:
        if self.currency.free_balance(who) < 3_000 * TAO:  # Dave, who fails
            return
        charge(self, who, fee, tip)

    patch.setattr(TransactionPayment, "charge", charging)


def nonces_stand_still(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(System, "use_nonce", lambda _self, _who: None)


def rules_depend_on_the_process(patch: pytest.MonkeyPatch) -> None:
    numbers = count()
    patch.setattr(
        Pools,
        "record_flow",
        lambda self, netuid, _rao: self.subnet_tao_flow.__setitem__(netuid, next(numbers)),
    )


def caches_outlive_their_values(patch: pytest.MonkeyPatch) -> None:
    rebase = Overlay.rebase

    def forgetful(self: Any, view: Any) -> None:
        kept = dict(self._cache.values)
        rebase(self, view)
        self._cache.values.update(kept)

    patch.setattr(Overlay, "rebase", forgetful)


def test_without_bugs_the_eventful_walk_passes() -> None:
    walked = walk(EVENTFUL)
    replayed(walked)
    failed = {name for name, error in walked.outcomes if error is not None}
    assert failed >= {"transfer_keep_alive", "add_stake", "burned_register"}


@pytest.mark.parametrize(
    "plant",
    [
        transfers_create_money,
        transfers_mint,
        blocks_mint_twice,
        minted_money_is_not_counted,
        fees_stay_in_circulation,
        stakes_are_not_paid_for,
        pools_forget_what_was_sold,
        failed_calls_keep_their_changes,
        failed_calls_are_free,
        nonces_stand_still,
        rules_depend_on_the_process,
        caches_outlive_their_values,
    ],
    ids=lambda plant: plant.__name__,
)
def test_a_planted_bug_is_seen(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises((AssertionError, InvalidBlock)):
        replayed(walk(EVENTFUL))
