"""What an account may have tried for nothing between two blocks."""

from __future__ import annotations

import pytest

from mycelia.chain.free_calls import FREE_CALLS, FreeCalls, TooManyFreeCalls
from mycelia.primitives.errors import CannotPay, StaleNonce
from mycelia.runtime.admission import WouldFail
from mycelia.testing.devchain import DevChain
from mycelia.testing.oracle import Person, compose

WEIGHTS = compose("SubtensorModule", "set_weights", netuid=1, dests=[0], weights=[1], version_key=0)
REMARK = compose("System", "remark", remark="0x")
BOB, CHARLIE = Person("//Bob"), Person("//Charlie")


def test_accounts_are_counted_apart_and_anew_after_a_block() -> None:
    counted = FreeCalls()
    counted.use(BOB.account, FREE_CALLS)
    counted.use(CHARLIE.account, 1)
    with pytest.raises(TooManyFreeCalls):
        counted.use(BOB.account, 1)
    counted.use(CHARLIE.account, FREE_CALLS - 1)
    counted.forget()
    counted.use(BOB.account, FREE_CALLS)


def test_what_is_tried_for_nothing_has_an_end_until_the_next_block() -> None:
    dev = DevChain()

    def ask(call: bytes, nonce: int = 0) -> None:
        dev.chain.check(BOB.sign(call, nonce=nonce, genesis_hash=dev.chain.genesis_hash))

    half = compose("Utility", "batch", calls=[WEIGHTS] * (FREE_CALLS // 2))
    for _ in range(2):
        with pytest.raises(CannotPay):
            ask(half)
    with pytest.raises(TooManyFreeCalls):
        ask(WEIGHTS)
    for nonce in range(3):
        ask(REMARK, nonce)  # he pays for it
    dev.seal()
    with pytest.raises(CannotPay):
        ask(WEIGHTS)


def test_the_operators_orders_are_not_counted() -> None:
    dev, alice = DevChain(), Person("//Alice")
    order = compose("Sudo", "sudo", call=REMARK)
    many = compose("Utility", "batch", calls=[order] * (FREE_CALLS + 1))
    dev.chain.check(alice.sign(many, nonce=0, genesis_hash=dev.chain.genesis_hash))


def test_what_is_outdated_and_sent_again_by_others_takes_nothing_from_its_signer() -> None:
    dev = DevChain()
    dev.submit("//Bob", "System", "remark", remark="0x")
    genesis_hash = dev.chain.genesis_hash
    used = BOB.sign(WEIGHTS, nonce=0, genesis_hash=genesis_hash)
    for _ in range(FREE_CALLS):
        with pytest.raises(StaleNonce):
            dev.chain.check(used)
    with pytest.raises(CannotPay):
        dev.chain.check(BOB.sign(WEIGHTS, nonce=1, genesis_hash=genesis_hash))


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("batch_set_weights", {"netuids": [1] * 200, "weights": [], "version_keys": []}),
        ("batch_commit_weights", {"netuids": [1] * 200, "commit_hashes": []}),
        (
            "batch_reveal_weights",
            {
                "netuid": 1,
                "uids_list": [[]] * 200,
                "values_list": [],
                "salts_list": [],
                "version_keys": [],
            },
        ),
    ],
)
def test_what_one_call_does_many_times_is_counted_as_many(
    name: str, params: dict[str, object]
) -> None:
    dev = DevChain()
    call = compose("SubtensorModule", name, **params)
    raw = BOB.sign(call, nonce=0, genesis_hash=dev.chain.genesis_hash)
    with pytest.raises(WouldFail):
        dev.chain.check(raw)
    with pytest.raises(TooManyFreeCalls):
        dev.chain.check(raw)
