"""The chain's side of secret extrinsics: keys that move on block by block, and ciphertexts that can be read."""

from __future__ import annotations

import pytest

from mycelia.pallets.shield.pallet import KEY_BYTES, MOST_BYTES, taken_apart
from mycelia.primitives import InvalidBlock, InvalidTransaction
from mycelia.testing.oracle import Person, compose
from mycelia.testing.world import World

AUTHOR = Person("//Author").account


@pytest.fixture
def world() -> World:
    return World(authorities=(AUTHOR,))


def announce(world: World, key: bytes) -> None:
    world.runtime.apply(world.runtime.decode(world.runtime.announcement(key)))


def key(number: int) -> bytes:
    return bytes([number]) * KEY_BYTES


def keys(world: World) -> list[int]:
    shield = world.pallets.shield
    stored = (shield.next_key, shield.pending_key, shield.current_key)
    return [found[0] if found else 0 for found in stored]


def test_an_announced_key_is_next_then_pending_then_current(world):
    seen = []
    for number in (1, 2, 3, 4):
        announce(world, key(number))
        seen.append(keys(world))
        world.seal()
    assert seen == [[0, 0, 0], [1, 0, 0], [2, 1, 0], [3, 2, 1]]


def test_keys_say_how_long_they_are_used(world):
    for number in (1, 2, 3):
        announce(world, key(number))
        world.seal()
    shield = world.pallets.shield
    last = world.height - 1
    assert (shield.pending_key_expires_at, shield.next_key_expires_at) == (last + 2, last + 3)


@pytest.mark.parametrize("length", [0, KEY_BYTES - 1, KEY_BYTES + 1])
def test_announce_next_key_bad_enc_key_len(world, length):
    with pytest.raises(InvalidBlock, match="BadEncKeyLen"):
        announce(world, bytes(length))


def test_announce_next_key_unreachable():
    with pytest.raises(InvalidBlock, match="Unreachable"):
        announce(World(), key(1))


def test_nobody_announces_by_signing(world):
    call = compose("MevShield", "announce_next_key", enc_key="0x" + key(1).hex())
    assert world.apply("//Alice", call).error == "BadOrigin"


def ciphertext(encapsulated: bytes = b"kem", body: bytes = b"body") -> bytes:
    length = len(encapsulated).to_bytes(2, "little")
    return b"h" * 16 + length + encapsulated + b"n" * 24 + body


def submit(world: World, raw: bytes):
    return world.submit("//Alice", "MevShield", "submit_encrypted", ciphertext="0x" + raw.hex())


def test_a_submission_is_told_with_who_made_it(world):
    (event,) = submit(world, ciphertext()).events("EncryptedSubmitted")
    assert event.who == Person("//Alice").account
    assert event.id != submit(world, ciphertext(b"other")).events("EncryptedSubmitted")[0].id


@pytest.mark.parametrize(
    "raw", [b"", b"short", ciphertext()[:40], ciphertext(body=b"x" * MOST_BYTES)]
)
def test_what_cant_be_taken_apart_costs_nothing(world, raw):
    with pytest.raises(InvalidTransaction) as refused:
        submit(world, raw)
    assert refused.value.custom == 23
    assert refused.value.detail == "Custom error: 23"
    assert world.runtime.next_nonce(Person("//Alice").account) == 0


def test_parts_of_a_ciphertext():
    sealed = taken_apart(ciphertext(b"abc", b"hidden"))
    assert sealed == (b"h" * 16, b"abc", b"n" * 24, b"hidden")
    assert taken_apart(ciphertext(b"abc", b"")) == (b"h" * 16, b"abc", b"n" * 24, b"")
