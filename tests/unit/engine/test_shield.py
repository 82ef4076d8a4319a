"""Opening what clients encrypt with their own library, and nothing else."""

from __future__ import annotations

import bittensor_core
import pytest

from mycelia.crypto import twox_128
from mycelia.engine.shield import KEPT, ShieldKeys

TEXT = b"an extrinsic, signed"


def sealed(public: bytes, text: bytes = TEXT) -> bytes:
    """As the SDK encrypts."""
    return bytes(bittensor_core.encrypt_mlkem768(public, text, include_key_hash=True))


def test_what_the_sdk_encrypts_is_opened() -> None:
    keys = ShieldKeys()
    public = keys.announce()
    assert len(public) == 1_184
    ciphertext = sealed(public)
    assert ciphertext[:16] == twox_128(public)
    assert keys.opened(ciphertext) == TEXT
    assert keys.opened(sealed(public, b"")) == b""


def test_keys_are_fresh_unless_told_otherwise_and_old_ones_go() -> None:
    keys = ShieldKeys()
    publics = [keys.announce() for _ in range(KEPT + 1)]
    assert len({*publics}) == KEPT + 1
    assert keys.announce(is_fresh=False) == publics[-1]
    assert keys.opened(sealed(publics[-8])) == TEXT
    assert keys.opened(sealed(publics[0])) is None
    assert ShieldKeys().opened(sealed(publics[-1])) is None


@pytest.mark.parametrize("at", [0, 16, 17, 18, 600, 1_105, 1_110, 1_131, -1])
def test_a_changed_byte_is_found(at: int) -> None:
    keys = ShieldKeys()
    ciphertext = bytearray(sealed(keys.announce()))
    ciphertext[at] ^= 1
    assert keys.opened(bytes(ciphertext)) is None


@pytest.mark.parametrize("length", [0, 15, 16, 17, 18, 1_106, 1_130, 1_146])
def test_a_cut_one_is_found(length: int) -> None:
    keys = ShieldKeys()
    assert keys.opened(sealed(keys.announce())[:length]) is None
