"""Signing and the cheap checks, each refusal by its code."""

import base64
import hashlib
import time

import bittensor_core
import pytest

from mycelia.wire import btauth
from mycelia.wire.errors import Rejection

SENDER = bittensor_core.Keypair.create_from_uri("//sender")
RECEIVER = bittensor_core.Keypair.create_from_uri("//receiver").ss58_address
BODY = b'{"prompt":"hi"}'


def _headers(**changed: str | None) -> dict[bytes, bytes]:
    headers = dict(btauth.sign_request(SENDER, "/p?q=1", BODY, RECEIVER).headers)
    for name, value in changed.items():
        key = name.replace("_", "-")
        headers = {k: v for k, v in headers.items() if k.lower() != key}
        if value is not None:
            headers[key] = value
    return {k.lower().encode(): v.encode("latin-1") for k, v in headers.items()}


def test_claim_reads_back_what_was_signed():
    before = time.time_ns()
    claim = btauth.read_claim(_headers())
    digest = hashlib.sha256(BODY).digest()
    assert (claim.sender, claim.receiver, claim.scheme) == (
        SENDER.ss58_address,
        RECEIVER,
        "sr25519",
    )
    assert claim.body_digest == digest
    assert before <= claim.nonce_ns <= time.time_ns()
    btauth.check_signature(claim, claim.text("/p?q=1", digest))
    btauth.check_receiver(claim, RECEIVER)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x_bittensor_version", None),
        ("x_bittensor_version", "2"),
        ("x_bittensor_hotkey", None),
        ("x_bittensor_hotkey", "5" * 300),
        ("x_bittensor_nonce", None),
        ("x_bittensor_nonce", "-5"),
        ("x_bittensor_nonce", "1_000"),
        ("x_bittensor_nonce", "9" * 21),
        ("x_bittensor_crypto", "ecdsa"),
        ("x_bittensor_signature", None),
        ("x_bittensor_signature", "0xzz"),
        ("x_bittensor_signature", "0xdead"),
        ("content_digest", "sha-256=:!!:"),
        ("content_digest", "sha-256=:" + base64.b64encode(b"short").decode() + ":"),
    ],
)
def test_unreadable_headers_are_malformed(header, value):
    with pytest.raises(Rejection) as refused:
        btauth.read_claim(_headers(**{header: value}))
    assert (refused.value.status, refused.value.code) == (401, "malformed_auth")
    assert refused.value.remedy


@pytest.mark.parametrize("digest", [None, "sha-512=:AAAA:", "md5=:AA==:"])
def test_other_digests_count_as_none(digest):
    assert btauth.read_claim(_headers(content_digest=digest)).body_digest is None


def test_sha256_is_found_among_several_digests():
    ours = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    claim = btauth.read_claim(_headers(content_digest=f"sha-512=:AAAA:, sha-256=:{ours}:"))
    assert claim.body_digest == hashlib.sha256(BODY).digest()


@pytest.mark.parametrize("receiver", [None, SENDER.ss58_address])
def test_other_receivers_are_refused(receiver):
    claim = btauth.read_claim(_headers(x_bittensor_receiver=receiver))
    with pytest.raises(Rejection) as refused:
        btauth.check_receiver(claim, RECEIVER)
    assert (refused.value.status, refused.value.code) == (403, "wrong_receiver")


@pytest.mark.parametrize("off_ns", [-1, 1])
def test_freshness_window_is_inclusive_and_sharp(off_ns):
    claim = btauth.read_claim(_headers(x_bittensor_nonce="1000"))
    btauth.check_freshness(claim, 1000, 1000, 1000)
    with pytest.raises(Rejection) as refused:
        btauth.check_freshness(claim, 1000, 1000 + off_ns, 1000 + off_ns)
    assert (refused.value.status, refused.value.code) == (401, "stale_request")


@pytest.mark.parametrize(
    "change",
    [
        {"x_bittensor_hotkey": RECEIVER},
        {"x_bittensor_nonce": "1"},
        {"x_bittensor_crypto": "ed25519"},
        {"x_bittensor_signature": "0x" + "00" * 64},
        {"x_bittensor_hotkey": "not-an-address"},
    ],
)
def test_signature_covers_every_claim(change):
    claim = btauth.read_claim(_headers(**change))
    text = claim.text("/p?q=1", hashlib.sha256(BODY).digest())
    with pytest.raises(Rejection) as refused:
        btauth.check_signature(claim, text)
    assert (refused.value.status, refused.value.code) == (401, "bad_signature")


@pytest.mark.parametrize(("target", "body"), [("/p?q=2", BODY), ("/p", BODY), ("/p?q=1", b"")])
def test_signature_covers_target_and_body(target, body):
    claim = btauth.read_claim(_headers())
    with pytest.raises(Rejection):
        btauth.check_signature(claim, claim.text(target, hashlib.sha256(body).digest()))


def test_body_must_have_the_signed_digest():
    claim = btauth.read_claim(_headers())
    btauth.check_body(claim, hashlib.sha256(BODY).digest())
    with pytest.raises(Rejection) as refused:
        btauth.check_body(claim, hashlib.sha256(BODY + b" ").digest())
    assert refused.value.code == "body_changed"


def test_request_digest_is_that_of_the_signed_text():
    signed = btauth.sign_request(SENDER, "/p", BODY, RECEIVER, nonce_ns=7)
    text = "\n".join(
        (
            "btauth/1",
            "sr25519",
            "POST",
            "/p",
            hashlib.sha256(BODY).hexdigest(),
            "7",
            SENDER.ss58_address,
            RECEIVER,
        )
    )
    assert signed.digest == hashlib.sha256(text.encode()).digest()


def test_refusals_echo_nothing_the_caller_sent():
    with pytest.raises(Rejection) as refused:
        btauth.read_claim(_headers(x_bittensor_signature="0xsecret"))
    assert "secret" not in str(refused.value)
