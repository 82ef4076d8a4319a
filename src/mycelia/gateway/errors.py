"""Errors of the consumer's door, in the form that OpenAI's clients understand.

`{"error": {"message", "type", "param", "code"}}` with the HTTP status that decides whether those
clients try again: they do on 408, 409, 429 and 5xx, unless `x-should-retry` says otherwise.
"""

from __future__ import annotations

import json

from mycelia.primitives.errors import AppError
from mycelia.wire.errors import Refused


class ApiError(AppError):
    """A request that got no answer. `param` names the field at fault, if one is."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        remedy: str,
        *,
        param: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(code, message, remedy)
        self.status = status
        self.param = param
        self.retry_after_s = retry_after_s

    @property
    def kind(self) -> str:
        """Return what OpenAI calls the type of an error."""
        if self.status == 429:
            return "rate_limit_error"
        return "invalid_request_error" if self.status < 500 else "api_error"

    def headers(self) -> dict[str, str]:
        """Return the headers that tell a client whether and when to try again."""
        return {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}

    def body(self) -> bytes:
        """Encode the error as JSON."""
        return json.dumps(
            {
                "error": {
                    "message": f"{self.message} {self.remedy}".strip(),
                    "type": self.kind,
                    "param": self.param,
                    "code": self.code,
                }
            }
        ).encode()


def invalid(message: str, remedy: str, *, param: str | None = None) -> ApiError:
    """Say that the request itself is at fault, as error to raise."""
    return ApiError(400, "invalid_request", message, remedy, param=param)


def unsupported(param: str, why: str) -> ApiError:
    """Say that a known parameter has a value that nothing here can honour, as error to raise."""
    return ApiError(
        400,
        "unsupported_parameter",
        f"The parameter '{param}' is not supported: {why}.",
        "Leave it out.",
        param=param,
    )


def not_attested(subnet: str, miners: int) -> ApiError:
    """Say that miners serve, but none whose claim validators attest, as error to raise."""
    return ApiError(
        503,
        "not_attested",
        f"{miners} miners of subnet '{subnet}' serve, but validators have not yet attested that"
        " one of them runs what it claims.",
        "Try again in some seconds; /v1/models shows what is offered.",
        retry_after_s=5,
    )


def refused_by_all(refusal: Refused) -> ApiError:
    """Say that all miners asked find the same fault with the request, as error to raise."""
    return ApiError(400, refusal.code, refusal.message, refusal.remedy)


def no_miner(subnet: str, reasons: list[str]) -> ApiError:
    """Say that every miner that could have answered failed, as error to raise."""
    tried = f" ({'; '.join(reasons)})" if reasons else ""
    return ApiError(
        503,
        "no_miner",
        f"No miner of subnet '{subnet}' could answer{tried}.",
        "Try again in a moment.",
        retry_after_s=1,
    )
