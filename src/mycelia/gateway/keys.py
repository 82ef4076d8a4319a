"""Who may use the gateway, and how often.

Keys are kept as digests: who reads the file cannot use them. Without a file the gateway is open,
and everybody who reaches it shares one account; a file without keys admits nobody.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mycelia.gateway.errors import ApiError
from mycelia.primitives.errors import AppError
from mycelia.wire.buckets import Buckets

_PREFIX = "myc-"
_LONGEST = 256
_EDIT_S = 10.0
"""How long an edit waits for another one, which takes milliseconds."""
_TURN_S = 0.02


@dataclass(frozen=True, slots=True)
class Account:
    """Who pays for a request."""

    name: str
    per_minute: float | None = None
    """Requests; None for no bound."""


OPEN = Account("open")
"""Everybody's, on a gateway without keys."""


class KeyFileError(AppError):
    """The file of keys cannot be used, or does not hold what was asked for."""


class Entry(BaseModel):
    """What stands in the file for one account."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(min_length=1, max_length=64, pattern=r"^[\w.@-]+$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    per_minute: float | None = Field(default=None, gt=0)


class Keys:
    """Accounts by the digest of their keys; None instead of accounts opens the gateway."""

    def __init__(self, accounts: Mapping[str, Account] | None = None) -> None:
        self._accounts: Mapping[str, Account] | None = None
        self._buckets: dict[Account, Buckets] = {}
        if accounts is not None:
            self.replace(accounts)

    def replace(self, accounts: Mapping[str, Account]) -> None:
        """Let these in from now on. Who stays with the same rate has spent what it had spent."""
        self._accounts = accounts
        self._buckets = {
            account: self._buckets.get(account)
            or Buckets(account.per_minute / 60, max(1.0, account.per_minute / 2))
            for account in accounts.values()
            if account.per_minute is not None
        }

    def account(self, authorization: bytes | None) -> Account:
        """Return whose key this header holds. Raises `ApiError` 401 if nobody's, 429 if spent."""
        if self._accounts is None:
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
        bucket = self._buckets.get(account)
        if bucket is not None and not bucket.take(account.name):
            raise ApiError(
                429,
                "rate_limit",
                "This key has used up its requests for now.",
                "Send fewer per minute.",
                retry_after_s=1 + int(bucket.wait_s(account.name)),
            )
        return account


class KeyFile:
    """A JSON list of `{"name", "sha256", "per_minute"}`, replaced as a whole at each change.

    Edits take turns by a lock file beside it; who reads needs no lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._version: tuple[int, int, int] | None = None

    def entries(self) -> list[Entry]:
        """Return what the file holds. Raises `KeyFileError`, also if there is none."""
        try:
            found = [Entry.model_validate(entry) for entry in json.loads(self.path.read_bytes())]
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise KeyFileError(
                "key_file",
                f"The keys in {self.path} cannot be read: {type(error).__name__}.",
                "Make the file with `mycelia gateway key new NAME --keys FILE`.",
            ) from error
        return found

    def accounts(self) -> dict[str, Account]:
        """Return the accounts by the digest of their keys. Raises `KeyFileError`."""
        return {entry.sha256: Account(entry.name, entry.per_minute) for entry in self.entries()}

    def changed(self) -> bool:
        """Say whether the file is another one than when this was last asked."""
        try:
            seen = self.path.stat()
        except OSError:
            return False  # What was read stays good: a file that is gone admits nobody new.
        before, self._version = self._version, (seen.st_ino, seen.st_mtime_ns, seen.st_size)
        return before != self._version

    def add(self, name: str, per_minute: float | None = None) -> str:
        """Make a key for a new account and return it: it is kept nowhere. Raises `KeyFileError`."""
        key = _PREFIX + secrets.token_urlsafe(32)
        try:
            entry = Entry(name=name, sha256=digest_of(key.encode()), per_minute=per_minute)
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise KeyFileError(
                "bad_key",
                f"An account cannot have this {where}.",
                "Names are up to 64 letters, digits and _.@-; a rate is above zero.",
            ) from error
        with self._turn():
            known = self.entries() if self.path.exists() else []
            if any(other.name == name for other in known):
                raise KeyFileError(
                    "key_exists",
                    f"{self.path} holds a key of {name}.",
                    "Revoke that one first, or choose another name.",
                )
            self._save([*known, entry])
        return key

    def revoke(self, name: str) -> None:
        """Take an account's key out. Raises `KeyFileError` if there is none."""
        with self._turn():
            known = self.entries()
            left = [entry for entry in known if entry.name != name]
            if len(left) == len(known):
                raise KeyFileError(
                    "key_unknown",
                    f"{self.path} holds no key of {name}.",
                    "See `mycelia gateway key list`.",
                )
            self._save(left)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Keep others from editing meanwhile: of two at once, one would be lost."""
        beside = self.path.with_name(self.path.name + ".lock")
        try:
            lock = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            until_s = time.monotonic() + _EDIT_S
            while not _locks(lock):
                if time.monotonic() > until_s:
                    raise KeyFileError(
                        "key_file_busy",
                        f"Another program has been editing {self.path} for {_EDIT_S:g} s.",
                        "End the `mycelia gateway key` that hangs, and try again.",
                    )
                time.sleep(_TURN_S)
            yield
        finally:
            os.close(lock)  # and with it the lock is let go, as when a process dies

    def _save(self, entries: Sequence[Entry]) -> None:
        """Replace the file, atomically and for the owner's eyes. Raises `KeyFileError`."""
        text = json.dumps([entry.model_dump(exclude_none=True) for entry in entries], indent=2)
        scratch = self.path.with_name(self.path.name + ".new")
        try:
            scratch.unlink(missing_ok=True)
            with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as f:
                f.write(text + "\n")
                f.flush()
                os.fsync(f.fileno())
            scratch.replace(self.path)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> KeyFileError:
        return KeyFileError(
            "key_file", f"{self.path} cannot be written: {error.strerror}.", "Check its folder."
        )


def _locks(file: int) -> bool:
    """Lock a file if nobody else has, and say whether."""
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def digest_of(key: bytes) -> str:
    """Return what stands for a key in the file."""
    return hashlib.sha256(key).hexdigest()
