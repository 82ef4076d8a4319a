"""Requests interoperate with the SDK's own `bittensor.http_auth`, both ways."""

import aiohttp
import bittensor_core
import pytest
from bittensor import http_auth

from mycelia.wire import AllowSet, Inbound, WireServer, btauth

SCHEMES = [bittensor_core.CRYPTO_SR25519, bittensor_core.CRYPTO_ED25519]
MINER = bittensor_core.Keypair.create_from_uri("//miner")
PATH = "/text/1?trace=a%20b"
BODY = b'{"messages":[]}'


def _caller(crypto_type: int) -> bittensor_core.Keypair:
    return bittensor_core.Keypair.create_from_uri("//caller", crypto_type)


@pytest.mark.parametrize("crypto_type", SCHEMES)
def test_the_sdk_verifies_our_requests(crypto_type):
    caller = _caller(crypto_type)
    headers = btauth.sign_request(caller, PATH, BODY, MINER.ss58_address).headers
    seen = http_auth.verify(
        headers,
        BODY,
        method="POST",
        path=PATH,
        self_hotkey_ss58=MINER.ss58_address,
        nonce_store=http_auth.InMemoryNonceStore(),
    )
    assert (seen.hotkey_ss58, seen.crypto_type) == (caller.ss58_address, crypto_type)


def test_the_sdk_refuses_our_request_once_changed():
    headers = btauth.sign_request(_caller(1), PATH, BODY, MINER.ss58_address).headers
    with pytest.raises(http_auth.BadSignature):
        http_auth.verify(
            headers, BODY + b" ", method="POST", path=PATH, self_hotkey_ss58=MINER.ss58_address
        )


@pytest.mark.parametrize("crypto_type", SCHEMES)
def test_both_build_the_same_signed_text(crypto_type):
    caller = _caller(crypto_type)
    theirs = http_auth.build_payload(
        scheme=btauth.scheme_of(caller),
        method="post",
        path=PATH,
        body=BODY,
        nonce_ns=12,
        sender_ss58=caller.ss58_address,
        receiver_ss58=MINER.ss58_address,
    )
    signed = btauth.sign_request(caller, PATH, BODY, MINER.ss58_address, nonce_ns=12)
    claim = btauth.read_claim({k.lower().encode(): v.encode() for k, v in signed.headers.items()})
    assert claim.text(PATH, claim.body_digest) == theirs


@pytest.mark.parametrize("crypto_type", SCHEMES)
async def test_our_server_accepts_the_sdks_requests(crypto_type):
    """A plain btauth/1 client knows neither Content-Digest nor receipts."""
    caller = _caller(crypto_type)

    async def whoami(inbound: Inbound) -> bytes:
        return inbound.caller.encode() + b" " + inbound.body

    server = WireServer(MINER, {"/text/1": whoami}, AllowSet([caller.ss58_address]))
    port = await server.start("127.0.0.1", 0)
    try:
        headers = http_auth.sign(
            caller, method="POST", path="/text/1", body=BODY, receiver_ss58=MINER.ss58_address
        )
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{port}/text/1", data=BODY, headers=headers) as reply,
        ):
            assert reply.status == 200
            assert await reply.read() == caller.ss58_address.encode() + b" " + BODY
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{port}/text/1", data=b"{}", headers=headers) as reply,
        ):
            assert reply.status == 401
            assert (await reply.json())["code"] == "bad_signature"
    finally:
        await server.stop()
