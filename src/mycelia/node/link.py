"""Between the sealer and its RPC process: length-framed messages over a socket pair that only the two hold.

    u32 length of what follows | u8 kind | u32 ticket | payload            integers little-endian

Extrinsics go over in batches, as many as came in one turn of the event loop, each behind the height for
which its signature was verified (u32), and come back as a verdict each in the same order. News of
blocks and fates goes the other way, in the order in which things happened. Everything else is a call
with JSON arguments. Both ends are this program, started by one parent, so frames are not doubted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from struct import Struct
from typing import Any, Final, cast

import orjson

from mycelia.primitives import AccountId, AppError, InvalidTransaction

HEAD: Final = Struct("<IBI")
_SIZE: Final = Struct("<I")
_HEIGHT: Final = Struct("<I")
_AFTER_LENGTH: Final = HEAD.size - _SIZE.size
_HASH_BYTES: Final = 32
_BATCH: Final = 256
"""Extrinsics in one frame at most: what the sealer judges without a pause."""
_UNSENT_BYTES: Final = 64 * 1024 * 1024


class Kind(IntEnum):
    """What a frame is."""

    SUBMIT = 1
    VERDICTS = 2
    CALL = 3
    RESULT = 4
    SEALED = 5
    FATES = 6
    REVERTED = 7


Handler = Callable[[Kind, int, bytes], None]


class Link(asyncio.Protocol):
    """One end: frames in and out. `on_lost` is called once when the other end is gone."""

    def __init__(self, on_frame: Handler, on_lost: Callable[[], None]) -> None:
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._buffer = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # One that can be written, on a stream socket; uvloop's does not derive from asyncio's.
        self._transport = cast("asyncio.WriteTransport", transport)

    def connection_lost(self, _cause: Exception | None) -> None:
        self._transport = None
        self._on_lost()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= HEAD.size:
            length, kind, ticket = HEAD.unpack_from(buffer, at)
            end = at + _SIZE.size + length
            if len(buffer) < end:
                break
            payload = bytes(buffer[at + HEAD.size : end])
            at = end
            self._on_frame(Kind(kind), ticket, payload)
        del buffer[:at]

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    @property
    def is_behind(self) -> bool:
        """Whether so much is unsent that the other end can't be keeping up."""
        return (
            self._transport is not None and self._transport.get_write_buffer_size() > _UNSENT_BYTES
        )

    def send(self, kind: Kind, ticket: int, payload: bytes = b"") -> None:
        """Queue a frame; nothing happens if the other end is gone."""
        if self._transport is not None:
            self._transport.write(HEAD.pack(_AFTER_LENGTH + len(payload), kind, ticket) + payload)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def pack(items: Iterable[bytes]) -> bytes:
    """Byte strings in a row, each with its length."""
    parts = []
    for item in items:
        parts.append(_SIZE.pack(len(item)))
        parts.append(item)
    return b"".join(parts)


def unpack(data: bytes) -> Iterator[bytes]:
    """What was packed."""
    at = 0
    while at < len(data):
        (length,) = _SIZE.unpack_from(data, at)
        at += _SIZE.size
        yield data[at : at + length]
        at += length


def encode_submission(raw: bytes, height: int) -> bytes:
    """An extrinsic that was verified for a block of a height; see `decode_submission`."""
    return _HEIGHT.pack(height) + raw


def decode_submission(data: bytes) -> tuple[bytes, int]:
    """An extrinsic, and the height for which it was verified."""
    return data[_HEIGHT.size :], _HEIGHT.unpack_from(data)[0]


def encode_refusal(cause: InvalidTransaction) -> bytes:
    """A refusal for the other process; see `decode_refusal`."""
    return orjson.dumps([cause.code, cause.message, cause.detail, cause.custom])


class Refused(InvalidTransaction):
    """A refusal that happened in the sealer, with its code and texts."""

    def __init__(self, code: int, message: str, detail: str, custom: int | None) -> None:
        super().__init__(detail, custom=custom)
        self.code, self.message = code, message


_STATUSES: Final = {b"\0": "ready", b"\1": "future"}
STATUS_BYTE: Final = {name: byte for byte, name in _STATUSES.items()}


