"""Verifying sr25519 and ed25519 signatures, and SS58 addresses, by native code.

`bittensor_core.verify` would do, but it also takes a signature over `<Bytes>message</Bytes>` for one
over the message. Wallets put that frame around any text that a page asks them to sign, just so that
the signature is worth nothing on a chain: whoever takes it lets a page have a transfer signed as a
text.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import bittensor_core
import sr25519
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mycelia.primitives import AccountId

SS58_FORMAT: Final = 42
SIGNATURE_BYTES: Final = 64


class Scheme(IntEnum):
    """Signature schemes by their index in MultiSignature."""

    ED25519 = 0
    SR25519 = 1


def ss58_encode(account: AccountId) -> str:
    """The SS58 address of a public key, format 42."""
    return str(bittensor_core.ss58_encode(account, SS58_FORMAT))


def ss58_decode(address: str) -> AccountId:
    """The public key of an SS58 address; `ValueError` if the text is none."""
    return AccountId(bytes(bittensor_core.ss58_decode(address)))


def verify(message: bytes, signature: bytes, signer: AccountId, scheme: Scheme) -> bool:
    """Whether `signature` is `signer`'s over just `message`. Holds the interpreter for about 40 us."""
    try:
        if scheme is Scheme.SR25519:
            return bool(sr25519.verify(signature, message, signer))
        Ed25519PublicKey.from_public_bytes(signer).verify(signature, message)
    except (InvalidSignature, ValueError):  # the latter: a key or signature that is no curve point
        return False
    return True
