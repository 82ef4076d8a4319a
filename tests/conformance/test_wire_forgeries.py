"""Every request that its sender did not make just now for this miner is refused, without exception.

First the four that Bittensor's v10 axon lets in: no signature at all, a body changed under a good
signature, an hour-old request with a longer timeout written into it, and a good signature of a
hotkey that is registered nowhere. Each is tried in v10's own form and in ours. Then all kinds of
forgery, many times each, signed and under a session key, against one worker and its neighbour.
"""

import asyncio
import contextlib
import hashlib
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import bittensor_core
import pytest

from mycelia.wire import AllowSet, Inbound, WireLimits, WireServer, btauth
from mycelia.wire.session import PATH as SESSION_PATH
from mycelia.wire.session import Offer, Session
from mycelia.wire.shared_replay import SharedReplays

MINER = bittensor_core.Keypair.create_from_uri("//miner")
OTHER_MINER = bittensor_core.Keypair.create_from_uri("//other-miner")
CALLER = bittensor_core.Keypair.create_from_uri("//caller")
STRANGER = bittensor_core.Keypair.create_from_uri("//stranger")
LIMITS = WireLimits(strikes=1e9, strikes_per_s=1e9, per_hotkey_s=1e6, burst=1e6)
HOUR_NS = 3600 * 10**9
TIMES = 25


@dataclass
class Port:
    """Two workers' servers on one memory, and what their handlers saw."""

    numbers: list[int] = field(default_factory=list)
    served: list[bytes] = field(default_factory=list)

    async def send(self, head: str, body: bytes, worker: int = 0) -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.numbers[worker])
        try:
            writer.write(head.encode("latin-1") + b"\r\n" + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            return int(answer.split(b" ")[1]), await reader.readexactly(length)
        finally:
            writer.close()


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[Port]:
    here = Port()

    async def work(inbound: Inbound) -> bytes:
        here.served.append(inbound.body)
        return b"{}"

    servers = []
    for _ in range(2):
        server = WireServer(
            MINER,
            {"/Work": work},
            AllowSet([CALLER.ss58_address]),
            LIMITS,
            replays=SharedReplays(tmp_path / "replays"),
        )
        here.numbers.append(await server.start("127.0.0.1", 0))
        servers.append(server)
    yield here
    for server in servers:
        await server.stop()


def head(headers: dict[str, str], body: bytes, target: str = "/Work") -> str:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {target} HTTP/1.1\r\nHost: m\r\nContent-Length: {len(body)}\r\n{lines}"


def v10(
    body: bytes,
    signer: bittensor_core.Keypair | None = CALLER,
    *,
    hotkey: str = CALLER.ss58_address,
    nonce_ns: int | None = None,
    timeout: str = "12",
) -> dict[str, str]:
    """The headers of a v10 dendrite, whose signature covers a hash of chosen fields only."""
    nonce, uuid = nonce_ns or time.time_ns(), "0f14d0ab-9605-4a62-a9e4-5ed26688389b"
    covered = hashlib.sha3_256(b"").hexdigest()
    text = f"{nonce}.{hotkey}.{MINER.ss58_address}.{uuid}.{covered}"
    headers = {
        "name": "Work",
        "timeout": timeout,
        "bt_header_axon_hotkey": MINER.ss58_address,
        "bt_header_dendrite_hotkey": hotkey,
        "bt_header_dendrite_nonce": str(nonce),
        "bt_header_dendrite_uuid": uuid,
        "computed_body_hash": covered,
        "Content-Type": "application/json",
    }
    if signer is not None:
        headers["bt_header_dendrite_signature"] = "0x" + signer.sign(text.encode()).hex()
    return headers


BODY = b'{"text":"something"}'
EVIL = b'{"text":"something else"}'


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (lambda: v10(BODY, None), BODY),
        (lambda: v10(BODY), EVIL),
        (lambda: v10(BODY, nonce_ns=time.time_ns() - HOUR_NS, timeout="86400"), BODY),
        (lambda: v10(BODY, STRANGER, hotkey=STRANGER.ss58_address), BODY),
    ],
    ids=["unsigned", "changed", "old", "unregistered"],
)
async def test_what_v10_lets_in_is_refused_in_its_own_form(port, headers, body):
    status, answer = await port.send(head(headers(), body), body)
    assert status == 401
    assert b"malformed_auth" in answer
    assert not port.served


def _signed(
    body: bytes = BODY, signer=CALLER, *, receiver=MINER, target="/Work", age_ns=0, session=None
) -> dict[str, str]:
    nonce = time.time_ns() - age_ns
    return dict(
        btauth.sign_request(signer, target, body, receiver.ss58_address, nonce, session).headers
    )


def _unsigned() -> dict[str, str]:
    headers = _signed()
    del headers["X-Bittensor-Signature"]
    return headers


def _old() -> dict[str, str]:
    return _signed(age_ns=HOUR_NS) | {"timeout": "86400", "X-Deadline-Ms": "86400000"}


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        (_unsigned, BODY, b"malformed_auth"),
        (_signed, EVIL, b"body_changed"),
        (_old, BODY, b"stale_request"),
        (lambda: _signed(signer=STRANGER), BODY, b"not_permitted"),
    ],
    ids=["unsigned", "changed", "old", "unregistered"],
)
async def test_what_v10_lets_in_is_refused_in_our_form(port, headers, body, code):
    assert (await port.send(head(_signed(), BODY), BODY))[0] == 200
    port.served.clear()
    status, answer = await port.send(head(headers(), body), body)
    assert status in (401, 403)
    assert code in answer
    assert not port.served


Forgery = Callable[[random.Random, Session | None], tuple[str, bytes]]


