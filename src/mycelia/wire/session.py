"""Session keys: one signed exchange, and ten minutes of requests that need no signature.

For pairs that exchange many small messages. Caller and miner agree on a key by an ordinary signed
request; later requests carry an HMAC under it in place of a signature, over the same signed text.
Everything else stays: receiver, freshness, replay memory, receipts. A receipt is still signed, for
it must convince others; an HMAC convinces only the two who know the key.

The miner remembers nothing. The *ticket* it hands out names the moment it expires, and the key
follows from ticket, both hotkeys and the *secret* of the port; so every process of a port, and the
same port after a restart, knows all its sessions. The key travels masked by a fresh X25519 secret,
and the miner's receipt for that reply proves that it is the miner's.
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
from dataclasses import dataclass

from Crypto.Protocol import DH
from Crypto.PublicKey import ECC

from mycelia.wire.errors import Malformed, Rejection

PATH = "/.well-known/mycelia/session"
SCHEME = "session"
UNKNOWN = "session_unknown"
LIFE_S = 600
RENEW_S = 30
"""A caller asks for a new key so long before the old one expires."""
_PROTOCOL = b"mycelia-session/1"
_SALT_BYTES = 16
_TICKET_BYTES = _SALT_BYTES + 8
_KEY_BYTES = 32


class Tickets:
    """The miner's side. Sessions of one port, known by its secret alone."""

    def __init__(self, secret: bytes, hotkey: str) -> None:
        self._secret = secret
        self._hotkey = hotkey

    def issue(self, sender: str, body: bytes) -> bytes:
        """Answer the request for a session: JSON in, JSON out. Raises `Rejection` 400."""
        try:
            theirs = bytes.fromhex(json.loads(body)["public"])
            public = DH.import_x25519_public_key(theirs)
            ours = ECC.generate(curve="curve25519")
            mask = _mask(ours, public, theirs)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Rejection(
                400,
                "bad_session",
                "The request for a session holds no usable X25519 public key.",
                "Send a fresh one, in hexadecimal, as 'public'.",
            ) from None
        expires_ms = time.time_ns() // 1_000_000 + LIFE_S * 1000
        ticket = secrets.token_bytes(_SALT_BYTES) + expires_ms.to_bytes(8, "big")
        key = self._key(ticket, sender)
        return json.dumps(
            {
                "public": ours.public_key().export_key(format="raw").hex(),
                "ticket": ticket.hex(),
                "masked_key": _xor(key, mask).hex(),
                "expires_ms": expires_ms,
            }
        ).encode()

    def check(self, ticket: bytes, sender: str, text: bytes, mac: bytes, now_ms: int) -> None:
        """Raise `Rejection` 401 unless the sender knows the ticket's key and it is in force."""
        is_live = len(ticket) == _TICKET_BYTES and (
            int.from_bytes(ticket[_SALT_BYTES:], "big") > now_ms
        )
        if not is_live or not hmac.compare_digest(mac_of(self._key(ticket, sender), text), mac):
            raise Rejection(
                401,
                UNKNOWN,
                "The session has expired, or this request does not belong to it.",
                "Sign the request, or agree on a new session key.",
            )

    def _key(self, ticket: bytes, sender: str) -> bytes:
        bound = b"%s\n%s\n%s\n%s" % (_PROTOCOL, ticket, sender.encode(), self._hotkey.encode())
        return hmac.digest(self._secret, bound, "sha256")


@dataclass(frozen=True, slots=True)
class Session:
    """The caller's side: a key in force."""

    ticket: bytes
    key: bytes
    renew_s: float
    """Monotonic time at which to ask for another."""

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() < self.renew_s


class Offer:
    """A caller's request for a session: `body` goes out, `accept` reads what comes back."""

    def __init__(self) -> None:
        self._private = ECC.generate(curve="curve25519")
        self._public: bytes = self._private.public_key().export_key(format="raw")
        self._made_s = time.monotonic()
        self.body = json.dumps({"public": self._public.hex()}).encode()

    def accept(self, reply: bytes) -> Session:
        """Unmask the key. Raises `Malformed`; the receipt of the reply must have been verified."""
        try:
            fields = json.loads(reply)
            theirs = DH.import_x25519_public_key(bytes.fromhex(fields["public"]))
            ticket, masked = bytes.fromhex(fields["ticket"]), bytes.fromhex(fields["masked_key"])
            if len(ticket) != _TICKET_BYTES or len(masked) != _KEY_BYTES:
                raise ValueError
            key = _xor(masked, _mask(self._private, theirs, self._public))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Malformed(
                "malformed_session",
                "The miner's answer to the request for a session cannot be read.",
                "Call it with signed requests, or ask another miner.",
            ) from None
        # By our own clock and the agreed life: theirs need not agree with ours.
        return Session(ticket, key, self._made_s + LIFE_S - RENEW_S)


def mac_of(key: bytes, text: bytes) -> bytes:
    """Return what stands in place of a signature of this text."""
    return hmac.digest(key, text, "sha256")


def _mask(private: ECC.EccKey, public: ECC.EccKey, offered: bytes) -> bytes:
    def derived(shared: bytes | bytearray | memoryview) -> bytes:
        return hmac.digest(bytes(shared), _PROTOCOL + b" mask\n" + offered, "sha256")

    mask: bytes = DH.key_agreement(eph_priv=private, eph_pub=public, kdf=derived)
    return mask


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
