"""The beacon's arithmetic against rounds that drand's quicknet published."""

import json
from pathlib import Path

import pytest

from mycelia.crypto.beacon import is_genuine, public_key_of, randomness_of, signature_point, signed

QUICKNET = json.loads(Path("tests/vectors/data/quicknet.json").read_text())
KEY = bytes.fromhex(QUICKNET["public_key"])
ROUNDS = [
    (entry["round"], bytes.fromhex(entry["signature"]), bytes.fromhex(entry["randomness"]))
    for entry in QUICKNET["rounds"]
]
SECRET = bytes(31) + b"\x07"


@pytest.mark.parametrize(("number", "signature", "randomness"), ROUNDS)
def test_published_rounds_are_genuine(number, signature, randomness):
    assert is_genuine(KEY, number, signature)
    assert randomness_of(signature) == randomness
    assert not is_genuine(KEY, number + 1, signature)


def test_another_rounds_or_beacons_signature_is_not_genuine():
    (first, signature, _), (second, *_) = ROUNDS[:2]
    assert not is_genuine(KEY, second, signature)
    assert not is_genuine(public_key_of(SECRET), first, signature)
    assert not is_genuine(KEY, first, signed(SECRET, first))


def test_a_beacon_of_ones_own():
    key = public_key_of(SECRET)
    assert is_genuine(key, 5, signed(SECRET, 5))
    assert not is_genuine(key, 6, signed(SECRET, 5))
    assert len(key) == 96
    with pytest.raises(ValueError, match="32 bytes"):
        signed(b"short", 5)


@pytest.mark.parametrize(
    "bytes_",
    [b"", bytes(48), b"\xff" * 48, b"\xc0" + bytes(47), b"\xc0" + bytes(46) + b"\1", bytes(49)],
)
def test_bytes_that_are_no_signature(bytes_):
    assert signature_point(bytes_) is None
    assert not is_genuine(KEY, 1000, bytes_)
    assert not is_genuine(bytes_, 1000, ROUNDS[0][1])


def test_the_point_at_infinity_is_no_key():
    assert not is_genuine(b"\xc0" + bytes(95), 1000, ROUNDS[0][1])
