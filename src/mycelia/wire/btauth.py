"""`btauth/1`: prove "sent by hotkey X to hotkey Y, exactly this body, just now" in HTTP headers.

The form is bittensor's, byte for byte: requests signed here pass `bittensor.http_auth.verify` and
the other way round. One header of our own makes it cheap to refuse: `Content-Digest` (RFC 9530)
states the body's SHA-256, so the server can rebuild the signed text and check the signature before
it has read the body, and compare the digest afterwards.

Terms: *signed text* - the newline-joined lines the signature covers; its SHA-256 is the *request
digest* that receipts refer to; *nonce* - Unix time in nanoseconds, both freshness and identity of
a request.

It proves identity only. Whether the caller may be served is `contract.Authority`; whether the
request was seen before is `replay.ReplayStore`.

Source: bittensor 11.3.0 http_auth.py (wire format, order of checks, freshness window).
Differs: the scheme must be named by its canonical word and the nonce be plain digits, so each
request has one spelling; a `Content-Digest` is trusted until the body is read.
"""

from __future__ import annotations

import binascii
import hashlib
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from mycelia.crypto import Scheme, ss58_decode, verify
from mycelia.wire.contract import Signer
from mycelia.wire.errors import Rejection
from mycelia.wire.session import SCHEME as SESSION
from mycelia.wire.session import Session, mac_of

PROTOCOL = "btauth/1"
SCHEMES: dict[str, Scheme] = {"ed25519": Scheme.ED25519, "sr25519": Scheme.SR25519}
DEFAULT_SCHEME = "sr25519"
_DEFAULT_SCHEME = DEFAULT_SCHEME.encode()

_NANOSECONDS = 1_000_000_000
_NONCE_DIGITS = 20
_RESIGN = "Sign every attempt anew, with a fresh nonce, and send the bytes that were signed."


def signed_text(
    scheme: str, target: str, body_digest: bytes, nonce_ns: int, sender: str, receiver: str
) -> bytes:
    """Return the bytes a POST's signature covers. `target` is the path with its query as sent."""
    return (
        f"{PROTOCOL}\n{scheme}\nPOST\n{target}\n{body_digest.hex()}\n{nonce_ns}\n"
        f"{sender}\n{receiver}"
    ).encode()


def scheme_of(signer: Signer) -> str:
    """Name the signature scheme of a key, as it stands in headers and signed texts."""
    return Scheme(signer.crypto_type).name.lower()


def is_signed_by(text: bytes, signature: bytes, hotkey: str, scheme: str) -> bool:
    """Say whether the hotkey's key made the signature; undecodable input was made by nobody."""
    if scheme not in SCHEMES:
        return False
    try:
        signer = ss58_decode(hotkey)
    except ValueError:
        return False
    return verify(text, signature, signer, SCHEMES[scheme])


@dataclass(slots=True)
class SignedRequest:
    """Header lines to send, each with its CRLF, and the request digest that the receipt must name."""

    sender: str
    lines: str
    digest: bytes

    @property
    def headers(self) -> dict[str, str]:
        """The lines as names and values, for HTTP libraries."""
        return dict(line.split(": ", 1) for line in self.lines.splitlines())


def sign_request(
    signer: Signer,
    target: str,
    body: bytes,
    receiver: str,
    nonce_ns: int | None = None,
    session: Session | None = None,
) -> SignedRequest:
    """Sign one POST for one receiver, with the session's key if there is one.

    Each retry must be signed anew.
    """
    scheme = scheme_of(signer) if session is None else SESSION
    sender = signer.ss58_address
    nonce = time.time_ns() if nonce_ns is None else nonce_ns
    body_digest = hashlib.sha256(body).digest()
    text = signed_text(scheme, target, body_digest, nonce, sender, receiver)
    if session is not None:
        proof = (
            f"X-Session: {session.ticket.hex()}\r\nX-Session-Mac: {mac_of(session.key, text).hex()}"
        )
    elif scheme == DEFAULT_SCHEME:
        proof = f"X-Bittensor-Signature: 0x{signer.sign(text).hex()}"
    else:
        proof = (
            f"X-Bittensor-Signature: 0x{signer.sign(text).hex()}\r\nX-Bittensor-Crypto: {scheme}"
        )
    lines = (
        f"X-Bittensor-Version: 1\r\nX-Bittensor-Hotkey: {sender}\r\n"
        f"X-Bittensor-Receiver: {receiver}\r\nX-Bittensor-Nonce: {nonce}\r\n"
        f"Content-Digest: sha-256=:{b64encode(body_digest).decode()}:\r\n{proof}\r\n"
    )
    return SignedRequest(sender, lines, hashlib.sha256(text).digest())


