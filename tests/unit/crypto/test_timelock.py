"""Sealing against the client's own code: each opens what the other sealed."""

import json
import random
from pathlib import Path

import bittensor_core
import pytest

from mycelia.crypto.beacon import public_key_of, signed
from mycelia.crypto.timelock import opened, sealed

QUICKNET = json.loads(Path("tests/vectors/data/quicknet.json").read_text())
KEY = bytes.fromhex(QUICKNET["public_key"])
ROUND = QUICKNET["rounds"][0]["round"]
SIGNATURE = bytes.fromhex(QUICKNET["rounds"][0]["signature"])
SECRET = b"\x21" * 32


def envelope(ciphertext: bytes) -> bytes:
    """As the client wraps a ciphertext beside its round."""
    assert 64 <= len(ciphertext) < 2**14
    return (
        (len(ciphertext) << 2 | 1).to_bytes(2, "little") + ciphertext + ROUND.to_bytes(8, "little")
    )


@pytest.mark.parametrize("content", [b"", b"weights", bytes(range(256)) * 4])
def test_each_opens_what_the_other_sealed(content):
    theirs, _ = bittensor_core.encrypt_at_round(content, ROUND)
    assert opened(bytes(bittensor_core.inner_ciphertext(theirs)), SIGNATURE) == content
    ours = sealed(content, KEY, ROUND, b"seed")
    found = bittensor_core.decrypt_with_signature(envelope(ours), SIGNATURE.hex())
    assert bytes(found) == content


def test_only_the_rounds_own_signature_opens():
    key = public_key_of(SECRET)
    ciphertext = sealed(b"weights", key, 9, b"seed")
    assert opened(ciphertext, signed(SECRET, 9)) == b"weights"
    assert opened(ciphertext, signed(SECRET, 10)) is None
    assert opened(ciphertext, signed(b"\x22" * 32, 9)) is None
    assert opened(ciphertext, b"no signature") is None
    assert opened(ciphertext + b"more", signed(SECRET, 9)) == b"weights"


def test_a_seed_makes_the_ciphertext():
    key = public_key_of(SECRET)
    assert sealed(b"a", key, 9, b"1") == sealed(b"a", key, 9, b"1") != sealed(b"a", key, 9, b"2")
    with pytest.raises(ValueError, match="public key"):
        sealed(b"a", b"no key", 9, b"1")


def test_a_damaged_ciphertext_opens_as_nothing():
    rng = random.Random(5)
    whole = sealed(b"weights", KEY, ROUND, b"seed")
    for _ in range(300):
        damaged = bytearray(whole)
        at = rng.randrange(len(whole) - 8)  # the cipher's name at the end is not looked at
        damaged[at] ^= 1 << rng.randrange(8)
        assert opened(bytes(damaged), SIGNATURE) is None
    for length in range(0, len(whole), 7):
        assert opened(whole[:length], SIGNATURE) is None
