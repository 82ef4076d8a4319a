"""Hashes and signatures of the chain's wire, by native libraries."""

from mycelia.crypto.hashing import blake2_64, blake2_128, blake2_256, twox_64, twox_128
from mycelia.crypto.signatures import Scheme, ss58_decode, ss58_encode, verify

__all__ = [
    "Scheme",
    "blake2_64",
    "blake2_128",
    "blake2_256",
    "ss58_decode",
    "ss58_encode",
    "twox_64",
    "twox_128",
    "verify",
]
