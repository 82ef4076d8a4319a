"""What a connection refuses by itself, whatever it serves: each as an error to raise or to send."""

from __future__ import annotations

from mycelia.wire.errors import Rejection


def no_room() -> Rejection:
    """Say that a port has no connection left for this caller."""
    return Rejection(
        503,
        "too_many_connections",
        "This port holds as many connections as it may.",
        "Try again later, and reuse connections.",
        retry_after_s=1,
    )


def not_http() -> Rejection:
    """Say that a caller speaks something else."""
    return Rejection(
        400,
        "not_http",
        "The bytes received are not an HTTP/1.1 request.",
        "Speak plain HTTP/1.1 to this port.",
    )


def upgrade_declined() -> Rejection:
    """Say that no other protocol is spoken. With one, the parser takes the body for its bytes."""
    return Rejection(
        400,
        "upgrade_declined",
        "The request has a body and offers another protocol, which this port does not speak.",
        "Send it without the Upgrade header.",
    )


def head_too_large(limit_bytes: int) -> Rejection:
    """Say that a head is longer than allowed."""
    return Rejection(
        431,
        "head_too_large",
        f"The request line and headers exceed {limit_bytes} bytes.",
        "Send fewer and shorter headers.",
    )


def head_timeout(limit_s: float) -> Rejection:
    """Say that a head took too long."""
    return Rejection(
        408,
        "head_timeout",
        f"No complete request head arrived within {limit_s:g} s.",
        "Open the connection when there is something to send, and send it at once.",
    )


def body_too_large(limit_bytes: int) -> Rejection:
    """Say that a body is longer than allowed."""
    return Rejection(
        413,
        "body_too_large",
        f"The body exceeds the limit of {limit_bytes} bytes.",
        "Send a smaller request.",
    )


def body_timeout(limit_s: float) -> Rejection:
    """Say that a body took too long."""
    return Rejection(
        408,
        "body_timeout",
        f"The body did not arrive within {limit_s:g} s.",
        "Send the body at once.",
    )
