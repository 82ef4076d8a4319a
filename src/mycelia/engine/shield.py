"""What a block's author needs to take secret extrinsics: key pairs, and opening what was encrypted for them.

A key is announced in one block and used up to four blocks later; so the last few pairs are kept, in memory only.
A node that was restarted can't open what was encrypted before; such extrinsics run out with their era.

Source: subtensor@14bc6f9 `pallets/shield/src/lib.rs` (format), ML-KEM-768 (FIPS 203), XChaCha20-Poly1305 without
additional data.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from Crypto.Cipher import ChaCha20_Poly1305
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from mycelia.crypto import twox_128
from mycelia.pallets.shield.pallet import taken_apart

KEPT: Final = 16
"""Key pairs kept: more than blocks between announcing a key and the end of an extrinsic's era (8)."""
TAG_BYTES: Final = 16


class ShieldKeys:
    """The author's key pairs. Lives as long as the process."""

    def __init__(self) -> None:
        self._secrets: OrderedDict[bytes, MLKEM768PrivateKey] = OrderedDict()
        self._public = b""

    def announce(self, *, is_fresh: bool = True) -> bytes:
        """A public key to announce; the last one again unless it should be fresh."""
        if is_fresh or not self._public:
            secret = MLKEM768PrivateKey.generate()
            self._public = secret.public_key().public_bytes_raw()
            self._secrets[twox_128(self._public)] = secret
            if len(self._secrets) > KEPT:
                self._secrets.popitem(last=False)
        return self._public

    def opened(self, ciphertext: bytes) -> bytes | None:
        """What a ciphertext hides; None when it is garbage or for another's key."""
        sealed = taken_apart(ciphertext)
        if sealed is None or sealed.key_hash not in self._secrets:
            return None
        try:
            shared = self._secrets[sealed.key_hash].decapsulate(sealed.encapsulated)
            cipher = ChaCha20_Poly1305.new(key=shared, nonce=sealed.nonce)
            body, tag = sealed.body[:-TAG_BYTES], sealed.body[-TAG_BYTES:]
            return cipher.decrypt_and_verify(body, tag)
        except ValueError:  # a wrong length, or a tag that doesn't fit
            return None
