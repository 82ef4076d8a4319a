"""A miner's public port: authenticates signed requests, runs handlers, signs what they answer.

The checks run cheapest first, and nothing is signed, and no body read, for a caller that did not
pass them: credit of the address, route, declared size, authority of the claimed sender, receiver,
freshness, signature (before the body when `Content-Digest` came with it), body, credit of the
hotkey, replay (which costs the hotkey nothing), free capacity. Then the handler runs under the
caller's deadline and is cancelled when that passes or the caller hangs up.

Two signature operations are two thirds of what a request costs here; see `connection` for how the
rest is kept small.

Besides its signed routes a port may show a few public documents to anybody, by GET. TLS is not its
business: put a proxy in front that leaves path and headers as they are.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from types import CoroutineType

from mycelia.wire import btauth, refusals, session
from mycelia.wire.buckets import Buckets
from mycelia.wire.connection import Admission, Head, Reply
from mycelia.wire.contract import (
    Authority,
    Deadline,
    Handler,
    Inbound,
    Signer,
    WireLimits,
)
from mycelia.wire.errors import DEADLINE_EXCEEDED, Rejection
from mycelia.wire.frames import CONTENT_TYPE, Kind, encode_frame
from mycelia.wire.listener import Listener
from mycelia.wire.receipt import Exchange, Times
from mycelia.wire.replay import Replays, ReplayStore

_log = logging.getLogger(__name__)
_JSON = b"content-type: application/json\r\n"
_FRAMES = b"content-type: %s\r\n" % CONTENT_TYPE


@dataclass(frozen=True, slots=True)
class Document:
    """What a public path shows."""

    body: bytes
    content_type: str = "application/json"


Public = Callable[[], Document]


@dataclass(slots=True)
class _Arrival:
    """A request whose head passed all checks that need no body."""

    handler: Handler
    path: str
    target: str
    claim: btauth.Claim
    deadline: Deadline
    started_ms: int
    text: bytes | None
    """The signed text, if its signature was checked already."""


class WireServer:
    """Serves `routes` (path to handler) to the hotkeys that `authority` allows.

    A handler is an `async def` that returns the reply's bytes, or an async generator that yields
    the chunks of a stream. `public` documents are shown to anybody. Processes that share a port
    must share `replays`, too.
    """

    def __init__(
        self,
        keypair: Signer,
        routes: Mapping[str, Handler],
        authority: Authority,
        limits: WireLimits | None = None,
        *,
        public: Mapping[str, Public] | None = None,
        replays: Replays | None = None,
    ) -> None:
        self.limits = limits or WireLimits()
        self.claim: bytes | None = None
        """Digest of the manifest under which this miner answers; receipts name it."""
        self._keypair = keypair
        self._hotkey = keypair.ss58_address
        self._routes = dict(routes)
        self._public = dict(public or {})
        self._authority = authority
        window_s = self.limits.max_age_s + self.limits.max_ahead_s
        self._max_age_ns = int(self.limits.max_age_s * 1e9)
        self._max_ahead_ns = int(self.limits.max_ahead_s * 1e9)
        # Not `or`: an empty memory is false, and still the one to use.
        self._replays = (
            ReplayStore(window_s, self.limits.replay_entries) if replays is None else replays
        )
        self._tickets = session.Tickets(self._replays.secret, self._hotkey)
        self._routes.setdefault(session.PATH, self._open_session)
        self._callers = Buckets(self.limits.per_hotkey_s, self.limits.burst)
        self._inflight = 0
        self._unverified: dict[str, int] = {}
        """Bodies being received before their signature is known, by address of the caller."""
        self._listener = Listener(self, self.limits)

    @property
    def inflight(self) -> int:
        """Requests whose handler runs at this moment."""
        return self._inflight

    async def start(self, host: str, port: int, *, shared: bool = False) -> int:
        """Listen, and return the port (0 chooses a free one). Raises `AppError` if taken."""
        return await self._listener.start(host, port, shared=shared)

    async def stop(self) -> None:
        """Stop listening; requests under way get one second."""
        await self._listener.stop()

    def refusal(self, why: Rejection) -> tuple[bytes, bytes]:
        """Return headers and body of an error."""
        retry = b"" if why.retry_after_s is None else b"retry-after: %d\r\n" % why.retry_after_s
        return _JSON + retry, _error_body(why.code, why.message, why.remedy)

    def admit(self, head: Head) -> Admission:
        """Do every check that needs no body. Raises `Rejection`."""
        handler = self._routes.get(head.path)
        if handler is None or head.method != "POST":
            return self._admit_public(head)
        limits = self.limits
        if (head.length_bytes or 0) > limits.body_bytes:
            raise refusals.body_too_large(limits.body_bytes)
        claim = btauth.read_claim(head.headers)
        if not self._authority.allows(claim.sender):
            raise Rejection(
                403,
                "not_permitted",
                "This hotkey is not among the callers that this miner serves.",
                "Call with the hotkey of a validator that holds a permit in the subnet, or have "
                "the operator add yours.",
            )
        btauth.check_receiver(claim, self._hotkey)
        now_ns = time.time_ns()
        self._check_freshness(claim, now_ns)
        deadline = self._deadline(head.headers)
        text = None
        if claim.body_digest is not None:
            text = claim.text(head.target, claim.body_digest)
            self._check_signature(claim, text, now_ns)
        else:
            self._take_unverified(head.peer)
        arrival = _Arrival(
            handler, head.path, head.target, claim, deadline, now_ns // 1_000_000, text
        )
        return Admission(
            partial(self._serve, arrival),
            limits.body_bytes,
            limits.body_s,
            deadline.at_s,
            partial(self._release_unverified, head.peer) if text is None else None,
        )

    def _admit_public(self, head: Head) -> Admission:
        show = self._public.get(head.path)
        if show is None and head.path not in self._routes:
            raise Rejection(
                404,
                "unknown_route",
                "Nothing is served at this path.",
                "Use the path that the subnet of this neuron defines.",
            )
        if show is None or head.method != "GET":
            raise Rejection(
                405,
                "method_not_allowed",
                "This path is not served by this method.",
                "Send a signed POST; public documents are read by GET.",
            )

        async def serve(body: bytes, reply: Reply) -> None:  # noqa: ARG001
            document = show()
            headers = f"content-type: {document.content_type}\r\n".encode()
            reply.whole(200, headers, document.body)

        return Admission(serve, 0, self.limits.body_s)

    async def _serve(self, arrival: _Arrival, body: bytes, reply: Reply) -> None:
        """Answer one request; every failure ends here, as a status and a JSON error."""
        try:
            inbound, exchange = self._authenticated(arrival, body)
            await self._answer(arrival, inbound, exchange, reply)
        except Rejection as why:
            self._refuse(reply, why)
        except asyncio.CancelledError:
            if not reply.is_overdue:
                raise
            self._refuse(reply, _overdue())
        except Exception:
            # The edge: a handler may fail in any way; the port must live on.
            _log.exception("handler of %s failed", arrival.path)
            self._refuse(
                reply,
                Rejection(
                    500,
                    "handler_failed",
                    "The miner failed on this request.",
                    "Ask another miner; the operator of this one finds the cause in its log.",
                ),
            )

    def _authenticated(self, arrival: _Arrival, body: bytes) -> tuple[Inbound, Exchange]:
        """Do the checks that need the body, and those that only a true sender may cost."""
        claim, text = arrival.claim, arrival.text
        digest = hashlib.sha256(body).digest()
        if text is None:
            text = claim.text(arrival.target, digest)
            self._check_signature(claim, text, time.time_ns())
        else:
            btauth.check_body(claim, digest)
        # Who has no credit takes no place in the memory that all share; a replay costs no credit.
        if self._callers.is_empty(claim.sender):
            raise Rejection(
                429,
                "rate_limited",
                "This hotkey sends more requests than this miner takes from one.",
                "Send fewer per second.",
                retry_after_s=1 + int(self._callers.wait_s(claim.sender)),
            )
        self._replays.accept(claim.sender, claim.nonce_ns)
        self._callers.take(claim.sender)
        exchange = Exchange(self._hotkey, claim.sender, hashlib.sha256(text).digest(), self.claim)
        return Inbound(arrival.path, body, claim.sender, arrival.deadline), exchange

    async def _answer(
        self, arrival: _Arrival, inbound: Inbound, exchange: Exchange, reply: Reply
    ) -> None:
        if self._inflight >= self.limits.inflight:
            raise _busy("The miner works on as many requests as it may.")
        self._inflight += 1
        try:
            result = arrival.handler(inbound)
            # The first question is quickly answered, the second searches through classes.
            if not isinstance(result, CoroutineType) and isinstance(result, AsyncIterator):
                await self._stream(result, inbound, exchange, arrival.started_ms, reply)
            else:
                body = await result
                exchange.usage = inbound.usage
                self._whole(body, exchange, arrival.started_ms, reply)
        finally:
            self._inflight -= 1

    async def _open_session(self, inbound: Inbound) -> bytes:
        return self._tickets.issue(inbound.caller, inbound.body)

    def _check_signature(self, claim: btauth.Claim, text: bytes, now_ns: int) -> None:
        if claim.ticket is None:
            btauth.check_signature(claim, text)
        else:
            now_ms = now_ns // 1_000_000
            self._tickets.check(claim.ticket, claim.sender, text, claim.signature, now_ms)

    def _check_freshness(self, claim: btauth.Claim, now_ns: int) -> None:
        # What was accepted before the memory of it began might be a replay.
        oldest_ns = max(now_ns - self._max_age_ns, self._replays.born_ns)
        btauth.check_freshness(claim, now_ns, oldest_ns, now_ns + self._max_ahead_ns)

    def _deadline(self, headers: Mapping[bytes, bytes]) -> Deadline:
        wanted = headers.get(b"x-deadline-ms")
        if wanted is None:
            return Deadline.after(self.limits.deadline_s)
        if not wanted.isdigit() or len(wanted) > 12:
            raise Rejection(
                400,
                "bad_deadline",
                "X-Deadline-Ms is not a number of milliseconds.",
                "Send the time that remains, in whole milliseconds.",
            )
        return Deadline.after(min(int(wanted) / 1000, self.limits.deadline_s))

    def _take_unverified(self, peer: str) -> None:
        """Take a place for a body whose signature is checked afterwards. Raises `Rejection` 429."""
        taken, limits = self._unverified, self.limits
        here = taken.get(peer, 0)
        if here >= limits.unverified_per_address or sum(taken.values()) >= limits.unverified_bodies:
            raise Rejection(
                429,
                "busy",
                "Too many bodies without a Content-Digest are being received.",
                "Send a Content-Digest with the head, or wait as long as Retry-After says.",
                retry_after_s=1,
            )
        taken[peer] = here + 1

    def _release_unverified(self, peer: str) -> None:
        left = self._unverified.pop(peer) - 1
        if left:
            self._unverified[peer] = left

    def _whole(self, body: bytes, exchange: Exchange, started_ms: int, reply: Reply) -> None:
        now_ms = _unix_ms()
        times = Times(started_ms, now_ms, now_ms)
        receipt = exchange.sign(self._keypair, hashlib.sha256(body).digest(), 200, times)
        reply.whole(200, b"%sx-receipt: %s\r\n" % (_JSON, receipt), body)

    async def _stream(
        self,
        chunks: AsyncIterator[bytes],
        inbound: Inbound,
        exchange: Exchange,
        started_ms: int,
        reply: Reply,
    ) -> None:
        """Send chunks as frames. The status waits for the first, so that errors keep theirs."""
        digest = hashlib.sha256()
        first_byte_ms = 0
        try:
            async for chunk in chunks:
                if not first_byte_ms:
                    first_byte_ms = _unix_ms()
                    reply.begin(200, _FRAMES)
                frame = encode_frame(Kind.DATA, chunk)
                digest.update(frame)
                await reply.write(frame)
        finally:
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()
        if not first_byte_ms:
            first_byte_ms = _unix_ms()
            reply.begin(200, _FRAMES)
        times = Times(started_ms, first_byte_ms, _unix_ms())
        exchange.usage = inbound.usage
        receipt = exchange.sign(self._keypair, digest.digest(), 200, times)
        reply.last(encode_frame(Kind.RECEIPT, receipt))

    def _refuse(self, reply: Reply, why: Rejection) -> None:
        """Send an error: as status and body, or as the last frame of a stream under way."""
        headers, body = self.refusal(why)
        if reply.status:
            reply.last(encode_frame(Kind.ERROR, body))
        else:
            reply.whole(why.status, headers, body)


@lru_cache(maxsize=256)
def _error_body(code: str, message: str, remedy: str) -> bytes:
    """Encode an error. Most are the same words each time."""
    return json.dumps({"code": code, "message": message, "remedy": remedy}).encode()


def _busy(message: str) -> Rejection:
    return Rejection(
        429,
        "busy",
        message,
        "Wait as long as Retry-After says, or ask another miner.",
        retry_after_s=1,
    )


def _overdue() -> Rejection:
    return Rejection(
        408,
        DEADLINE_EXCEEDED,
        "The deadline passed before the answer was complete.",
        "Allow more time in X-Deadline-Ms, or ask for less.",
    )


def _unix_ms() -> int:
    return time.time_ns() // 1_000_000
