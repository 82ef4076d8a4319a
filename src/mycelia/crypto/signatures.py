"""Verifying sr25519 and ed25519 signatures, and SS58 addresses, by `bittensor_core`'s native code."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import bittensor_core

from mycelia.primitives import AccountId

SS58_FORMAT: Final = 42
SIGNATURE_BYTES: Final = 64


class Scheme(IntEnum):
    """Signature schemes by their index in MultiSignature."""

    ED25519 = 0
    SR25519 = 1


_CRYPTO_TYPE: Final = {
    Scheme.ED25519: bittensor_core.CRYPTO_ED25519,
    Scheme.SR25519: bittensor_core.CRYPTO_SR25519,
}


def ss58_encode(account: AccountId) -> str:
    """The SS58 address of a public key, format 42."""
    return str(bittensor_core.ss58_encode(account, SS58_FORMAT))


def ss58_decode(address: str) -> AccountId:
    """The public key of an SS58 address; `ValueError` if the text is none."""
    return AccountId(bytes(bittensor_core.ss58_decode(address)))


def verify(message: bytes, signature: bytes, signer: AccountId, scheme: Scheme) -> bool:
    """Whether `signature` is `signer`'s over `message`. Holds the interpreter lock for about 40 us."""
    try:
        return bool(
            bittensor_core.verify(message, signature, ss58_encode(signer), _CRYPTO_TYPE[scheme])
        )
    except ValueError:  # a key or signature that is no curve point
        return False
