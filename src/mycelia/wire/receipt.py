"""A miner's signed statement of what it answered to whom, and when.

The caller keeps receipts as evidence for scores and bills: nobody but the miner can make one, and
it binds the exact request to the exact reply. It says nothing about whether the reply is right.

Form on the wire (header `X-Receipt`, or the last frame of a stream): six words,
`SCHEME STARTED FIRST_BYTE FINISHED CLAIM 0xSIGNATURE`, times in Unix milliseconds by the miner's
clock; the claim is the digest of the manifest under which the miner answers, `-` if it has none.
Where work is counted in tokens, a word `IN/OUT` says before the signature how many it took.
The rest the caller fills in from what it sent and received, so the miner cannot sign about
anything else.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import asdict, dataclass
from typing import Any

from mycelia.wire.btauth import SCHEMES, is_signed_by, scheme_of
from mycelia.wire.contract import Signer, Usage
from mycelia.wire.errors import BadReceipt

PROTOCOL = "mycelia-receipt/1"
_LONGEST = 512
_MOMENT_DIGITS = 15
_USAGE = re.compile(rb"([0-9]{1,15})/([0-9]{1,15})")


@dataclass(slots=True)
class Times:
    """When the miner began, had its first byte ready, and was done: Unix milliseconds."""

    started_ms: int
    first_byte_ms: int
    finished_ms: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A verified or yet to be verified statement of `miner` about one request of `caller`.

    `request_digest` is the SHA-256 of the signed text of the request, `response_digest` that of
    the reply's body (of a stream: of all bytes before the receipt frame).
    """

    miner: str
    caller: str
    request_digest: bytes
    response_digest: bytes
    status: int
    started_ms: int
    first_byte_ms: int
    finished_ms: int
    claim: bytes | None
    scheme: str
    signature: bytes
    tokens_in: int | None = None
    """With `tokens_out`, what the miner says the request took; None where it counts no tokens."""
    tokens_out: int | None = None

    @property
    def usage(self) -> Usage | None:
        """Both counts of tokens, or None."""
        if self.tokens_in is None or self.tokens_out is None:
            return None
        return Usage(self.tokens_in, self.tokens_out)

    def text(self) -> bytes:
        """Return the bytes that the signature covers."""
        exchange = Exchange(self.miner, self.caller, self.request_digest, self.claim, self.usage)
        times = Times(self.started_ms, self.first_byte_ms, self.finished_ms)
        return exchange.text(self.scheme, self.response_digest, self.status, times)

    def verify(self) -> None:
        """Raise `BadReceipt` unless `miner` signed exactly these fields."""
        if not is_signed_by(self.text(), self.signature, self.miner, self.scheme):
            raise _forged(self.miner)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, bytes in 0x-hexadecimal."""
        fields = asdict(self)
        return {k: "0x" + v.hex() if isinstance(v, bytes) else v for k, v in fields.items()}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Receipt:
        """Inverse of `to_json`. Raises KeyError, TypeError or ValueError on other input."""
        names = ("request_digest", "response_digest", "claim", "signature")
        digests = {
            name: bytes.fromhex(fields[name].removeprefix("0x"))
            for name in names
            if fields[name] is not None
        }
        return cls(**{**fields, **digests})


@dataclass(slots=True)
class Exchange:
    """The part of a receipt that is known before there is a reply.

    Its caller knows all of it but claim and usage, which are the miner's to state.
    """

    miner: str
    caller: str
    request_digest: bytes
    claim: bytes | None = None
    usage: Usage | None = None

    def text(self, scheme: str, response_digest: bytes, status: int, times: Times) -> bytes:
        """Return the bytes that a receipt's signature covers."""
        counts = "" if self.usage is None else f"\n{self.usage.tokens_in}/{self.usage.tokens_out}"
        return (
            f"{PROTOCOL}\n{scheme}\n{self.miner}\n{self.caller}\n{self.request_digest.hex()}\n"
            f"{response_digest.hex()}\n{status}\n{times.started_ms}\n{times.first_byte_ms}\n"
            f"{times.finished_ms}\n{_word(self.claim)}{counts}"
        ).encode()

    def sign(self, signer: Signer, response_digest: bytes, status: int, times: Times) -> bytes:
        """Make the receipt in its wire form, as the miner."""
        scheme = scheme_of(signer)
        signature = signer.sign(self.text(scheme, response_digest, status, times))
        usage = "" if self.usage is None else f"{self.usage.tokens_in}/{self.usage.tokens_out} "
        return (
            f"{scheme} {times.started_ms} {times.first_byte_ms} {times.finished_ms} "
            f"{_word(self.claim)} {usage}0x{signature.hex()}"
        ).encode()

    def read(self, wire: bytes | None, response_digest: bytes, status: int) -> Receipt:
        """Return the verified receipt of a reply. Raises `BadReceipt`."""
        if wire is None:
            raise _unreadable("The reply carries no receipt")
        words = wire.split(b" ")
        if len(wire) > _LONGEST or not 6 <= len(words) <= 7:
            raise _unreadable("The receipt does not have six or seven words")
        try:
            scheme = words[0].decode("ascii")
            times = Times(_moment(words[1]), _moment(words[2]), _moment(words[3]))
            claim = None if words[4] == b"-" else binascii.unhexlify(words[4])
            usage = _usage(words[5]) if len(words) == 7 else None
            signature = binascii.unhexlify(words[-1].removeprefix(b"0x"))
        except ValueError:
            raise _unreadable("The receipt cannot be decoded") from None
        if claim is not None and len(claim) != 32:
            raise _unreadable("The receipt's claim is not a digest")
        if scheme not in SCHEMES:
            raise _unreadable("The receipt names an unknown signature scheme")
        # What `Receipt.verify` would do, without taking the receipt apart again.
        full = Exchange(self.miner, self.caller, self.request_digest, claim, usage)
        if not is_signed_by(
            full.text(scheme, response_digest, status, times), signature, self.miner, scheme
        ):
            raise _forged(self.miner)
        return Receipt(
            miner=self.miner,
            caller=self.caller,
            request_digest=self.request_digest,
            response_digest=response_digest,
            status=status,
            started_ms=times.started_ms,
            first_byte_ms=times.first_byte_ms,
            finished_ms=times.finished_ms,
            claim=claim,
            scheme=scheme,
            signature=signature,
            tokens_in=usage and usage.tokens_in,
            tokens_out=usage and usage.tokens_out,
        )


def _moment(word: bytes) -> int:
    # A miner may sign any number; those who keep receipts have room for 64 bits.
    if not word.isdigit() or len(word) > _MOMENT_DIGITS:
        raise _unreadable("The receipt's times are not Unix milliseconds")
    return int(word)


def _usage(word: bytes) -> Usage:
    found = _USAGE.fullmatch(word)
    if found is None:
        raise _unreadable("The receipt's usage is not two counts")
    return Usage(int(found[1]), int(found[2]))


def _word(claim: bytes | None) -> str:
    return "-" if claim is None else claim.hex()


def _unreadable(message: str) -> BadReceipt:
    return BadReceipt(
        "bad_receipt",
        message + ".",
        "Ask another miner; this one does not answer in the form of this protocol.",
    )


def _forged(miner: str) -> BadReceipt:
    return BadReceipt(
        "bad_receipt",
        f"The receipt was not signed by {miner} for this request and reply.",
        "Treat the reply as worthless: someone between, or the miner, altered it.",
    )
