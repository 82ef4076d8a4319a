"""What a miner's port bounds before a handler runs; the rest is seen over real sockets."""

import bittensor_core
import pytest

from mycelia.wire import AllowSet, Inbound, Rejection, WireLimits, WireServer, btauth
from mycelia.wire.connection import Admission, Head
from mycelia.wire.replay import ReplayStore

MINER = bittensor_core.Keypair.create_from_uri("//miner")
CALLER = bittensor_core.Keypair.create_from_uri("//caller")


async def _echo(inbound: Inbound) -> bytes:
    return inbound.body


@pytest.fixture
def server():
    limits = WireLimits(unverified_bodies=4, unverified_per_address=2)
    return WireServer(MINER, {"/echo": _echo}, AllowSet([CALLER.ss58_address]), limits)


class Said:
    """A reply that remembers its status."""

    status = 0

    def whole(self, status: int, headers: bytes, body: bytes) -> None:
        self.status = status


def _head(peer: str, *, digest: bool = False) -> Head:
    """Make the head of a good request that comes from this address."""
    signed = btauth.sign_request(CALLER, "/echo", b"ask", MINER.ss58_address)
    headers = {name.lower().encode(): value.encode() for name, value in signed.headers.items()}
    if not digest:
        del headers[b"content-digest"]
    return Head("POST", "/echo", "/echo", headers, peer, 3)


def _admitted(server: WireServer, peer: str, *, digest: bool = False) -> Admission:
    return server.admit(_head(peer, digest=digest))


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


async def test_a_caller_beyond_its_rate_does_not_fill_the_memory_of_requests():
    """It would be full for everybody else."""
    replays = ReplayStore(12.0, entries=10)
    limits = WireLimits(burst=2, per_hotkey_s=1e-6)
    authority = AllowSet([CALLER.ss58_address])
    server = WireServer(MINER, {"/echo": _echo}, authority, limits, replays=replays)
    statuses = []
    for _ in range(20):
        said = Said()
        await _admitted(server, "192.0.2.1", digest=True).serve(b"ask", said)
        statuses.append(said.status)
    assert statuses == [200] * 2 + [429] * 18
    assert len(replays) == 2


async def test_a_replay_costs_its_caller_no_credit():
    """Whoever overheard a request could use up the credit of its sender."""
    authority = AllowSet([CALLER.ss58_address])
    limits = WireLimits(burst=2, per_hotkey_s=1e-6)
    server = WireServer(MINER, {"/echo": _echo}, authority, limits)
    heard = _head("192.0.2.1", digest=True)
    statuses = []
    for head in (heard, heard, heard, _head("192.0.2.1", digest=True)):
        said = Said()
        await server.admit(head).serve(b"ask", said)
        statuses.append(said.status)
    assert statuses == [200, 401, 401, 200]
