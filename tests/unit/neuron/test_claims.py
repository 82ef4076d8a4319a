"""Claims and attestations prove themselves; whatever does not is refused, with a reason."""

import json
import time
from collections.abc import AsyncIterator

import bittensor_core
import pytest

from mycelia.neuron.claims import Attester, ClaimDesk, checked_claim
from mycelia.neuron.manifest import (
    ATTEST_PATH,
    DOCUMENT_BYTES,
    LIFE_S,
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
from mycelia.wire import (
    AllowSet,
    Deadline,
    Endpoint,
    Inbound,
    Refused,
    WireClient,
    WireServer,
)

MINER = bittensor_core.Keypair.create_from_uri("//miner")
OTHER = bittensor_core.Keypair.create_from_uri("//other")
VALIDATOR = bittensor_core.Keypair.create_from_uri("//validator")
NETUID = 3
GENESIS = "0a" * 32
PLACE = Place(GENESIS, NETUID)


def manifest(keypair: bittensor_core.Keypair = MINER, **changed) -> Manifest:
    fields = {
        "miner": keypair.ss58_address,
        "subnet": "text",
        "version": 1,
        "model": "smollm2-135m-instruct",
        "weights": "ab" * 32,
        "runtime": "xllamacpp==1.2.3",
        "runtime_digest": "cd" * 32,
        "quantisation": "q8_0",
        "schedule": "one-token",
        "context": 2048,
        "licence": "Apache-2.0",
    }
    return Manifest(**fields | changed)


def committed(given: Manifest) -> dict[str, bytes]:
    return {given.miner: given.digest()}


def document(claim: SignedManifest, *attestations: SignedAttestation) -> bytes:
    return ClaimDocument(claim=claim, attestations=list(attestations)).model_dump_json().encode()


async def genesis() -> str:
    return GENESIS


def known(given: Manifest) -> bool:
    return given.weights == "ab" * 32


def refusal(data: bytes, hotkey: str, on_chain: dict[str, bytes]) -> str:
    with pytest.raises(ClaimError) as refused:
        checked_claim(data, hotkey, on_chain, known)
    assert refused.value.remedy
    return refused.value.code


@pytest.mark.parametrize("field", list(Manifest.model_fields))
def test_every_field_is_covered_by_digest_and_signature(field):
    before = manifest()
    value = getattr(before, field)
    after = before.model_copy(
        update={field: value + 1 if isinstance(value, int) else value[:-1] + "1"}
    )
    assert after.digest() != before.digest()
    signed = SignedManifest.by(MINER, before)
    with pytest.raises(ClaimError):
        signed.model_copy(update={"manifest": after}).verify()


def test_a_good_claim_is_taken():
    found = checked_claim(
        document(SignedManifest.by(MINER, manifest())),
        MINER.ss58_address,
        committed(manifest()),
        known,
    )
    assert found.claim.manifest == manifest()


def test_claims_that_do_not_hold_are_refused_with_a_reason():
    mine, good = MINER.ss58_address, committed(manifest())
    by_another = document(SignedManifest.by(OTHER, manifest()))
    assert refusal(by_another, mine, good) == "claim_invalid"
    of_another = document(SignedManifest.by(OTHER, manifest(OTHER)))
    assert refusal(of_another, mine, good) == "claim_foreign"
    changed = document(SignedManifest.by(MINER, manifest(price_rao=1)))
    assert refusal(changed, mine, good) == "claim_uncommitted"
    assert refusal(document(SignedManifest.by(MINER, manifest())), mine, {}) == "claim_uncommitted"
    strange = manifest(weights="ef" * 32)
    assert (
        refusal(document(SignedManifest.by(MINER, strange)), mine, committed(strange))
        == "claim_unknown"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[" * 10_000,
        b"x" * (DOCUMENT_BYTES + 1),
        document(SignedManifest.by(MINER, manifest())).replace(b'"model":', b'"Model":'),
        document(SignedManifest.by(MINER, manifest())).replace(b'"version":1', b'"version":"1"'),
        document(SignedManifest.by(MINER, manifest())).replace(b"Apache-2.0", b"Apache\\n2.0"),
    ],
)
def test_what_cannot_be_read_is_refused(data):
    assert refusal(data, MINER.ss58_address, committed(manifest())) == "claim_invalid"


def attested(*attestations: SignedAttestation) -> frozenset[str]:
    return ClaimDocument.parse(
        document(SignedManifest.by(MINER, manifest()), *attestations)
    ).attested_by(PLACE, {key.ss58_address for key in (VALIDATOR, OTHER, MINER)})


def test_only_live_words_about_this_claim_by_their_validator_count():
    good = SignedAttestation.by(VALIDATOR, manifest(), PLACE)
    assert attested(good) == {VALIDATOR.ss58_address}
    assert attested() == frozenset()
    for other in (Place(GENESIS, NETUID + 1), Place("0b" * 32, NETUID)):
        assert attested(SignedAttestation.by(VALIDATOR, manifest(), other)) == frozenset()
    assert attested(SignedAttestation.by(VALIDATOR, manifest(price_rao=1), PLACE)) == frozenset()
    assert attested(SignedAttestation.by(VALIDATOR, manifest(OTHER), PLACE)) == frozenset()
    assert attested(SignedAttestation.by(VALIDATOR, manifest(), PLACE, -1.0)) == frozenset()
    assert attested(SignedAttestation.by(VALIDATOR, manifest(), PLACE, 9 * LIFE_S)) == frozenset()
    forged = SignedAttestation.by(MINER, manifest(), PLACE)
    claimed = forged.attestation.model_copy(update={"validator": VALIDATOR.ss58_address})
    assert attested(forged.model_copy(update={"attestation": claimed})) == frozenset()


def test_a_commitment_names_a_digest_or_nothing():
    digest = manifest().digest()
    assert committed_digest(commitment(digest)) == digest
    for words in ("", "hello", commitment(digest)[:-2], commitment(digest) + "00", "0x1234"):
        assert committed_digest(words) is None


@pytest.fixture
async def desk() -> AsyncIterator[tuple[ClaimDesk, Endpoint]]:
    desk = ClaimDesk(MINER, manifest())
    allowed = AllowSet([VALIDATOR.ss58_address, OTHER.ss58_address])
    server = WireServer(MINER, desk.routes(), allowed, public=desk.public())
    server.claim = desk.digest
    port = await server.start("127.0.0.1", 0)
    yield desk, Endpoint(MINER.ss58_address, "127.0.0.1", port)
    await server.stop()


async def test_a_validator_reads_and_attests_and_anybody_sees_it(desk):
    _, endpoint = desk
    async with WireClient(VALIDATOR) as caller, WireClient(OTHER) as anybody:
        attester = Attester(VALIDATOR, NETUID, genesis, caller, known)
        document = await attester.claim(endpoint, committed(manifest()))
        assert document.claim.manifest == manifest()
        assert not attester.is_shown(document)
        await attester.attest(endpoint, manifest())
        await attester.attest(endpoint, manifest())
        found = ClaimDocument.parse(await anybody.document(endpoint, PATH, 5.0))
        assert attester.is_shown(found)
        another = Attester(OTHER, NETUID, genesis, caller, known)
        assert not another.is_shown(await another.claim(endpoint, committed(manifest())))
    asked = {VALIDATOR.ss58_address, OTHER.ss58_address}
    assert found.attested_by(PLACE, asked) == {VALIDATOR.ss58_address}
    assert not found.attested_by(PLACE, among=())
    assert len(found.attestations) == 1


async def test_receipts_name_the_claim(desk):
    given, endpoint = desk
    async with WireClient(VALIDATOR) as caller:
        body = SignedAttestation.by(VALIDATOR, manifest(), PLACE).model_dump_json().encode()
        outcome = await caller.call(endpoint, ATTEST_PATH, body, 5.0)
    assert outcome.receipt.claim == given.digest


async def test_an_expired_word_is_no_longer_shown(desk):
    given, endpoint = desk
    async with WireClient(VALIDATOR) as caller:
        signed = SignedAttestation.by(VALIDATOR, manifest(), PLACE)
        await caller.call(endpoint, ATTEST_PATH, signed.model_dump_json().encode(), 5.0)
        past = signed.attestation.model_copy(update={"expires_ms": int(time.time() * 1000) - 1})
        given._attestations[VALIDATOR.ss58_address] = signed.model_copy(
            update={"attestation": past}
        )
        found = json.loads(await caller.document(endpoint, PATH, 5.0))
    assert found["attestations"] == []


@pytest.mark.parametrize(
    "signed",
    [
        SignedAttestation.by(VALIDATOR, manifest(price_rao=1), PLACE),
        SignedAttestation.by(VALIDATOR, manifest(OTHER), PLACE),
        SignedAttestation.by(OTHER, manifest(), PLACE),
    ],
)
async def test_words_about_others_or_by_others_are_not_kept(desk, signed):
    given, endpoint = desk
    async with WireClient(VALIDATOR) as caller:
        with pytest.raises(Refused) as refused:
            await caller.call(endpoint, ATTEST_PATH, signed.model_dump_json().encode(), 5.0)
    assert refused.value.status == 400
    assert not given._attestations


async def test_a_document_that_is_not_there_is_said_to_be(desk):
    _, endpoint = desk
    async with WireClient(OTHER) as anybody:
        with pytest.raises(Refused) as refused:
            await anybody.document(endpoint, "/.well-known/nothing", 5.0)
    assert refused.value.code == "unknown_route"


async def test_who_renewed_longest_ago_makes_room_for_another_validator(monkeypatch):
    monkeypatch.setattr("mycelia.neuron.claims.MOST_ATTESTATIONS", 2)
    desk = ClaimDesk(MINER, manifest())
    first, second, third = (bittensor_core.Keypair.create_from_uri(f"//v{n}") for n in range(3))
    for keypair in (first, second, first, third):
        said = SignedAttestation.by(keypair, desk.manifest, PLACE).model_dump_json().encode()
        await desk.routes()[ATTEST_PATH](
            Inbound(ATTEST_PATH, said, keypair.ss58_address, Deadline.after(1.0))
        )
    shown = [word.attestation.validator for word in desk.live()]
    assert shown == [first.ss58_address, third.ss58_address]