@dataclass(slots=True)
class Claim:
    """What the headers of a request say about it, well-formed but not yet believed."""

    sender: str
    nonce_ns: int
    scheme: str
    signature: bytes
    receiver: str
    body_digest: bytes | None
    ticket: bytes | None = None
    """Of the session whose key made the `signature`, if that is a MAC."""

    def text(self, target: str, body_digest: bytes) -> bytes:
        """Rebuild the signed text for what was actually received."""
        return signed_text(
            self.scheme, target, body_digest, self.nonce_ns, self.sender, self.receiver
        )


def read_claim(headers: Mapping[bytes, bytes]) -> Claim:
    """Parse the authentication headers (names in lower case). No cryptography yet.

    Raises `Rejection` 401 `malformed_auth` when one is missing or unreadable.
    """
    if headers.get(b"x-bittensor-version") != b"1":
        raise _malformed("X-Bittensor-Version is missing or not 1")
    sender = _value(headers, b"x-bittensor-hotkey").decode("latin-1")
    nonce = _value(headers, b"x-bittensor-nonce")
    if not nonce.isdigit() or len(nonce) > _NONCE_DIGITS:
        raise _malformed("X-Bittensor-Nonce is not a decimal number of nanoseconds")
    receiver = headers.get(b"x-bittensor-receiver", b"").decode("latin-1")
    digest = _body_digest(headers)
    if b"x-session" in headers:
        ticket = _unhexed(headers, b"x-session")
        mac = _unhexed(headers, b"x-session-mac")
        return Claim(sender, int(nonce), SESSION, mac, receiver, digest, ticket)
    scheme = headers.get(b"x-bittensor-crypto", _DEFAULT_SCHEME).decode("latin-1")
    if scheme not in SCHEMES:
        raise _malformed("X-Bittensor-Crypto is neither sr25519 nor ed25519")
    signature = _unhexed(headers, b"x-bittensor-signature")
    if len(signature) != 64:
        raise _malformed("X-Bittensor-Signature is not 64 bytes long")
    return Claim(sender, int(nonce), scheme, signature, receiver, digest)


def check_receiver(claim: Claim, own_hotkey: str) -> None:
    """Refuse what was signed for another neuron, or for none in particular (403)."""
    if claim.receiver != own_hotkey:
        raise Rejection(
            403,
            "wrong_receiver",
            "The request was not signed for the hotkey that serves this port.",
            "Read the endpoint and hotkey of the neuron from the metagraph again, and sign for "
            "that hotkey.",
        )


def check_freshness(claim: Claim, now_ns: int, oldest_ns: int, newest_ns: int) -> None:
    """Refuse a nonce outside the window (401). All three moments are Unix nanoseconds."""
    if not oldest_ns <= claim.nonce_ns <= newest_ns:
        off_s = (now_ns - claim.nonce_ns) / _NANOSECONDS
        side = "behind" if off_s >= 0 else "ahead of"
        raise Rejection(
            401,
            "stale_request",
            f"The nonce is {abs(off_s):.1f} s {side} the clock of this server.",
            "Sign each attempt anew; if this persists, compare your clock with the Date header.",
        )


def check_signature(claim: Claim, text: bytes) -> None:
    """Refuse a request whose signature is not the claimed sender's (401)."""
    if not is_signed_by(text, claim.signature, claim.sender, claim.scheme):
        raise Rejection(
            401,
            "bad_signature",
            "The signature does not belong to this request and hotkey.",
            _RESIGN,
        )


def check_body(claim: Claim, body_digest: bytes) -> None:
    """Refuse a body other than the one whose digest was signed (401)."""
    if claim.body_digest is not None and claim.body_digest != body_digest:
        raise Rejection(
            401,
            "body_changed",
            "The body is not the one that was signed: its digest differs from Content-Digest.",
            _RESIGN,
        )


def _value(headers: Mapping[bytes, bytes], name: bytes) -> bytes:
    value = headers.get(name)
    if not value or len(value) > 256:
        raise _malformed(f"{name.decode().title()} is missing or too long")
    return value


def _unhexed(headers: Mapping[bytes, bytes], name: bytes) -> bytes:
    try:
        return binascii.unhexlify(_value(headers, name).removeprefix(b"0x"))
    except ValueError:
        raise _malformed(f"{name.decode().title()} is not hexadecimal") from None


def _body_digest(headers: Mapping[bytes, bytes]) -> bytes | None:
    """Return the SHA-256 named by Content-Digest, or None when it names none."""
    field = headers.get(b"content-digest")
    if field is None:
        return None
    for item in field.split(b","):
        name, _, value = item.partition(b"=")
        if name.strip().lower() != b"sha-256":
            continue
        try:
            digest = binascii.a2b_base64(value.strip().strip(b":"), strict_mode=True)
        except binascii.Error:
            raise _malformed("Content-Digest is not base64") from None
        if len(digest) != 32:
            raise _malformed("Content-Digest is not a SHA-256 digest")
        return digest
    return None


def _malformed(message: str) -> Rejection:
    return Rejection(
        401,
        "malformed_auth",
        message + ".",
        "Sign the request with btauth/1, for instance with bittensor.http_auth.sign.",
    )
