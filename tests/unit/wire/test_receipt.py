"""A receipt binds one miner to one request and one reply."""

import dataclasses
import hashlib
import json

import bittensor_core
import pytest

from mycelia.wire.contract import Usage
from mycelia.wire.errors import BadReceipt
from mycelia.wire.receipt import Exchange, Receipt, Times

MINER = bittensor_core.Keypair.create_from_uri("//miner")
OTHER = bittensor_core.Keypair.create_from_uri("//other")
REPLY = hashlib.sha256(b"reply").digest()
EXCHANGE = Exchange(MINER.ss58_address, OTHER.ss58_address, hashlib.sha256(b"ask").digest())
TIMES = Times(1_000, 1_020, 1_300)


def _receipt() -> Receipt:
    return EXCHANGE.read(EXCHANGE.sign(MINER, REPLY, 200, TIMES), REPLY, 200)


def test_read_returns_what_was_signed():
    receipt = _receipt()
    assert (receipt.miner, receipt.caller) == (MINER.ss58_address, OTHER.ss58_address)
    assert (receipt.started_ms, receipt.first_byte_ms, receipt.finished_ms) == (1_000, 1_020, 1_300)
    receipt.verify()


@pytest.mark.parametrize(
    "change",
    [
        {"miner": OTHER.ss58_address},
        {"caller": MINER.ss58_address},
        {"request_digest": bytes(32)},
        {"response_digest": bytes(32)},
        {"status": 201},
        {"started_ms": 0},
        {"first_byte_ms": 0},
        {"finished_ms": 0},
        {"scheme": "ed25519"},
        {"signature": bytes(64)},
    ],
)
def test_every_field_is_covered(change):
    with pytest.raises(BadReceipt):
        dataclasses.replace(_receipt(), **change).verify()


def test_another_key_cannot_sign_for_the_miner():
    with pytest.raises(BadReceipt):
        EXCHANGE.read(EXCHANGE.sign(OTHER, REPLY, 200, TIMES), REPLY, 200)


def test_a_receipt_does_not_fit_another_reply():
    wire = EXCHANGE.sign(MINER, REPLY, 200, TIMES)
    with pytest.raises(BadReceipt):
        EXCHANGE.read(wire, hashlib.sha256(b"other").digest(), 200)


@pytest.mark.parametrize(
    "wire",
    [
        None,
        b"",
        b"sr25519 1 2 3",
        b"sr25519 1 2 x 0x00",
        b"sr25519 1 2 3 0xzz",
        b"sr25519 1 2 3 0x00",
        b"ecdsa 1 2 3 0x" + b"00" * 64,
        b"\xff 1 2 3 0x" + b"00" * 64,
        b"sr25519 1 2 3 0x" + b"00" * 1000,
    ],
)
def test_unreadable_receipts_are_bad_receipts(wire):
    with pytest.raises(BadReceipt):
        EXCHANGE.read(wire, REPLY, 200)


def test_json_round_trip_keeps_the_signature_valid():
    again = Receipt.from_json(json.loads(json.dumps(_receipt().to_json())))
    again.verify()
    assert again.miner == MINER.ss58_address


def test_usage_is_stated_where_work_is_counted_and_signed():
    counted = dataclasses.replace(EXCHANGE, usage=Usage(12, 345))
    found = EXCHANGE.read(counted.sign(MINER, REPLY, 200, TIMES), REPLY, 200)
    assert found.usage == Usage(12, 345)
    assert _receipt().usage is None
    found.verify()
    assert Receipt.from_json(found.to_json()) == found
    for changed in ({"tokens_out": 346}, {"tokens_in": None}):
        with pytest.raises(BadReceipt):
            dataclasses.replace(found, **changed).verify()


@pytest.mark.parametrize(
    "usage", [b"", b"1", b"-1/2", b"1/2/3", b"1/", b"1e3/2", b"9" * 16 + b"/1"]
)
def test_usage_that_is_not_two_counts_is_refused(usage):
    words = (
        dataclasses.replace(EXCHANGE, usage=Usage(1, 2)).sign(MINER, REPLY, 200, TIMES).split(b" ")
    )
    words[5] = usage
    with pytest.raises(BadReceipt):
        EXCHANGE.read(b" ".join(words), REPLY, 200)


@pytest.mark.parametrize("moment", [1 << 63, -1, 10**40])
def test_a_moment_that_no_clock_shows_is_refused(moment):
    # Signed by the miner all the same; kept in a book, it would not fit.
    wire = EXCHANGE.sign(MINER, REPLY, 200, Times(moment, 1_020, 1_300))
    with pytest.raises(BadReceipt):
        EXCHANGE.read(wire, REPLY, 200)
