"""Sealing bytes until a round of a beacon: the round's signature opens them, and nothing else does.

Identity-based encryption (Boneh and Franklin, FullIdent) with the round as the identity carries a key
of 32 bytes; the content is encrypted under it with AES-GCM. With P the generator of G2 and Q the
round's point:

    r = H3(sigma, key)      U = r P      V = sigma xor H2(e(Q, beacon)^r)      W = key xor H4(sigma)

Laid out as U (96 bytes), V, W, the body with ciphertext and nonce inside, and the name of the cipher,
each after its length in 8 bytes, little endian.

Source: ideal-lab5/timelock `src/{tlock,ibe/fullident,ibe/utils,stream_ciphers}.rs`, which the compatible
chain and its clients use.
Differs: V, W and the nonce must have their right lengths; that code takes what comes.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from Crypto.Cipher import AES
from py_arkworks_bls12381 import GT, G2Point, Scalar

from mycelia.crypto.beacon import key_point, round_point, signature_point

_POINT_BYTES: Final = 96
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_CIPHER: Final = b"AES_GCM_"


def sealed(content: bytes, public_key: bytes, round_number: int, seed: bytes) -> bytes:
    """Content that opens with the beacon's signature of the round.

    `seed` is secret and random, and never used twice. Raises `ValueError` for a key that is none.
    """
    beacon = key_point(public_key)
    if beacon is None:
        raise ValueError("The beacon's public key is no point of the curve. Copy it whole.")
    sigma, key, nonce = (sha256(part + seed).digest() for part in (b"sigma", b"key", b"nonce"))
    r = _h3(sigma, key)
    v = _xor(sigma, _h2(GT.pairing(round_point(round_number), beacon * r)))
    w = _xor(key, _h4(sigma))
    cipher = AES.new(key, AES.MODE_GCM, nonce=nonce[:_NONCE_BYTES])
    encrypted, tag = cipher.encrypt_and_digest(content)
    body = _counted(encrypted + tag) + _counted(nonce[:_NONCE_BYTES])
    point = (G2Point() * r).to_compressed_bytes()
    return point + _counted(v) + _counted(w) + _counted(body) + _counted(_CIPHER)


def opened(ciphertext: bytes, signature: bytes) -> bytes | None:
    """The content, given the signature of the round it was sealed for; None where it doesn't open.

    What follows the ciphertext is ignored. Takes about 2 ms.
    """
    point = signature_point(signature)
    parts = _parted(ciphertext[_POINT_BYTES:], 4)
    if point is None or parts is None:
        return None
    v, w, body, _ = parts
    inner = _parted(body, 2)
    if inner is None or len(v) != _KEY_BYTES or len(w) != _KEY_BYTES:
        return None
    try:
        u = G2Point.from_compressed_bytes(ciphertext[:_POINT_BYTES])
    except ValueError:
        return None
    sigma = _xor(v, _h2(GT.pairing(point, u)))
    key = _xor(w, _h4(sigma))
    if G2Point() * _h3(sigma, key) != u:
        return None
    return _decrypted(key, *inner)


def _decrypted(key: bytes, encrypted: bytes, nonce: bytes) -> bytes | None:
    if len(nonce) != _NONCE_BYTES or len(encrypted) < _TAG_BYTES:
        return None
    cipher = AES.new(key, AES.MODE_GCM, nonce=nonce)
    try:
        return cipher.decrypt_and_verify(encrypted[:-_TAG_BYTES], encrypted[-_TAG_BYTES:])
    except ValueError:
        return None


def _h2(element: GT) -> bytes:
    return sha256(bytes.fromhex(str(element))).digest()


def _h3(sigma: bytes, key: bytes) -> Scalar:
    return Scalar.from_be_bytes_mod_order(sha256(sigma + key).digest())


def _h4(sigma: bytes) -> bytes:
    return sha256(sigma).digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _counted(part: bytes) -> bytes:
    return len(part).to_bytes(8, "little") + part


def _parted(data: bytes, count: int) -> list[bytes] | None:
    """So many parts, each after its length; None where the data ends before."""
    parts: list[bytes] = []
    at = 0
    for _ in range(count):
        start = at + 8
        end = start + int.from_bytes(data[at:start], "little")
        if len(data) < start or len(data) < end:
            return None
        parts.append(data[start:end])
        at = end
    return parts
