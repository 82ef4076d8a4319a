"""Reads a request's body within bounds, and gets rid of one that exceeds them."""

from __future__ import annotations

import asyncio
import contextlib

from mycelia.wire.errors import Rejection
from mycelia.wire.hangup import Receive

_LINGER_S = 1.0


async def read_body(receive: Receive, limit_bytes: int, limit_s: float) -> bytes:
    """Return the whole body. Raises `Rejection` 413, 408, or 400 when the caller hangs up."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limit_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Rejection(
                        400, "body_incomplete", "The caller hung up.", "Send the whole body."
                    )
                part: bytes = message.get("body", b"")
                size += len(part)
                if size > limit_bytes:
                    raise too_large(limit_bytes)
                parts.append(part)
                if not message.get("more_body", False):
                    return parts[0] if len(parts) == 1 else b"".join(parts)
    except TimeoutError:
        raise Rejection(
            408,
            "body_timeout",
            f"The body did not arrive within {limit_s:g} s.",
            "Send the body at once.",
        ) from None


def too_large(limit_bytes: int) -> Rejection:
    """Say that a body is longer than allowed, as error to raise."""
    return Rejection(
        413,
        "body_too_large",
        f"The body exceeds the limit of {limit_bytes} bytes.",
        "Send a smaller request.",
    )


async def linger(receive: Receive) -> None:
    """Swallow what is left of an oversized body for a moment.

    Closing at once would reset the connection and destroy the answer before the caller read it.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return
