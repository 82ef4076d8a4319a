"""How manifests get about: shown by miners, committed to the chain, attested by validators.

See `manifest` for what is said. Here is who does what: `ClaimDesk` is a miner's, `Attester` a
validator's, `publish` and `published` go to the chain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from bittensor import calls

from mycelia.neuron.chain import Chain
from mycelia.neuron.manifest import (
    ATTEST_PATH,
    MOST_ATTESTATIONS,
    PATH,
    ClaimDocument,
    ClaimError,
    Manifest,
    SignedAttestation,
    SignedManifest,
    commitment,
    committed_digest,
)
from mycelia.wire.client import Outcome
from mycelia.wire.contract import Endpoint, Handler, Inbound, Signer
from mycelia.wire.errors import Rejection
from mycelia.wire.server import Document, Public

_CALL_S = 5.0


class ClaimDesk:
    """A miner's: shows its claim, and keeps the newest attestation of each validator.

    Give `public()` and `routes()` to the `WireServer`, and set its `claim` to `digest`.
    """

    def __init__(self, keypair: Signer, manifest: Manifest) -> None:
        self.manifest = manifest
        self.digest = manifest.digest()
        self._claim = SignedManifest.by(keypair, manifest)
        self._attestations: dict[str, SignedAttestation] = {}

    def public(self) -> Mapping[str, Public]:
        """Paths that anybody may read."""
        return {PATH: self._document}

    def routes(self) -> Mapping[str, Handler]:
        """Paths to which validators post."""
        return {ATTEST_PATH: self._attested}

    def _document(self) -> Document:
        live = [a for a in self._attestations.values() if a.attestation.is_live]
        document = ClaimDocument(claim=self._claim, attestations=live)
        return Document(document.model_dump_json().encode())

    async def _attested(self, inbound: Inbound) -> bytes:
        """Keep an attestation that its validator brings in person. Raises `Rejection` 400."""
        try:
            signed = SignedAttestation.parse(inbound.body)
            said = signed.attestation
            about = (said.validator, said.miner, said.claim)
            if about != (inbound.caller, self.manifest.miner, self.digest.hex()):
                raise ClaimError("claim_other", "It is about another claim.", "Read it again.")
            signed.verify()
        except ClaimError as error:
            raise Rejection(400, error.code, error.message, error.remedy) from None
        if (
            len(self._attestations) >= MOST_ATTESTATIONS
            and said.validator not in self._attestations
        ):
            self._attestations.pop(next(iter(self._attestations)))
        self._attestations[said.validator] = signed
        return b"{}"


class Caller(Protocol):
    """The part of `WireClient` that attesting needs."""

    async def call(
        self, endpoint: Endpoint, path: str, body: bytes, deadline_s: float
    ) -> Outcome: ...

    async def document(self, endpoint: Endpoint, path: str, deadline_s: float) -> bytes: ...


class Attester:
    """A validator's: reads claims, and attests those that it found to be true.

    `is_known` says whether a manifest describes a model that the validator can judge by; whether
    the miner's answers are that model's is for the caller of `attest` to know, from its scores.
    """

    def __init__(
        self, keypair: Signer, netuid: int, caller: Caller, is_known: Callable[[Manifest], bool]
    ) -> None:
        self._keypair = keypair
        self._netuid = netuid
        self._caller = caller
        self._is_known = is_known

    async def claim(self, endpoint: Endpoint, committed: Mapping[str, bytes]) -> Manifest:
        """Read a miner's claim. `committed` holds digests on the chain, by hotkey.

        Raises `ClaimError` unless the miner signed it, committed it, and it can be judged;
        `WireError` when the miner does not show it.
        """
        data = await self._caller.document(endpoint, PATH, _CALL_S)
        return checked_claim(data, endpoint.hotkey, committed, self._is_known).claim.manifest

    async def attest(self, endpoint: Endpoint, manifest: Manifest) -> None:
        """Bring the miner an attestation of its claim. Raises `WireError`."""
        signed = SignedAttestation.by(self._keypair, manifest, self._netuid)
        body = signed.model_dump_json().encode()
        await self._caller.call(endpoint, ATTEST_PATH, body, _CALL_S)


def checked_claim(
    data: bytes,
    hotkey: str,
    committed: Mapping[str, bytes],
    is_known: Callable[[Manifest], bool],
) -> ClaimDocument:
    """Read a miner's document. Raises `ClaimError` unless it is signed, committed and known."""
    document = ClaimDocument.parse(data)
    manifest = document.claim.manifest
    document.claim.verify()
    if manifest.miner != hotkey:
        raise ClaimError(
            "claim_foreign", "The claim is another miner's.", "Show a claim of your own."
        )
    if committed.get(hotkey) != manifest.digest():
        raise ClaimError(
            "claim_uncommitted",
            "The claim is not the one whose digest the miner committed to the chain.",
            "Commit the digest of the manifest that is shown.",
        )
    if not is_known(manifest):
        raise ClaimError(
            "claim_unknown",
            f"The subnet knows no model '{manifest.model}' as claimed.",
            "Claim a model that the subnet's validators hold.",
        )
    return document


async def publish(chain: Chain, netuid: int, manifest: Manifest) -> None:
    """Commit a manifest's digest with the wallet's hotkey. Raises ChainAway or CallFailed."""
    words = commitment(manifest.digest()).encode()
    info = {"fields": [{f"Raw{len(words)}": "0x" + words.hex()}]}
    call = calls.Commitments.set_commitment(netuid, info)
    await chain.submit_call(call, chain.wallet, signer="hotkey")


async def published(chain: Chain, netuid: int) -> dict[str, bytes]:
    """Return the digests of manifests on the chain, by hotkey. Raises ChainAway or CallFailed."""
    rows = await chain.ask(lambda client: client.read("commitments", netuid=netuid))
    found = {row["hotkey"]: committed_digest(str(row["commitment"] or "")) for row in rows}
    return {hotkey: digest for hotkey, digest in found.items() if digest is not None}
