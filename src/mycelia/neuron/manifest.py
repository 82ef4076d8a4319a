"""What a miner says it runs, and who has checked that.

A *manifest* names one model exactly: its weights, the runtime and the order of its arithmetic, on
which bit-for-bit checks rest. The miner signs it, commits its digest to the chain, names that
digest in every receipt, and shows it at `PATH` to anybody. So a miner cannot claim one model to the
gateway and another to its validators, nor change its claim unnoticed.

A validator that found a miner's answers to be those of the claimed model signs an *attestation*,
which holds for some minutes, on one subnet of one network. The miner shows it beside its manifest:
nobody else need serve or find anything, and a validator that stops being convinced simply does not
renew it.

Digests are SHA-256, in hexadecimal where they stand in JSON.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Container
from typing import Annotated, ClassVar, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mycelia.primitives.errors import AppError
from mycelia.wire.btauth import is_signed_by, scheme_of
from mycelia.wire.contract import Signer

PATH = "/.well-known/mycelia.json"
ATTEST_PATH = "/.well-known/mycelia/attestation"
LIFE_S = 300.0
"""How long an attestation holds."""
MOST_ATTESTATIONS = 64
DOCUMENT_BYTES = 64 * 1024
_COMMITMENT = "mycelia-manifest/1 "

T = TypeVar("T", bound=BaseModel)

Word = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Address = Annotated[str, Field(min_length=40, max_length=64, pattern=r"^[1-9A-HJ-NP-Za-km-z]+$")]
Scheme = Annotated[str, Field(max_length=16)]
Signature = Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


class Place(NamedTuple):
    """A subnet of one network. Others have subnets of the same number, and perhaps neurons too."""

    genesis: str
    """Hash of the network's first block, in hex."""
    netuid: int


class ClaimError(AppError):
    """A manifest or attestation cannot be read, or does not say what it should."""


class _Signed(BaseModel):
    """A statement with one canonical form, which is what gets signed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    protocol: ClassVar[str]

    def text(self) -> bytes:
        """Return the canonical form: the protocol's name, then JSON with sorted names."""
        fields = json.dumps(self.model_dump(), sort_keys=True, separators=(",", ":"))
        return f"{self.protocol}\n{fields}".encode()


class Manifest(_Signed):
    """One model as one miner runs it."""

    protocol: ClassVar[str] = "mycelia-manifest/1"

    miner: Address
    subnet: Word
    version: int = Field(ge=0, le=2**31)
    """Of the subnet's messages."""
    model: Word
    """Its name, as the catalogue or its author has it."""
    weights: Digest
    """Of the file of weights."""
    runtime: Word
    """Package and version, `xllamacpp==2026.10.11549`."""
    runtime_digest: Digest
    """Of what the installed wheel brought, see `models.installed`."""
    quantisation: Word
    schedule: Word
    """The order of the arithmetic: threads and chunk sizes, as the subnet names them."""
    context: int = Field(ge=0, le=2**31)
    """Tokens that a request and its answer may have together; 0 where that means nothing."""
    licence: Word
    """SPDX identifier of the weights' licence."""
    price_rao: int = Field(default=0, ge=0, le=2**53)
    """Asked for a million units of work (tokens, or requests where there are none)."""

    def digest(self) -> bytes:
        """Return what stands on the chain and in receipts."""
        return hashlib.sha256(self.text()).digest()


class Attestation(_Signed):
    """A validator's word that a miner's answers are those of its manifest."""

    protocol: ClassVar[str] = "mycelia-attestation/2"

    validator: Address
    miner: Address
    genesis: Digest
    """Of the network, see `Place`."""
    netuid: int = Field(ge=0, le=65_535)
    claim: Digest
    expires_ms: int = Field(ge=0, le=2**53)
    """Unix milliseconds."""

    @property
    def place(self) -> Place:
        """Where it holds."""
        return Place(self.genesis, self.netuid)

    @property
    def is_live(self) -> bool:
        """It has not expired, and does not claim to hold much longer than it may."""
        left_ms = self.expires_ms - time.time_ns() // 1_000_000
        return 0 < left_ms <= 2 * LIFE_S * 1000


