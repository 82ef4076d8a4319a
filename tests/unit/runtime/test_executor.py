"""Extrinsics through the runtime: what stays, what is undone, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mycelia.primitives import InvalidTransaction, Tao
from mycelia.primitives.errors import (
    BadSignature,
    CannotPay,
    FutureNonce,
    MalformedTransaction,
    StaleNonce,
)
from mycelia.runtime import ApiNotFound, GenesisConfig, Runtime
from mycelia.runtime.composition import MAX_CALLS
from mycelia.runtime.cost import TooHeavy
from mycelia.runtime.eventlog import EVENT_LOG, EVENTS_KEY
from mycelia.runtime.extrinsic import Era, SigningContext, signing_payload
from mycelia.runtime.version import SPEC_VERSION, TRANSACTION_VERSION
from mycelia.state import MemoryStore, Overlay
from mycelia.testing.oracle import Person, compose, oracle

ALICE, BOB, EVE = Person("//Alice"), Person("//Bob"), Person("//Eve")
GENESIS_HASH = b"\x01" * 32
TAO = 10**9


@pytest.fixture
def runtime() -> Runtime:
    """One block open on a chain where Alice has 1,000 TAO and is the operator."""
    runtime = Runtime(Overlay(MemoryStore().head()))
    runtime.genesis(GenesisConfig(balances={ALICE.account: Tao(1000 * TAO)}, sudo=ALICE.account))
    runtime.begin(1, bytes(32))
    runtime.apply(runtime.decode(runtime.inherent(1_000)))
    return runtime


def send(value: int, to: Person = BOB) -> bytes:
    return compose("Balances", "transfer_keep_alive", dest={"Id": to.address}, value=value)


def signed(call: bytes, nonce: int = 0, who: Person = ALICE, **terms: object) -> bytes:
    return who.sign(call, nonce=nonce, genesis_hash=GENESIS_HASH, **terms)


def balance(runtime: Runtime, who: Person) -> int:
    return runtime.pallets.balances.free_balance(who.account)


def told(runtime: Runtime) -> list[str]:
    return [f"{t.pallet}.{type(t.event).__name__}" for t in runtime.state.told]


def test_a_transfer_moves_money_and_takes_the_fee_it_tells(runtime: Runtime) -> None:
    raw = signed(send(5 * TAO))
    xt = runtime.decode(raw)
    runtime.verify(xt, GENESIS_HASH, GENESIS_HASH)
    assert runtime.apply(xt)
    fee = runtime.pallets.payment.total_fee(xt.call.spec.weight, len(raw))
    assert fee > len(raw)
    assert balance(runtime, BOB) == 5 * TAO
    assert balance(runtime, ALICE) == 995 * TAO - fee
    assert runtime.pallets.balances.total_issuance == 1000 * TAO - fee
    assert told(runtime)[-3:] == [
        "Balances.Transfer",
        "TransactionPayment.TransactionFeePaid",
        "System.ExtrinsicSuccess",
    ]


def test_what_a_page_has_signed_as_a_text_is_no_transfer(runtime: Runtime) -> None:
    xt = runtime.decode(signed(send(5 * TAO)))
    context = SigningContext(SPEC_VERSION, TRANSACTION_VERSION, GENESIS_HASH, GENESIS_HASH)
    text = b"<Bytes>" + signing_payload(xt, context) + b"</Bytes>"
    lured = replace(xt, signature=bytes(ALICE.key.sign(text)))
    with pytest.raises(BadSignature):
        runtime.verify(lured, GENESIS_HASH, GENESIS_HASH)


def test_a_failed_call_changes_nothing_but_fee_and_nonce(runtime: Runtime) -> None:
    raw = signed(send(5000 * TAO))
    xt = runtime.decode(raw)
    assert not runtime.apply(xt)
    fee = runtime.pallets.payment.total_fee(xt.call.spec.weight, len(raw))
    assert balance(runtime, ALICE) == 1000 * TAO - fee
    assert balance(runtime, BOB) == 0
    assert runtime.next_nonce(ALICE.account) == 1
    assert told(runtime)[-1] == "System.ExtrinsicFailed"


def test_the_event_log_is_what_clients_decode(runtime: Runtime) -> None:
    runtime.apply(runtime.decode(signed(send(TAO))))
    runtime.end()
    data = EVENT_LOG.encode(runtime.state.get(EVENTS_KEY, EVENT_LOG))
    for version in (14, 15):
        codec = oracle(version)
        events = codec.decode(codec.storage_entry("System", "Events").value_type, data)
        transfer = next(e for e in events if e["event_id"] == "Transfer")
        assert transfer["attributes"] == {"from": ALICE.address, "to": BOB.address, "amount": TAO}
        assert transfer["extrinsic_idx"] == 1


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (lambda: signed(send(TAO), nonce=5), FutureNonce),
        (lambda: signed(send(TAO), who=EVE), CannotPay),
        (lambda: signed(send(TAO), tip=10**13), CannotPay),
    ],
)
def test_what_may_not_enter_a_block_leaves_it_as_it_was(runtime: Runtime, raw, error) -> None:
    before = (balance(runtime, ALICE), told(runtime))
    with pytest.raises(error):
        runtime.apply(runtime.decode(raw()))
    assert (balance(runtime, ALICE), told(runtime)) == before


def test_one_extrinsic_may_not_take_a_block_for_itself(runtime: Runtime) -> None:
    """A block ends between two extrinsics, so nobody is answered before the heaviest is over."""
    one = compose("SubtensorModule", "try_associate_hotkey", hotkey=BOB.address)
    weight = runtime.decode(signed(one)).call.spec.weight.ref_time
    at_most = oracle().constant("System", "BlockWeights")["per_class"]["normal"]["max_extrinsic"]
    fits = at_most["ref_time"] // weight - 1
    assert fits < MAX_CALLS
    good = runtime.decode(signed(compose("Utility", "batch", calls=[one] * fits)))
    heavy = runtime.decode(signed(compose("Utility", "batch", calls=[one] * (fits + 2))))
    runtime.check(good, 2)
    with pytest.raises(TooHeavy):
        runtime.check(heavy, 2)
    with pytest.raises(TooHeavy):
        runtime.apply(heavy)


@pytest.mark.parametrize("others", [[], [compose("System", "remark", remark="0x")]])
def test_rows_of_a_batch_weigh_too_free_or_not(runtime: Runtime, others: list[bytes]) -> None:
    many = 10_000
    rows = compose(
        "SubtensorModule",
        "batch_set_weights",
        netuids=[1] * many,
        weights=[[]] * many,
        version_keys=[0] * many,
    )
    batch = compose("Utility", "batch", calls=[rows, *others])
    with pytest.raises(TooHeavy):
        runtime.apply(runtime.decode(signed(batch)))


def test_a_nonce_counts_once(runtime: Runtime) -> None:
    xt = runtime.decode(signed(send(TAO)))
    runtime.apply(xt)
    with pytest.raises(StaleNonce):
        runtime.apply(xt)


def test_an_era_that_is_over_fails_by_the_hash_of_the_block_it_began_with(runtime: Runtime) -> None:
    born, later = b"\x05" * 32, b"\x09" * 32
    xt = runtime.decode(signed(send(TAO), era={"period": 4, "phase": 1}, era_hash=born))
    assert (xt.era, xt.era.birth(2), xt.era.death(2)) == (Era(4, 1), 1, 5)
    assert runtime.check(xt, 2).longevity == 4
    runtime.verify(xt, GENESIS_HASH, born)
    with pytest.raises(BadSignature):
        runtime.verify(xt, GENESIS_HASH, later)


@pytest.mark.parametrize("place", ["call", "nonce", "signature", "genesis", "signer"])
def test_signatures_bind_everything(runtime: Runtime, place: str) -> None:
    xt = runtime.decode(signed(send(TAO)))
    changed = {
        "call": lambda: runtime.decode(xt.raw[:-1] + b"\x01"),
        "nonce": lambda: runtime.decode(xt.raw.replace(xt.extra, b"\x00\x04\x00\x00", 1)),
        "signature": lambda: runtime.decode(xt.raw.replace(xt.signature, bytes(64))),
        "signer": lambda: runtime.decode(xt.raw.replace(xt.signer, EVE.account, 1)),
        "genesis": lambda: xt,
    }[place]()
    genesis = bytes(32) if place == "genesis" else GENESIS_HASH
    with pytest.raises(BadSignature):
        runtime.verify(changed, genesis, genesis)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x00", b"\x04\x84", b"\x04\x85", b"\xff" * 200, b"\x02\x00\x00\x00\x84", bytes(100)],
)
def test_garbage_is_malformed(runtime: Runtime, raw: bytes) -> None:
    with pytest.raises(MalformedTransaction):
        runtime.decode(raw)


def test_truncated_and_extended_extrinsics_are_malformed(runtime: Runtime) -> None:
    raw = signed(send(TAO))
    for cut in range(len(raw)):
        with pytest.raises(MalformedTransaction):
            runtime.decode(raw[:cut])
    with pytest.raises(MalformedTransaction):
        runtime.decode(raw + b"\0")


def test_calls_nest_only_so_deep(runtime: Runtime) -> None:
    call = compose("System", "remark", remark="0x")
    for _ in range(7):
        call = b"\x0c\x00" + call
    runtime.decode(signed(call))
    with pytest.raises(MalformedTransaction, match="nested deeper"):
        runtime.decode(signed(b"\x0c\x00" * 5000 + call))


def test_sudo_makes_calls_as_root_and_reports_how_they_end(runtime: Runtime) -> None:
    inner = compose("Balances", "force_set_balance", who={"Id": EVE.address}, new_free=7 * TAO)
    xt = runtime.decode(signed(b"\x0c\x00" + inner))
    assert not xt.call.spec.pays
    assert runtime.apply(xt)
    assert balance(runtime, EVE) == 7 * TAO
    assert not runtime.apply(runtime.decode(signed(b"\x0c\x00" + inner, who=EVE)))
    assert balance(runtime, EVE) == 7 * TAO


def test_apis_answer_bytes_and_name_what_they_lack(runtime: Runtime) -> None:
    raw = signed(send(TAO))
    info = runtime.call_api(
        "TransactionPaymentApi_query_info", raw + len(raw).to_bytes(4, "little")
    )
    fee = runtime.pallets.payment.total_fee(runtime.decode(raw).call.spec.weight, len(raw))
    assert info.endswith(fee.to_bytes(8, "little"))
    nonce = runtime.call_api("AccountNonceApi_account_nonce", ALICE.account)
    assert nonce == bytes(4)
    with pytest.raises(ApiNotFound, match="Exported method Nope_nope is not found"):
        runtime.call_api("Nope_nope", b"")


def test_inherents_are_not_for_submitting(runtime: Runtime) -> None:
    with pytest.raises(InvalidTransaction):
        runtime.check(runtime.decode(runtime.inherent(2_000)), 2)


def test_a_fee_leaves_the_existential_deposit(runtime: Runtime) -> None:
    raw = signed(send(TAO), who=EVE)
    fee = runtime.pallets.payment.total_fee(runtime.decode(raw).call.spec.weight, len(raw))
    deposit = runtime.pallets.balances.existential_deposit
    runtime.pallets.balances.credit(EVE.account, Tao(fee + deposit - 1))
    with pytest.raises(CannotPay):
        runtime.check(runtime.decode(raw), 2)
    runtime.pallets.balances.credit(EVE.account, Tao(1))
    assert not runtime.apply(runtime.decode(raw))  # the transfer fails, the fee is paid
    assert balance(runtime, EVE) == deposit
