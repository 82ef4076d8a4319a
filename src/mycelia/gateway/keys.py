"""Who may use the gateway, and how often.

Keys are kept as digests: who reads the file cannot use them. Without any key the gateway is open,
and everybody who reaches it shares one account.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mycelia.gateway.errors import ApiError
from mycelia.primitives.errors import AppError
from mycelia.wire.buckets import Buckets

_PREFIX = "myc-"
_LONGEST = 256


@dataclass(frozen=True, slots=True)
class Account:
    """Who pays for a request."""

    name: str
    per_minute: float | None = None
    """Requests; None for no bound."""


OPEN = Account("open")
"""Everybody's, on a gateway without keys."""


class KeyFileError(AppError):
    """The file of keys cannot be read."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(min_length=1, max_length=64, pattern=r"^[\w.@-]+$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    per_minute: float | None = Field(default=None, gt=0)


class Keys:
    """Accounts by the digest of their keys; none means that the gateway is open."""

    def __init__(self, accounts: dict[str, Account] | None = None) -> None:
        self._accounts = accounts or {}
        self._buckets = {
            account.name: Buckets(account.per_minute / 60, max(1.0, account.per_minute / 2))
            for account in self._accounts.values()
            if account.per_minute is not None
        }

    @classmethod
    def load(cls, path: Path) -> Keys:
        """Read a JSON list of `{"name", "sha256", "per_minute"}`. Raises `KeyFileError`."""
        try:
            entries = [_Entry.model_validate(entry) for entry in json.loads(path.read_bytes())]
        except (OSError, ValueError, TypeError, ValidationError) as error:
            raise KeyFileError(
                "key_file",
                f"The keys in {path} cannot be read: {type(error).__name__}.",
                'Give a JSON list of {"name": ..., "sha256": digest of the key}.',
            ) from error
        return cls({entry.sha256: Account(entry.name, entry.per_minute) for entry in entries})

    def account(self, authorization: bytes | None) -> Account:
        """Return whose key this header holds. Raises `ApiError` 401 if nobody's, 429 if spent."""
        if not self._accounts:
            return OPEN
        scheme, _, key = (authorization or b"")[:_LONGEST].partition(b" ")
        account = None
        if scheme.lower() == b"bearer":
            # Looked up by digest, so the time it takes tells nothing about the keys there are.
            account = self._accounts.get(digest_of(key.strip()))
        if account is None:
            raise ApiError(
                401,
                "invalid_api_key",
                "The API key is missing or unknown.",
                "Send 'Authorization: Bearer KEY' with a key of this gateway.",
            )
        bucket = self._buckets.get(account.name)
        if bucket is not None and not bucket.take(account.name):
            raise ApiError(
                429,
                "rate_limit",
                "This key has used up its requests for now.",
                "Send fewer per minute.",
                retry_after_s=1 + int(bucket.wait_s(account.name)),
            )
        return account


def new_key() -> tuple[str, str]:
    """Make a key; return it, to be shown once, and the digest to keep."""
    key = _PREFIX + secrets.token_urlsafe(32)
    return key, digest_of(key.encode())


def digest_of(key: bytes) -> str:
    """Return what stands for a key in the file."""
    return hashlib.sha256(key).hexdigest()
