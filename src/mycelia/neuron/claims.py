"""How manifests get about: shown by miners, committed to the chain, attested by validators.

See `manifest` for what is said. Here is who does what: `ClaimDesk` is a miner's, `Attester` a
validator's, `publish` and `published` go to the chain; `Claim` is all that a miner's process needs.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from bittensor import calls

from mycelia.neuron.chain import CallFailed, Chain, ChainAway
from mycelia.neuron.events import EventLog
from mycelia.neuron.manifest import (
    ATTEST_PATH,
    LIFE_S,
    MOST_ATTESTATIONS,
    PATH,
    ClaimDocument,
    ClaimError,
    Manifest,
    Place,
    SignedAttestation,
    SignedManifest,
    commitment,
    committed_digest,
)
from mycelia.neuron.receipts import SealedRoot
from mycelia.wire.client import Outcome
from mycelia.wire.contract import Endpoint, Handler, Inbound, Signer
from mycelia.wire.errors import Rejection
from mycelia.wire.server import Document, Public

_CALL_S = 5.0
_CHECK_S = 60.0
"""Between two looks whether the chain still has a miner's digest."""
_RETRY_S = 4.0
"""First pause after a refused commitment; doubles up to `_RETRY_MOST_S`."""
_RETRY_MOST_S = 300.0


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

    def live(self) -> list[SignedAttestation]:
        """Attestations that hold at this moment."""
        return [a for a in self._attestations.values() if a.attestation.is_live]

    def _document(self) -> Document:
        document = ClaimDocument(claim=self._claim, attestations=self.live())
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
        # Out and in again: the first in line is then the one that was renewed longest ago.
        self._attestations.pop(said.validator, None)
        if len(self._attestations) >= MOST_ATTESTATIONS:
            self._attestations.pop(next(iter(self._attestations)))
        self._attestations[said.validator] = signed
        return b"{}"


class Commitments(Protocol):
    """Where a miner commits its digest; `OnChain` is the real one. Both raise as the chain does."""

    async def committed(self) -> bytes | None: ...
    async def commit(self, manifest: Manifest) -> None: ...


@dataclass(frozen=True)
class OnChain:
    """The commitment of the hotkey in a chain's wallet, on one subnet."""

    chain: Chain
    netuid: int
    hotkey: str

    async def committed(self) -> bytes | None:
        """The digest that stands on the chain, if any."""
        return await published_by(self.chain, self.netuid, self.hotkey)

    async def commit(self, manifest: Manifest) -> None:
        """Put a manifest's digest there."""
        await publish(self.chain, self.netuid, manifest)


class Claim:
    """What a miner's process shows and commits."""

    def __init__(self, desk: ClaimDesk, commitments: Commitments) -> None:
        self.desk = desk
        self._commitments = commitments
        self._next_s = 0.0
        self._pause_s = _RETRY_S

    async def publish(self, log: EventLog) -> None:
        """See to it that the chain has the digest; does nothing until a look is due again.

        Failing is no reason to stop serving: it is told, and tried again after a pause that grows.
        """
        if time.monotonic() < self._next_s:
            return
        try:
            if await self._commitments.committed() != self.desk.digest:
                await self._commitments.commit(self.desk.manifest)
                log.emit("claimed", model=self.desk.manifest.model, digest=self.desk.digest.hex())
        except (ChainAway, CallFailed) as error:
            log.emit("claim_waits", code=error.code, message=error.message)
            self._next_s = time.monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, _RETRY_MOST_S)
        else:
            self._next_s, self._pause_s = time.monotonic() + _CHECK_S, _RETRY_S


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
        self,
        keypair: Signer,
        netuid: int,
        genesis: Callable[[], Awaitable[str]],
        caller: Caller,
        is_known: Callable[[Manifest], bool],
    ) -> None:
        """`genesis` tells which network this is, see `Chain.genesis`."""
        self._keypair = keypair
        self._place = Place("", netuid)
        self._genesis = genesis
        self._caller = caller
        self._is_known = is_known

    async def claim(self, endpoint: Endpoint, committed: Mapping[str, bytes]) -> ClaimDocument:
        """Read what a miner shows. `committed` holds digests on the chain, by hotkey.

        Raises `ClaimError` unless the miner signed its claim, committed it, and it can be judged;
        `WireError` when the miner does not show it; ChainAway when the network is not known yet.
        """
        await self._locate()
        data = await self._caller.document(endpoint, PATH, _CALL_S)
        return checked_claim(data, endpoint.hotkey, committed, self._is_known)

    def is_shown(self, document: ClaimDocument) -> bool:
        """Whether a miner shows a live word of this validator's; a miner that restarted has none."""
        own = (self._keypair.ss58_address,)
        return bool(document.attested_by(self._place, among=own))

    async def attest(self, endpoint: Endpoint, manifest: Manifest, life_s: float = LIFE_S) -> None:
        """Bring the miner an attestation of its claim. Raises `WireError` or ChainAway."""
        await self._locate()
        signed = SignedAttestation.by(self._keypair, manifest, self._place, life_s)
        body = signed.model_dump_json().encode()
        await self._caller.call(endpoint, ATTEST_PATH, body, _CALL_S)

    async def _locate(self) -> None:
        self._place = self._place._replace(genesis=await self._genesis())


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
    await commit(chain, netuid, commitment(manifest.digest()))


async def publish_root(chain: Chain, netuid: int, hotkey: str, root: SealedRoot) -> None:
    """Commit the root of an epoch's receipts. Raises ChainAway or CallFailed.

    A hotkey has one commitment per subnet: one that also mines there keeps its manifest's.
    """
    if await published_by(chain, netuid, hotkey) is None:
        await commit(chain, netuid, root.commitment())


async def commit(chain: Chain, netuid: int, text: str) -> None:
    """Commit a few words with the wallet's hotkey. Raises ChainAway or CallFailed."""
    words = text.encode()
    info = {"fields": [{f"Raw{len(words)}": "0x" + words.hex()}]}
    call = calls.Commitments.set_commitment(netuid, info)
    await chain.submit_call(call, chain.wallet, signer="hotkey")


async def published(chain: Chain, netuid: int) -> dict[str, bytes]:
    """Return the digests of manifests on the chain, by hotkey. Raises ChainAway or CallFailed."""
    rows = await chain.ask(lambda client: client.read("commitments", netuid=netuid))
    found = {row["hotkey"]: committed_digest(str(row["commitment"] or "")) for row in rows}
    return {hotkey: digest for hotkey, digest in found.items() if digest is not None}


async def published_by(chain: Chain, netuid: int, hotkey: str) -> bytes | None:
    """Return the digest that a hotkey committed. Raises ChainAway or CallFailed."""
    found = await chain.ask(
        lambda client: client.read("commitment", netuid=netuid, hotkey_ss58=hotkey)
    )
    return committed_digest(found.data) if found is not None else None
