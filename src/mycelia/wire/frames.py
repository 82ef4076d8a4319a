"""Frames of a streamed reply: kind (one byte), length (four bytes, big-endian), payload.

A stream is any number of data frames and then exactly one receipt frame or one error frame, after
which nothing may follow. Frames are independent of how HTTP cuts the bytes into chunks.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum

from mycelia.wire.errors import Malformed

CONTENT_TYPE = b"application/vnd.mycelia.frames"
_HEAD_BYTES = 5


class Kind(IntEnum):
    """What a payload is: a chunk of the reply, or one of the two ways a stream ends."""

    DATA = 0
    RECEIPT = 1
    ERROR = 2


_KINDS = tuple(Kind)


@dataclass(slots=True)
class Frame:
    """One frame as received."""

    kind: Kind
    payload: bytes


def encode_frame(kind: Kind, payload: bytes) -> bytes:
    """Prefix a payload with its kind and length."""
    return bytes((kind,)) + len(payload).to_bytes(4, "big") + payload


class FrameReader:
    """Cuts received bytes into frames and digests those that the receipt covers.

    `limit_bytes` bounds the whole stream, and with it every buffer.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._received_bytes = 0
        self._buffer = bytearray()
        self._digest = hashlib.sha256()
        self._ended = False

    @property
    def digest(self) -> bytes:
        """SHA-256 of the data frames read so far, their heads included."""
        return self._digest.digest()

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that `data` completes. Raises `Malformed` on anything but a valid stream."""
        self._received_bytes += len(data)
        if self._received_bytes > self._limit_bytes:
            raise reply_too_large(self._limit_bytes)
        self._buffer += data
        buffer, available = self._buffer, len(self._buffer)
        frames: list[Frame] = []
        start = covered = 0
        while available - start >= _HEAD_BYTES and not self._ended:
            kind = buffer[start]
            if kind > Kind.ERROR:
                raise _malformed("unknown kind of frame")
            length = int.from_bytes(buffer[start + 1 : start + _HEAD_BYTES], "big")
            if length > self._limit_bytes:
                raise reply_too_large(self._limit_bytes)
            end = start + _HEAD_BYTES + length
            if end > available:
                break
            frames.append(Frame(_KINDS[kind], bytes(buffer[start + _HEAD_BYTES : end])))
            start = end
            if kind == 0:
                covered = end
            else:
                self._ended = True
        # Data frames come first, so what the receipt covers is one piece.
        self._digest.update(memoryview(buffer)[:covered])
        del self._buffer[:start]
        if self._ended and self._buffer:
            raise _malformed("bytes follow the end of the stream")
        return frames


def reply_too_large(limit_bytes: int) -> Malformed:
    """Say that a miner sent more than the caller allows, as error to raise."""
    return Malformed(
        "reply_too_large",
        f"The miner's reply exceeds the limit of {limit_bytes} bytes.",
        "Ask for less, or raise the client's reply limit.",
    )


def _malformed(message: str) -> Malformed:
    return Malformed(
        "malformed_reply",
        f"The miner's stream is not valid: {message}.",
        "Ask another miner; this one does not answer in the form of this protocol.",
    )
