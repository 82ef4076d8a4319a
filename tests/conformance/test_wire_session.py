"""Session keys: as good as signatures between the two who agreed on one, and worthless elsewhere."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import bittensor_core
import pytest

from mycelia.wire import (
    AllowSet,
    Deadline,
    Endpoint,
    Inbound,
    Malformed,
    Refused,
    Rejection,
    WireClient,
    WireServer,
    btauth,
)
from mycelia.wire.session import LIFE_S, Offer, Session, Tickets, mac_of

MINER = bittensor_core.Keypair.create_from_uri("//miner")
CALLER = bittensor_core.Keypair.create_from_uri("//caller")
OTHER = bittensor_core.Keypair.create_from_uri("//other")
SECRET = b"s" * 32


class CountingSigner:
    """A keypair that counts what it signs."""

    def __init__(self, keypair: bittensor_core.Keypair) -> None:
        self.ss58_address = keypair.ss58_address
        self.crypto_type = keypair.crypto_type
        self.signed = 0
        self._keypair = keypair

    def sign(self, data: bytes) -> bytes:
        self.signed += 1
        return self._keypair.sign(data)


async def whoami(inbound: Inbound) -> bytes:
    return inbound.caller.encode() + inbound.body


async def count(inbound: Inbound) -> AsyncIterator[bytes]:
    for number in range(3):
        yield str(number).encode()


def _server() -> WireServer:
    allowed = AllowSet([CALLER.ss58_address, OTHER.ss58_address])
    return WireServer(MINER, {"/who": whoami, "/count": count}, allowed)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    server = _server()
    port = await server.start("127.0.0.1", 0)
    yield Endpoint(MINER.ss58_address, "127.0.0.1", port)
    await server.stop()


def _session(secret: bytes = SECRET, sender: str = CALLER.ss58_address) -> Session:
    offer = Offer()
    return offer.accept(Tickets(secret, MINER.ss58_address).issue(sender, offer.body))


async def test_one_signature_serves_many_requests(endpoint):
    signer = CountingSigner(CALLER)
    async with WireClient(signer, sessions=True) as client:
        for number in range(10):
            outcome = await client.call(endpoint, "/who", str(number).encode(), 5.0)
            assert outcome.body == CALLER.ss58_address.encode() + str(number).encode()
            outcome.receipt.verify()
        async with client.stream(endpoint, "/count", b"", 5.0) as reply:
            assert [chunk async for chunk in reply] == [b"0", b"1", b"2"]
            reply.receipt.verify()
    assert signer.signed == 1


async def test_a_restarted_miner_is_told_with_a_signature(endpoint):
    signer = CountingSigner(CALLER)
    async with WireClient(signer, sessions=True) as client:
        await client.call(endpoint, "/who", b"", 5.0)
        client._sessions[endpoint] = _session()
        assert (await client.call(endpoint, "/who", b"x", 5.0)).body.endswith(b"x")
        await client.call(endpoint, "/who", b"", 5.0)
    # The exchange, the request that failed its MAC, and the next exchange.
    assert signer.signed == 3


async def test_an_expired_session_is_renewed(endpoint):
    signer = CountingSigner(CALLER)
    async with WireClient(signer, sessions=True) as client:
        await client.call(endpoint, "/who", b"", 5.0)
        client._sessions[endpoint] = replace(client._sessions[endpoint], renew_s=0.0)
        await client.call(endpoint, "/who", b"", 5.0)
    assert signer.signed == 2


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _check(session: Session, sender: str, text: bytes, now_ms: int | None = None) -> str:
    at_ms = _now_ms() if now_ms is None else now_ms
    try:
        Tickets(SECRET, MINER.ss58_address).check(
            session.ticket, sender, text, mac_of(session.key, b"text"), at_ms
        )
    except Rejection as refused:
        return refused.code
    return "good"


def test_a_key_is_bound_to_sender_receiver_text_and_time():
    session, sender = _session(), CALLER.ss58_address
    assert _check(session, sender, b"text") == "good"
    assert _check(session, OTHER.ss58_address, b"text") == "session_unknown"
    assert _check(session, sender, b"texT") == "session_unknown"
    later_ms = _now_ms() + 2 * LIFE_S * 1000
    assert _check(session, sender, b"text", later_ms) == "session_unknown"
    elsewhere = _session(b"t" * 32)
    assert _check(elsewhere, sender, b"text") == "session_unknown"
    longer = replace(session, ticket=session.ticket[:16] + (later_ms * 2).to_bytes(8, "big"))
    assert _check(longer, sender, b"text", later_ms) == "session_unknown"
    assert _check(replace(session, ticket=b""), sender, b"text") == "session_unknown"


def test_processes_of_a_port_know_each_others_sessions():
    """They share the secret: what one issued, the other honours."""
    assert _check(_session(SECRET), CALLER.ss58_address, b"text") == "good"


NOT_A_POINT = json.dumps({"public": bytes(32).hex()}).encode()


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b'{"public": 5}', b'{"public": "00"}', b"[" * 5000, NOT_A_POINT],
)
def test_an_unusable_offer_is_refused(body):
    with pytest.raises(Rejection) as refused:
        Tickets(SECRET, MINER.ss58_address).issue(CALLER.ss58_address, body)
    assert refused.value.code == "bad_session"


@pytest.mark.parametrize("reply", [b"", b"{}", b'{"public":"00","ticket":"","masked_key":""}'])
def test_an_unusable_answer_is_malformed(reply):
    with pytest.raises(Malformed):
        Offer().accept(reply)


async def test_a_forged_mac_is_refused(endpoint):
    async with WireClient(CALLER, sessions=True) as client:
        session = await client._session_with(endpoint, Deadline.after(5.0))
        forged = replace(session, key=b"k" * 32)
        with pytest.raises(Refused) as refused:
            await client._post(endpoint, "/who", b"", Deadline.after(5.0), forged)
    assert refused.value.code == "session_unknown"


def test_a_request_under_a_session_has_no_signature():
    signed = btauth.sign_request(CALLER, "/who", b"", MINER.ss58_address, session=_session())
    assert "X-Bittensor-Signature" not in signed.headers
    claim = btauth.read_claim({k.lower().encode(): v.encode() for k, v in signed.headers.items()})
    assert (claim.scheme, len(claim.ticket), len(claim.signature)) == ("session", 24, 32)
