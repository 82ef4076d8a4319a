"""The words both ends of a signed request share: who, what, until when, and how much.

Terms: *hotkey* - ss58 address that names a neuron; *authority* - the set of hotkeys a miner
serves; *deadline* - moment on the monotonic clock of this process, carried between processes as
the milliseconds that remain, so that clocks need not agree.

Values of which each request needs a new one are not frozen: setting a field of a frozen one is a
call. Nobody changes them all the same.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

MIB = 1024 * 1024


class Signer(Protocol):
    """The part of `bittensor_core.Keypair` that signing needs."""

    @property
    def ss58_address(self) -> str: ...
    @property
    def crypto_type(self) -> int: ...
    def sign(self, data: bytes, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a neuron is reached, and the hotkey that must sign what it answers."""

    hotkey: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.hotkey[:8]} at {self.host}:{self.port}"


@dataclass(slots=True)
class Deadline:
    """A moment on this process's monotonic clock, in seconds."""

    at_s: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.at_s - time.monotonic())


class Usage(NamedTuple):
    """What a request took, in tokens; neither is negative."""

    tokens_in: int
    tokens_out: int


@dataclass(slots=True)
class Inbound:
    """One authenticated request: `caller` has signed exactly this path and body."""

    path: str
    body: bytes
    caller: str
    deadline: Deadline
    usage: Usage | None = None
    """For the handler to set before it ends; the receipt says it."""


Unary = Callable[[Inbound], Awaitable[bytes]]
Streaming = Callable[[Inbound], AsyncIterator[bytes]]
Handler = Unary | Streaming


class Authority(Protocol):
    """Decides which hotkeys are served. Asked once per request, so it must be a lookup."""

    def allows(self, hotkey: str, /) -> bool: ...


class AllowSet:
    """An `Authority` over a set that the owner replaces as a whole, e.g. once per block."""

    def __init__(self, hotkeys: Iterable[str] = ()) -> None:
        self._hotkeys = frozenset(hotkeys)

    def replace(self, hotkeys: Iterable[str]) -> None:
        self._hotkeys = frozenset(hotkeys)

    def allows(self, hotkey: str, /) -> bool:
        return hotkey in self._hotkeys


@dataclass(frozen=True, slots=True)
class WireLimits:
    """Everything a server bounds. Sizes in bytes, times in seconds, the rest counts.

    A caller's own deadline can only shorten `deadline_s`. `max_age_s` and `max_ahead_s` are the
    freshness window of `btauth/1`; requests are remembered for that long, at most
    `replay_entries` of them: beyond that new ones are refused, since forgetting admits replays.
    `unverified_bodies` bounds how many bodies are buffered at once for callers that send no
    Content-Digest, whose signature can be checked only afterwards; `unverified_per_address` of
    those places are for one address, so that no single peer holds them all.

    An address may cause `strikes` refusals at once and `strikes_per_s` in the long run; then it
    is not listened to. A hotkey may send `burst` requests at once and `per_hotkey_s` per second.
    """

    body_bytes: int = MIB
    head_bytes: int = 16 * 1024
    deadline_s: float = 60.0
    head_s: float = 5.0
    body_s: float = 10.0
    inflight: int = 64
    connections: int = 512
    per_address: int = 256
    """Connections from one IP address."""
    idle_s: float = 75.0
    """How long a connection is kept after an answer."""
    strikes: float = 1000.0
    strikes_per_s: float = 100.0
    burst: float = 1000.0
    per_hotkey_s: float = 500.0
    max_age_s: float = 10.0
    max_ahead_s: float = 2.0
    replay_entries: int = 200_000
    unverified_bodies: int = 16
    unverified_per_address: int = 4