def _without_proof(rng: random.Random, session: Session | None) -> tuple[str, bytes]:
    headers = _signed(session=session)
    for name in ("X-Bittensor-Signature", "X-Session-Mac", "X-Session"):
        headers.pop(name, None)
    return head(headers, BODY), BODY


def _with_random_proof(rng: random.Random, session: Session | None) -> tuple[str, bytes]:
    headers = _signed(session=session)
    name = "X-Bittensor-Signature" if session is None else "X-Session-Mac"
    headers[name] = rng.randbytes(64 if session is None else 32).hex()
    return head(headers, BODY), BODY


def _with_other_body(rng: random.Random, session: Session | None) -> tuple[str, bytes]:
    other = bytearray(BODY)
    other[rng.randrange(len(other))] ^= 1 << rng.randrange(8)
    headers = _signed(session=session)
    if rng.random() < 0.5:
        del headers["Content-Digest"]
    return head(headers, bytes(other)), bytes(other)


def _with_a_changed_head(rng: random.Random, session: Session | None) -> tuple[str, bytes]:
    headers = _signed(session=session)
    if rng.random() < 0.5:
        headers["X-Bittensor-Nonce"] = str(int(headers["X-Bittensor-Nonce"]) + rng.choice((1, -1)))
        return head(headers, BODY), BODY
    return head(headers, BODY, f"/Work?x={rng.randrange(100)}"), BODY


def _stale(rng: random.Random, session: Session | None) -> tuple[str, bytes]:
    age_s = rng.choice((-3600, -60, 11, 60, 3600, 10**6))
    return head(_signed(age_ns=age_s * 10**9, session=session), BODY), BODY


def _misdirected(rng: random.Random, session: Session | None) -> tuple[str, bytes]:
    headers = _signed(receiver=OTHER_MINER, session=session)
    if rng.random() < 0.5:
        headers["X-Bittensor-Receiver"] = MINER.ss58_address
    return head(headers, BODY), BODY


def _unregistered(rng: random.Random, session: Session | None) -> tuple[str, bytes]:
    headers = _signed(signer=STRANGER, session=session)
    if rng.random() < 0.5:
        headers["X-Bittensor-Hotkey"] = CALLER.ss58_address
        headers["X-Bittensor-Nonce"] = str(time.time_ns())
    return head(headers, BODY), BODY


FORGERIES: list[Forgery] = [
    _without_proof, _with_random_proof, _with_other_body, _with_a_changed_head, _stale,
    _misdirected, _unregistered,
]  # fmt: skip


async def _session(port: Port) -> Session:
    offer = Offer()
    headers = _signed(offer.body, target=SESSION_PATH)
    status, answer = await port.send(head(headers, offer.body, SESSION_PATH), offer.body)
    assert status == 200
    return offer.accept(answer)


@pytest.mark.parametrize("with_session", [False, True], ids=["signed", "session"])
@pytest.mark.parametrize("forgery", FORGERIES, ids=[f.__name__.strip("_") for f in FORGERIES])
async def test_all_of_a_kind_are_refused(port, forgery, with_session):
    session = await _session(port) if with_session else None
    rng = random.Random(forgery.__name__)
    answers = [await port.send(*forgery(rng, session), n % 2) for n in range(TIMES)]
    assert [status for status, _ in answers if status not in (401, 403)] == []
    assert not port.served


@pytest.mark.parametrize("with_session", [False, True], ids=["signed", "session"])
async def test_all_replays_are_refused_by_either_worker(port, with_session):
    session = await _session(port) if with_session else None
    for number in range(TIMES):
        data = head(_signed(session=session), BODY)
        assert (await port.send(data, BODY, number % 2))[0] == 200
        for worker in (0, 1):
            status, answer = await port.send(data, BODY, worker)
            assert status == 401
            assert b"replayed_request" in answer
    assert len(port.served) == TIMES


async def test_one_workers_session_holds_at_the_other(port):
    session = await _session(port)
    assert (await port.send(head(_signed(session=session), BODY), BODY, 1))[0] == 200


async def test_an_address_that_causes_many_refusals_is_not_listened_to_for_a_while():
    limits = WireLimits(strikes=20, strikes_per_s=1.0)
    server = WireServer(MINER, {}, AllowSet([CALLER.ss58_address]), limits)
    number = await server.start("127.0.0.1", 0)
    here = Port([number])
    answered = 0
    try:
        for _ in range(60):
            try:
                await here.send(head(_unsigned(), BODY), BODY)
                answered += 1
            except (ConnectionError, asyncio.IncompleteReadError):
                continue
        assert 20 <= answered <= 40
        status = None
        async with asyncio.timeout(30):
            while status is None:
                await asyncio.sleep(0.2)
                with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                    status, _ = await here.send(head(_unsigned(), BODY), BODY)
        assert status == 404
    finally:
        await server.stop()


async def test_a_callers_rate_is_its_own_and_counts_only_what_it_signed():
    limits = WireLimits(burst=5, per_hotkey_s=0.001)

    async def work(inbound: Inbound) -> bytes:
        return b"{}"

    allowed = AllowSet([CALLER.ss58_address, OTHER_MINER.ss58_address])
    server = WireServer(MINER, {"/Work": work}, allowed, limits)
    here = Port([await server.start("127.0.0.1", 0)])
    try:
        for _ in range(20):
            assert (await here.send(*_with_random_proof(random.Random(1), None)))[0] == 401
        statuses = [(await here.send(head(_signed(), BODY), BODY))[0] for _ in range(7)]
        assert statuses == [200] * 5 + [429] * 2
        assert (await here.send(head(_signed(signer=OTHER_MINER), BODY), BODY))[0] == 200
    finally:
        await server.stop()
