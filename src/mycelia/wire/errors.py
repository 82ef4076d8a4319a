"""What can go wrong between a caller and a miner, each with a stable code and a remedy.

A server answers with a `Rejection`; the caller sees it as `Refused`. The other classes are raised
on the caller's side only, about the connection or about what the miner sent.
"""

from __future__ import annotations

from mycelia.primitives.errors import AppError

DEADLINE_EXCEEDED = "deadline_exceeded"
"""The code by which a server says that the caller's deadline passed."""


class WireError(AppError):
    """A signed request did not lead to a usable, signed reply."""


class StatusError(WireError):
    """An error that travels as an HTTP status with a JSON body of code, message and remedy.

    `retry_after_s` is set when the miner is merely busy.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        remedy: str,
        *,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(code, message, remedy)
        self.status = status
        self.retry_after_s = retry_after_s


class Rejection(StatusError):
    """Raised inside a server: the request is refused.

    Handlers may raise it too, for instance with status 422 for a body they cannot parse. The
    message reaches the caller word for word, so it must hold no secret and no internal detail.
    """


class Refused(StatusError):
    """The miner answered with an error status instead of a reply."""

    @property
    def is_capacity(self) -> bool:
        """The miner is healthy but full: no fault of its own, try another one."""
        return self.status == 429 or (self.status == 503 and self.retry_after_s is not None)


class Timeout(WireError):
    """The deadline passed before the reply, or its first byte, arrived."""


class Unreachable(WireError):
    """No connection, or it broke before the reply was complete."""


class Malformed(WireError):
    """The miner's reply is not in the form of this protocol, or exceeds its limits."""


class BadReceipt(WireError):
    """The reply carries no receipt, or one that the miner's hotkey did not sign."""
