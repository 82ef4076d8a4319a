"""The hashes of storage keys, blocks and extrinsics.

Source: Substrate's storage key rules; xxHash (twox) and BLAKE2b.
"""

from __future__ import annotations

from hashlib import blake2b

import xxhash


def twox_64(data: bytes) -> bytes:
    """xxh64 with seed 0, little endian. Fast and not collision-proof: only for keys that users can't choose."""
    return xxhash.xxh64_digest(data)[::-1]


def twox_128(data: bytes) -> bytes:
    """xxh64 with seeds 0 and 1, little endian: pallet and item names."""
    return xxhash.xxh64_digest(data)[::-1] + xxhash.xxh64_digest(data, 1)[::-1]


def blake2_64(data: bytes) -> bytes:
    """BLAKE2b with 8 bytes of output: names of runtime APIs."""
    return blake2b(data, digest_size=8).digest()


def blake2_128(data: bytes) -> bytes:
    """BLAKE2b with 16 bytes of output: keys that users choose."""
    return blake2b(data, digest_size=16).digest()


def blake2_256(data: bytes) -> bytes:
    """BLAKE2b with 32 bytes of output: blocks, extrinsics, roots."""
    return blake2b(data, digest_size=32).digest()
