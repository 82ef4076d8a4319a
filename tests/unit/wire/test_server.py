"""What a miner's port decides by the head of a request alone; the rest is seen over real sockets."""

import bittensor_core
import pytest

from mycelia.wire import AllowSet, Inbound, Rejection, WireLimits, WireServer, btauth
from mycelia.wire.connection import Admission, Head

MINER = bittensor_core.Keypair.create_from_uri("//miner")
CALLER = bittensor_core.Keypair.create_from_uri("//caller")


async def _echo(inbound: Inbound) -> bytes:
    return inbound.body


@pytest.fixture
def server():
    limits = WireLimits(unverified_bodies=4, unverified_per_address=2)
    return WireServer(MINER, {"/echo": _echo}, AllowSet([CALLER.ss58_address]), limits)


def _admitted(server: WireServer, peer: str, *, digest: bool = False) -> Admission:
    """Judge the head of a good request that comes from this address."""
    signed = btauth.sign_request(CALLER, "/echo", b"ask", MINER.ss58_address)
    headers = {name.lower().encode(): value.encode() for name, value in signed.headers.items()}
    if not digest:
        del headers[b"content-digest"]
    return server.admit(Head("POST", "/echo", "/echo", headers, peer, 3))


def test_one_address_cannot_hold_all_places_for_bodies_without_a_digest(server):
    held = [_admitted(server, "192.0.2.1") for _ in range(2)]
    with pytest.raises(Rejection) as refused:
        _admitted(server, "192.0.2.1")
    assert (refused.value.status, refused.value.code) == (429, "busy")
    assert "Content-Digest" in refused.value.remedy
    # Its neighbour is served, and itself too where the signature can be checked first.
    held.append(_admitted(server, "192.0.2.2"))
    assert _admitted(server, "192.0.2.1", digest=True).received is None
    for admission in held:
        admission.received()
    _admitted(server, "192.0.2.1")


def test_places_for_bodies_without_a_digest_are_bounded_over_all_addresses(server):
    held = [_admitted(server, f"192.0.2.{number}") for number in range(4)]
    with pytest.raises(Rejection):
        _admitted(server, "192.0.2.9")
    held[0].received()
    _admitted(server, "192.0.2.9")
