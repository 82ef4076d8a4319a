"""A miner's public port: authenticates signed requests, runs handlers, signs what they answer.

The checks run cheapest first, and nothing is signed, and no body kept, for a caller that did not
pass them: route and declared size, authority of the claimed sender, receiver, freshness,
signature (before the body when `Content-Digest` came with it), body, replay, free capacity. Then
the handler runs under the caller's deadline and is cancelled when that passes or the caller hangs
up.

An ASGI application without a framework, because a request costs less than a tenth of a
millisecond here beside the signatures. TLS is not its business: put a proxy in front that leaves
path and headers as they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Iterator, Mapping

from mycelia.wire import btauth
from mycelia.wire.body import linger, read_body, too_large
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
from mycelia.wire.hangup import Hangup, Receive
from mycelia.wire.listener import Listener, Scope, Send
from mycelia.wire.protocol import error_body
from mycelia.wire.receipt import Exchange, Times
from mycelia.wire.replay import ReplayStore

_log = logging.getLogger(__name__)
_LAST_WORD_S = 1.0
_JSON = (b"content-type", b"application/json")


class WireServer:
    """Serves `routes` (path to handler) to the hotkeys that `authority` allows.

    A handler is an `async def` that returns the reply's bytes, or an async generator that yields
    the chunks of a stream. Also usable as an ASGI application under any other server.
    """

    def __init__(
        self,
        keypair: Signer,
        routes: Mapping[str, Handler],
        authority: Authority,
        limits: WireLimits | None = None,
    ) -> None:
        self.limits = limits or WireLimits()
        self._keypair = keypair
        self._hotkey = keypair.ss58_address
        self._routes = dict(routes)
        self._authority = authority
        self._replays = ReplayStore(
            self.limits.max_age_s + self.limits.max_ahead_s, self.limits.replay_entries
        )
        # Older nonces may have been accepted by an earlier process, whose memory is gone.
        self._born_ns = time.time_ns()
        self._inflight = 0
        self._unverified = 0
        self._listener = Listener(self, self.limits)

    @property
    def inflight(self) -> int:
        """Requests whose handler runs at this moment."""
        return self._inflight

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port (0 chooses a free one). Raises `AppError` if taken."""
        return await self._listener.start(host, port)

    async def stop(self) -> None:
        """Stop listening; requests under way get one second."""
        await self._listener.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry: every failure ends here, as a status and a JSON error."""
        if scope["type"] != "http":
            return
        hangup = Hangup(receive)
        reply = _Reply(send, hangup)
        try:
            await self._answer(scope, receive, reply)
        except Rejection as why:
            await reply.refuse(why)
            if why.status == 413:
                await linger(receive)
        except asyncio.CancelledError:
            if not hangup.happened:
                raise
        except Exception:
            # The edge: a handler may fail in any way; the port must live on.
            _log.exception("handler of %s failed", scope["path"])
            await reply.refuse(
                Rejection(
                    500,
                    "handler_failed",
                    "The miner failed on this request.",
                    "Ask another miner; the operator of this one finds the cause in its log.",
                )
            )
        finally:
            hangup.close()
            await reply.end()

    async def _answer(self, scope: Scope, receive: Receive, reply: _Reply) -> None:
        handler, headers = self._route(scope)
        started_ms = _unix_ms()
        inbound, exchange = await self._authenticate(scope, headers, receive)
        with self._slot():
            try:
                async with asyncio.timeout(inbound.deadline.remaining()) as limit:
                    reply.hangup.watch()
                    result = handler(inbound)
                    if isinstance(result, AsyncIterator):
                        await self._stream(result, exchange, started_ms, reply)
                    else:
                        await self._whole(await result, exchange, started_ms, reply)
            except TimeoutError:
                if not limit.expired():
                    raise
                raise Rejection(
                    408,
                    DEADLINE_EXCEEDED,
                    "The deadline passed before the answer was complete.",
                    "Allow more time in X-Deadline-Ms, or ask for less.",
                ) from None

    def _route(self, scope: Scope) -> tuple[Handler, dict[bytes, bytes]]:
        handler = self._routes.get(scope["path"])
        if handler is None:
            raise Rejection(
                404,
                "unknown_route",
                "Nothing is served at this path.",
                "Use the path that the subnet of this neuron defines.",
            )
        if scope["method"] != "POST":
            raise Rejection(
                405, "method_not_allowed", "Only POST is served.", "Send a signed POST."
            )
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"0")
        # The parser let only digits through.
        if int(declared) > self.limits.body_bytes:
            raise too_large(self.limits.body_bytes)
        return handler, headers

    async def _authenticate(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive
    ) -> tuple[Inbound, Exchange]:
        claim = btauth.read_claim(headers)
        if not self._authority.allows(claim.sender):
            raise Rejection(
                403,
                "not_permitted",
                "This hotkey is not among the callers that this miner serves.",
                "Call with the hotkey of a validator that holds a permit in the subnet, or have "
                "the operator add yours.",
            )
        btauth.check_receiver(claim, self._hotkey)
        self._check_freshness(claim)
        deadline = self._deadline(headers)
        target = scope["raw_path"].decode("latin-1")
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("latin-1")

        if claim.body_digest is not None:
            text = claim.text(target, claim.body_digest)
            btauth.check_signature(claim, text)
            body = await read_body(receive, self.limits.body_bytes, self.limits.body_s)
            btauth.check_body(claim, hashlib.sha256(body).digest())
        else:
            with self._unverified_body():
                body = await read_body(receive, self.limits.body_bytes, self.limits.body_s)
                text = claim.text(target, hashlib.sha256(body).digest())
                btauth.check_signature(claim, text)
        self._replays.accept(claim.sender, claim.nonce_ns)

        exchange = Exchange(self._hotkey, claim.sender, hashlib.sha256(text).digest())
        return Inbound(scope["path"], body, claim.sender, deadline), exchange

    def _check_freshness(self, claim: btauth.Claim) -> None:
        now_ns = time.time_ns()
        oldest_ns = max(now_ns - int(self.limits.max_age_s * 1e9), self._born_ns)
        btauth.check_freshness(
            claim, now_ns, oldest_ns, now_ns + int(self.limits.max_ahead_s * 1e9)
        )

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

    @contextlib.contextmanager
    def _slot(self) -> Iterator[None]:
        if self._inflight >= self.limits.inflight:
            raise _busy("The miner works on as many requests as it may.")
        self._inflight += 1
        try:
            yield
        finally:
            self._inflight -= 1

    @contextlib.contextmanager
    def _unverified_body(self) -> Iterator[None]:
        if self._unverified >= self.limits.unverified_bodies:
            raise _busy("Too many bodies without a Content-Digest are being received.")
        self._unverified += 1
        try:
            yield
        finally:
            self._unverified -= 1

    async def _whole(self, body: bytes, exchange: Exchange, started_ms: int, reply: _Reply) -> None:
        now_ms = _unix_ms()
        times = Times(started_ms, now_ms, now_ms)
        receipt = exchange.sign(self._keypair, hashlib.sha256(body).digest(), 200, times)
        await reply.whole(200, [_JSON, (b"x-receipt", receipt)], body)

    async def _stream(
        self, chunks: AsyncIterator[bytes], exchange: Exchange, started_ms: int, reply: _Reply
    ) -> None:
        """Send chunks as frames. The status waits for the first, so that errors keep theirs."""
        digest = hashlib.sha256()
        first_byte_ms = 0
        try:
            async for chunk in chunks:
                if not first_byte_ms:
                    first_byte_ms = _unix_ms()
                    await reply.begin([(b"content-type", CONTENT_TYPE)])
                frame = encode_frame(Kind.DATA, chunk)
                digest.update(frame)
                await reply.write(frame)
        finally:
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()
        if not first_byte_ms:
            first_byte_ms = _unix_ms()
            await reply.begin([(b"content-type", CONTENT_TYPE)])
        times = Times(started_ms, first_byte_ms, _unix_ms())
        receipt = exchange.sign(self._keypair, digest.digest(), 200, times)
        await reply.write(encode_frame(Kind.RECEIPT, receipt))


class _Reply:
    """Sends one response; knows whether it has begun, so that an error takes the right form."""

    def __init__(self, send: Send, hangup: Hangup) -> None:
        self._send = send
        self.hangup = hangup
        self._begun = False
        self._ended = False

    async def whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        headers.append((b"content-length", b"%d" % len(body)))
        self._begun = self._ended = True
        self.hangup.close()
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def begin(self, headers: list[tuple[bytes, bytes]]) -> None:
        self._begun = True
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def refuse(self, why: Rejection) -> None:
        """Send an error: as status and body, or as the last frame of a stream under way."""
        body = error_body(why.code, why.message, why.remedy)
        if self._begun:
            # A caller that reads nothing must not hold the task: it then gets no last word.
            try:
                async with asyncio.timeout(_LAST_WORD_S):
                    await self.write(encode_frame(Kind.ERROR, body))
            except TimeoutError:
                self._ended = True
            return
        headers = [_JSON, (b"content-length", b"%d" % len(body))]
        if why.retry_after_s is not None:
            headers.append((b"retry-after", b"%d" % why.retry_after_s))
        if why.status == 413:
            headers.append((b"connection", b"close"))
        self._begun = True
        await self._send({"type": "http.response.start", "status": why.status, "headers": headers})
        await self.write(body)

    async def end(self) -> None:
        if self._begun and not self._ended:
            self._ended = True
            await self._send({"type": "http.response.body", "body": b""})


def _busy(message: str) -> Rejection:
    return Rejection(
        429,
        "busy",
        message,
        "Wait as long as Retry-After says, or ask another miner.",
        retry_after_s=1,
    )


def _unix_ms() -> int:
    return time.time_ns() // 1_000_000
