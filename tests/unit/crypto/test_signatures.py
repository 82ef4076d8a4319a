"""What counts as somebody's signature, by keys of `bittensor_core` as an oracle."""

import pytest
from bittensor_core import Keypair

from mycelia.crypto import Scheme, verify

MESSAGE = b"pay Bob 5 TAO"
OTHER = bytes(Keypair.create_from_uri("//Bob").public_key)


@pytest.fixture(params=list(Scheme), ids=lambda scheme: scheme.name)
def key(request):
    return Keypair.create_from_uri("//Alice", crypto_type=int(request.param))


def signed(key, message):
    return bytes(key.sign(message))


def accepted(key, signature, *, message=MESSAGE, signer=None):
    signer = bytes(key.public_key) if signer is None else signer
    return verify(message, signature, signer, Scheme(key.crypto_type))


def test_a_signature_is_its_makers_over_its_message(key):
    assert accepted(key, signed(key, MESSAGE))
    assert not accepted(key, signed(key, MESSAGE), message=MESSAGE + b" ")
    assert not accepted(key, signed(key, MESSAGE), signer=OTHER)


def test_the_schemes_are_not_mixed_up(key):
    other = Scheme(1 - key.crypto_type)
    assert not verify(MESSAGE, signed(key, MESSAGE), bytes(key.public_key), other)


def test_what_a_wallet_signs_as_a_text_is_worth_nothing_as_a_message(key):
    framed = b"<Bytes>" + MESSAGE + b"</Bytes>"
    assert not accepted(key, signed(key, framed))
    assert accepted(key, signed(key, framed), message=framed)


@pytest.mark.parametrize("signature", [b"", bytes(63), bytes(64), b"\xff" * 64, bytes(65)])
def test_nonsense_is_nobodys_signature(key, signature):
    assert not accepted(key, signature)


@pytest.mark.parametrize("signer", [b"", bytes(31), b"\xff" * 32, bytes(33)])
def test_nonsense_has_signed_nothing(key, signer):
    assert not accepted(key, signed(key, MESSAGE), signer=signer)