class SealerClient:
    """The RPC's end: satisfies `mycelia.rpc.Sealer`."""

    def __init__(self, on_news: Handler, on_lost: Callable[[], None]) -> None:
        self._on_news = on_news
        self._on_lost = on_lost
        self.link = Link(self._on_frame, self._lost)
        self._ticket = 0
        self._waiting: dict[int, list[asyncio.Future[Any]]] = {}
        self._batch: list[bytes] = []
        self._futures: list[asyncio.Future[Any]] = []

    def submit(self, raw: bytes, height: int) -> asyncio.Future[str]:
        """Let an extrinsic wait that was verified for this height: "ready" or "future", or `InvalidTransaction`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()
        if self._refuse_if_gone(future):
            return future
        if not self._batch:
            loop.call_soon(self._flush)
        self._batch.append(encode_submission(raw, height))
        self._futures.append(future)
        if len(self._batch) >= _BATCH:
            self._flush()
        return future

    def next_nonce(self, who: AccountId) -> asyncio.Future[int]:
        """The account's nonce after everything that waits."""
        return self._call("next_nonce", who.hex())

    def pending(self) -> asyncio.Future[list[bytes]]:
        """What waits, oldest first."""
        return self._call("pending", None, _from_hex)

    def seal(self, blocks: int) -> asyncio.Future[list[bytes]]:
        """Seal blocks now; their hashes."""
        return self._call("seal", blocks, _from_hex)

    def seal_epoch(self, netuid: int) -> asyncio.Future[list[bytes]]:
        """Seal up to the block of a subnet's next epoch; the hashes."""
        return self._call("seal_epoch", netuid, _from_hex)

    def snapshot(self) -> asyncio.Future[bytes]:
        """The hash of the head."""
        return self._call("snapshot", None, bytes.fromhex)

    def revert(self, block: bytes) -> asyncio.Future[None]:
        """Make an earlier block the head again."""
        return self._call("revert", block.hex())

    def set_time(self, now_ms: int) -> asyncio.Future[None]:
        """Set the clock of blocks."""
        return self._call("set_time", now_ms)

    def stats(self) -> asyncio.Future[dict[str, int | float]]:
        """Counters of pool and engine."""
        return self._call("stats", None)

    def report(self, counters: dict[str, float]) -> asyncio.Future[None]:
        """Tell what this process did and holds, for the node's metrics."""
        return self._call("report", counters)

    def start(self) -> asyncio.Future[dict[str, Any]]:
        """Where the store is and what the network is called, once the sealer has them."""
        return self._call("start", None)

    def _call(
        self, name: str, argument: Any, read: Callable[[Any], Any] | None = None
    ) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._refuse_if_gone(future):
            return future
        self._ticket += 1
        self._waiting[self._ticket] = [future]
        self.link.send(Kind.CALL, self._ticket, orjson.dumps([name, argument]))
        if read is None:
            return future
        outcome: asyncio.Future[Any] = future.get_loop().create_future()

        def done(finished: asyncio.Future[Any]) -> None:
            if outcome.done():
                return
            error = finished.exception()
            if error is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(read(finished.result()))

        future.add_done_callback(done)
        return outcome

    def _refuse_if_gone(self, future: asyncio.Future[Any]) -> bool:
        if self.link.is_open and not self.link.is_behind:
            return False
        future.set_exception(ConnectionError("The sealer does not take anything now."))
        return True

    def _flush(self) -> None:
        if not self._batch:
            return
        self._ticket += 1
        self._waiting[self._ticket] = self._futures
        self.link.send(Kind.SUBMIT, self._ticket, pack(self._batch))
        self._batch, self._futures = [], []

    def _on_frame(self, kind: Kind, ticket: int, payload: bytes) -> None:
        if kind is Kind.VERDICTS:
            self._verdicts(self._waiting.pop(ticket), payload)
        elif kind is Kind.RESULT:
            self._result(self._waiting.pop(ticket)[0], payload)
        else:
            self._on_news(kind, ticket, payload)

    def _verdicts(self, futures: list[asyncio.Future[Any]], payload: bytes) -> None:
        for future, verdict in zip(futures, unpack(payload), strict=True):
            if future.done():
                continue
            status = _STATUSES.get(verdict)
            if status is not None:
                future.set_result(status)
            else:
                future.set_exception(Refused(*orjson.loads(verdict)))

    def _result(self, future: asyncio.Future[Any], payload: bytes) -> None:
        result, error = orjson.loads(payload)
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(AppError(*error))

    def _lost(self) -> None:
        for futures in [*self._waiting.values(), self._futures]:
            for future in futures:
                if not future.done():
                    future.set_exception(ConnectionError("The sealer is gone."))
        self._waiting.clear()
        self._batch, self._futures = [], []
        self._on_lost()


def encode_sealed(header: bytes, included: Iterable[bytes]) -> bytes:
    """News of a block: its header and the hashes of its extrinsics."""
    return _SIZE.pack(len(header)) + header + b"".join(included)


def decode_sealed(data: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """Header bytes and extrinsic hashes."""
    (length,) = _SIZE.unpack_from(data)
    start = _SIZE.size + length
    hashes = tuple(data[at : at + _HASH_BYTES] for at in range(start, len(data), _HASH_BYTES))
    return data[_SIZE.size : start], hashes


def _from_hex(items: list[str]) -> list[bytes]:
    return [bytes.fromhex(item) for item in items]
