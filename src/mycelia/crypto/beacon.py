"""A public beacon: one BLS signature per round, which anybody can check and nobody can make early.

The scheme is drand's `bls-unchained-g1-rfc9380` on BLS12-381: the message is the SHA-256 of the round's
number, hashed to G1; a signature is 48 bytes in G1, a public key 96 bytes in G2. Curve arithmetic is
native (arkworks); checking a signature takes about 2 ms.

Source: drand's published scheme; RFC 9380, suite BLS12381G1_XMD:SHA-256_SSWU_RO_.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Final

from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar

SIGNATURE_BYTES: Final = 48
PUBLIC_KEY_BYTES: Final = 96
SECRET_BYTES: Final = 32
_DOMAIN: Final = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
_IDENTITY: Final = G1Point.identity().to_compressed_bytes()


def round_point(round_number: int) -> G1Point:
    """The point that the round's signature multiplies."""
    return G1Point.hash_to_curve(sha256(round_number.to_bytes(8, "big")).digest(), _DOMAIN)


def signature_point(signature: bytes) -> G1Point | None:
    """A signature as a point; None where the bytes are no point's one and only encoding."""
    try:
        point = G1Point.from_compressed_bytes(signature)
    except ValueError:
        return None
    encoded = point.to_compressed_bytes()
    return None if encoded != signature or encoded == _IDENTITY else point


@lru_cache(maxsize=4)
def key_point(public_key: bytes) -> G2Point | None:
    """A public key as a point; None where the bytes are none."""
    try:
        point = G2Point.from_compressed_bytes(public_key)
    except ValueError:
        return None
    return None if point == G2Point.identity() else point


def is_genuine(public_key: bytes, round_number: int, signature: bytes) -> bool:
    """Whether the beacon with this key signed the round: e(sig, G2) = e(H(round), key)."""
    key, point = key_point(public_key), signature_point(signature)
    if key is None or point is None:
        return False
    return bool(GT.pairing_check([point, -round_point(round_number)], [G2Point(), key]))


def randomness_of(signature: bytes) -> bytes:
    """The 32 random bytes of a round: the hash of its signature."""
    return sha256(signature).digest()


def public_key_of(secret: bytes) -> bytes:
    """The public key of a beacon that has a secret key of 32 bytes."""
    return (G2Point() * _scalar(secret)).to_compressed_bytes()


def signed(secret: bytes, round_number: int) -> bytes:
    """The round's signature by a secret key: for beacons of one's own."""
    return (round_point(round_number) * _scalar(secret)).to_compressed_bytes()


def _scalar(secret: bytes) -> Scalar:
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"A beacon's secret key has {SECRET_BYTES} bytes, not {len(secret)}.")
    return Scalar.from_be_bytes_mod_order(secret)