class SignedManifest(BaseModel):
    """A manifest with its miner's signature."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    manifest: Manifest
    scheme: Scheme
    signature: Signature

    @classmethod
    def by(cls, miner: Signer, manifest: Manifest) -> SignedManifest:
        """Sign a manifest as its miner."""
        signature = miner.sign(manifest.text()).hex()
        return cls(manifest=manifest, scheme=scheme_of(miner), signature=signature)

    def verify(self) -> None:
        """Raise `ClaimError` unless the miner signed this."""
        _verify(self.manifest, self.manifest.miner, self.scheme, self.signature)


class SignedAttestation(BaseModel):
    """An attestation with its validator's signature."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    attestation: Attestation
    scheme: Scheme
    signature: Signature

    @classmethod
    def by(
        cls, validator: Signer, manifest: Manifest, place: Place, life_s: float = LIFE_S
    ) -> SignedAttestation:
        """Attest, as a validator, that a miner answers as its manifest says."""
        attestation = Attestation(
            validator=validator.ss58_address,
            miner=manifest.miner,
            genesis=place.genesis,
            netuid=place.netuid,
            claim=manifest.digest().hex(),
            expires_ms=int((time.time() + life_s) * 1000),
        )
        signature = validator.sign(attestation.text()).hex()
        return cls(attestation=attestation, scheme=scheme_of(validator), signature=signature)

    @classmethod
    def parse(cls, data: bytes) -> SignedAttestation:
        """Read what a stranger sent. Raises `ClaimError`; the signature is not checked."""
        return _parsed(cls, data)

    def verify(self) -> None:
        """Raise `ClaimError` unless the validator signed this."""
        _verify(self.attestation, self.attestation.validator, self.scheme, self.signature)


class ClaimDocument(BaseModel):
    """What a miner shows at `PATH`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    claim: SignedManifest
    attestations: list[SignedAttestation] = Field(default=[], max_length=MOST_ATTESTATIONS)

    @classmethod
    def parse(cls, data: bytes) -> ClaimDocument:
        """Read what a stranger sent. Raises `ClaimError`; signatures are not checked."""
        if len(data) > DOCUMENT_BYTES:
            raise _invalid("the document is too long")
        return _parsed(cls, data)

    def attested_by(self, place: Place, among: Container[str]) -> frozenset[str]:
        """Which of some hotkeys gave their signed word for exactly this claim, as holds by now.

        Only theirs is checked: a miner may show the words of as many strangers as fit.
        """
        manifest = self.claim.manifest
        digest = manifest.digest().hex()
        found = set()
        for signed in self.attestations:
            said = signed.attestation
            is_this = (said.miner, said.place, said.claim) == (manifest.miner, place, digest)
            if is_this and said.is_live and said.validator in among:
                try:
                    signed.verify()
                except ClaimError:
                    continue
                found.add(said.validator)
        return frozenset(found)


def commitment(digest: bytes) -> str:
    """Return the words by which a manifest's digest stands on the chain."""
    return _COMMITMENT + digest.hex()


def committed_digest(words: str) -> bytes | None:
    """Return the digest that a commitment names; None if it is about something else."""
    if not words.startswith(_COMMITMENT):
        return None
    try:
        digest = bytes.fromhex(words[len(_COMMITMENT) :])
    except ValueError:
        return None
    return digest if len(digest) == 32 else None


def _parsed(kind: type[T], data: bytes) -> T:
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise _invalid(f"{where or 'document'}: {problem['msg']}") from None


def _verify(statement: _Signed, hotkey: str, scheme: str, signature: str) -> None:
    if not is_signed_by(statement.text(), bytes.fromhex(signature), hotkey, scheme):
        raise _invalid(f"not signed by {hotkey[:8]}")


def _invalid(what: str) -> ClaimError:
    return ClaimError(
        "claim_invalid",
        f"The miner's claim is not valid: {what}.",
        "Ask the miner for a claim it signed itself.",
    )
