"""How much each stranger, and each known caller, may ask for.

Two kinds, since they guard against different people. Before a signature was checked nobody is
known but by address: an address pays for each refusal it causes, and one that has spent its
credit is not listened to for a while. Honest callers cause none, so they share an address with a
nuisance at worst. After the check a hotkey pays for each request. It never pays before: otherwise
a stranger could use up an honest caller's credit in its name.
"""

from __future__ import annotations

import time
from ipaddress import IPv6Address

_MOST = 16_384


def source_of(address: str) -> str:
    """Return whom an IP address stands for: itself; of IPv6, its network of 64 bits.

    Who has one address of such a network has all of them. The first network of all is none: its
    addresses are this machine's, or those of IPv4 in other words.
    Source: RFC 4291, sections 2.5.1 and 2.5.5.
    """
    if ":" not in address:
        return address
    network = IPv6Address(address).packed[:8]
    return f"{IPv6Address(network + bytes(8))}/64" if any(network) else address


class Buckets:
    """One token bucket per key, refilled at `per_s` up to `burst`.

    Full buckets are forgotten, so memory is bounded by the keys that were active within the time
    that a refill takes, and by a fixed number of them.
    """

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._fill_s = burst / per_s
        # Of each key the moment at which its bucket will be full.
        self._full_at_s: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._full_at_s)

    def take(self, key: str, now_s: float | None = None) -> bool:
        """Take one token; False if there is none."""
        now_s = time.monotonic() if now_s is None else now_s
        full_at_s = max(self._full_at_s.get(key, 0.0), now_s) + 1 / self._per_s
        if full_at_s - now_s > self._fill_s:
            return False
        if len(self._full_at_s) >= _MOST:
            self._forget(now_s)
        self._full_at_s[key] = full_at_s
        return True

    def is_empty(self, key: str, now_s: float | None = None) -> bool:
        """Say whether `take` would fail, without taking."""
        full_at_s = self._full_at_s.get(key)
        if full_at_s is None:
            return False
        now_s = time.monotonic() if now_s is None else now_s
        return full_at_s + 1 / self._per_s - now_s > self._fill_s

    def wait_s(self, key: str, now_s: float | None = None) -> float:
        """Seconds until there is a token."""
        now_s = time.monotonic() if now_s is None else now_s
        full_at_s = max(self._full_at_s.get(key, 0.0), now_s)
        return max(0.0, full_at_s + 1 / self._per_s - now_s - self._fill_s)

    def _forget(self, now_s: float) -> None:
        """Drop the full buckets; if that is not enough, all: generous to the many, briefly."""
        self._full_at_s = {k: v for k, v in self._full_at_s.items() if v > now_s}
        if len(self._full_at_s) >= _MOST:
            self._full_at_s.clear()
