"""Extrinsics that are secret until they are in a block: whose key to encrypt for, and what was submitted.

A client reads `NextKey`, encrypts a signed extrinsic for it and submits the ciphertext in a call. The author who makes
the block holds the secret key, decrypts it and includes what was inside as an ordinary extrinsic. Here are only public
keys: one that an author announces becomes the next, then the pending, then the current key, a block each.

Not here: secret keys and decryption. The engine has them; they are no part of the state.
Source: subtensor@14bc6f9 `pallets/shield/src/{lib,extension}.rs`.
Differs: ciphertexts stored for later blocks (`store_encrypted`) are absent.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from mycelia.codec import H256, U64, BoundedBytes, Bytes32, scale
from mycelia.crypto import blake2_256
from mycelia.frame import (
    Call,
    Error,
    Event,
    OptionalMap,
    OptionalValue,
    Origin,
    Pallet,
    State,
    Twox64Concat,
    Weight,
    call,
    ensure,
)
from mycelia.primitives import AccountId, BlockNumber
from mycelia.primitives.errors import InvalidTransaction

KEY_BYTES: Final = 1_184
"""Length of a public ML-KEM-768 key."""
MOST_BYTES: Final = 8_192
HASH_BYTES: Final = 16
LENGTH_BYTES: Final = 2
NONCE_BYTES: Final = 24
UNREADABLE: Final = 23
"""By this number clients know that a ciphertext can't be read."""
PENDING_LASTS: Final = 2
NEXT_LASTS: Final = 3
"""Blocks after which a key is no longer used, the present one included."""


class Sealed(NamedTuple):
    """A ciphertext, taken apart: for which key, how to get the shared secret, and what it hides."""

    key_hash: bytes
    encapsulated: bytes
    nonce: bytes
    body: bytes


def taken_apart(ciphertext: bytes) -> Sealed | None:
    """The parts of a ciphertext: key hash, length (2 bytes, little endian) and encapsulation, nonce, body."""
    start = HASH_BYTES + LENGTH_BYTES
    length = int.from_bytes(ciphertext[HASH_BYTES:start], "little")
    nonce_at, body_at = start + length, start + length + NONCE_BYTES
    if len(ciphertext) < body_at or len(ciphertext) > MOST_BYTES:
        return None
    return Sealed(
        ciphertext[:HASH_BYTES],
        ciphertext[start:nonce_at],
        ciphertext[nonce_at:body_at],
        ciphertext[body_at:],
    )


class Clock(Protocol):
    """Counts blocks."""

    def now(self) -> BlockNumber: ...


class Authors(Protocol):
    """Knows whose turn it is."""

    def author_in(self, blocks: int) -> bytes | None:
        """The author of the present block, or of one that many later; None where nobody is named."""


class EncryptedSubmitted(Event, index=0):
    """A ciphertext was submitted; what it hides follows in this block or a later one, unless it is garbage."""

    id: H256
    who: AccountId


class BadEncKeyLen(Error, index=0):
    """The announced key is no ML-KEM-768 key: it must have 1184 bytes."""


class Unreachable(Error, index=1):
    """Nobody is named as the author of this block."""


class UnreadableCiphertext(InvalidTransaction):
    """The ciphertext can't be taken apart."""

    def __init__(self) -> None:
        super().__init__(f"Custom error: {UNREADABLE}", custom=UNREADABLE)


class MevShield(Pallet, name="MevShield"):
    """Extrinsics that are secret until they are in a block."""

    events = (EncryptedSubmitted,)
    errors = (BadEncKeyLen, Unreachable)

    current_key = OptionalValue[bytes](BoundedBytes, doc="Key of this block's author.")
    pending_key = OptionalValue[bytes](BoundedBytes, doc="Key of the next block's author.")
    next_key = OptionalValue[bytes](
        BoundedBytes, doc="Key to encrypt for: of the author after the next."
    )
    author_keys = OptionalMap[bytes, bytes](
        Bytes32, BoundedBytes, hasher=Twox64Concat, doc="Key that an author announced last."
    )
    pending_key_expires_at = OptionalValue(
        BlockNumber, doc="First block at which the pending key is not used any more."
    )
    next_key_expires_at = OptionalValue(
        BlockNumber, doc="First block at which the next key is not used any more."
    )

    clock: Clock
    authors: Authors

    def __init__(self, state: State, *, clock: Clock, authors: Authors) -> None:
        super().__init__(state, clock=clock, authors=authors)

    @call(
        index=0,
        weight=Weight(U64(733_661_000), U64(5_555)),
        fails=(BadEncKeyLen, Unreachable),
        pays=False,
    )
    def announce_next_key(self, origin: Origin, enc_key: BoundedBytes | None) -> None:
        """Move the keys on and announce the author's next one. Inherent, once per block."""
        # CHECK
        origin.none()
        author, later = self.authors.author_in(0), self.authors.author_in(2)
        if author is None or later is None:
            raise Unreachable
        ensure(enc_key is None or len(enc_key) == KEY_BYTES, BadEncKeyLen)
        # CHANGE
        now = self.clock.now()
        self.current_key = self.pending_key
        self.pending_key = self.next_key
        self.next_key = self.author_keys[later]
        self.author_keys[author] = enc_key
        self.pending_key_expires_at = (
            None if self.pending_key is None else BlockNumber(now + PENDING_LASTS)
        )
        self.next_key_expires_at = None if self.next_key is None else BlockNumber(now + NEXT_LASTS)

    @call(index=1, weight=Weight(U64(207_223_000)), emits=(EncryptedSubmitted,))
    def submit_encrypted(self, origin: Origin, ciphertext: BoundedBytes) -> None:
        """Submit an extrinsic encrypted for `NextKey`. Signed; the fee is paid whatever it hides."""
        who = origin.signed()
        told = blake2_256(who + scale(bytes).encode(ciphertext))
        self.deposit(EncryptedSubmitted(H256(told), who))

    def vet(self, call: Call) -> None:
        """Refuse a ciphertext that can't be taken apart, before it costs anything."""
        ciphertext = ciphertext_in(call)
        if ciphertext is not None and taken_apart(ciphertext) is None:
            raise UnreadableCiphertext


def ciphertext_in(call: Call) -> bytes | None:
    """The ciphertext that a call submits, if it does."""
    if call.pallet != "MevShield" or call.spec.name != "submit_encrypted":
        return None
    found: bytes = call.args["ciphertext"]
    return found
