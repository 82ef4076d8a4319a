"""A few counters in Prometheus' text form."""

from __future__ import annotations

from collections import Counter


class Metrics:
    """Counts requests by path and status, and attempts by subnet and outcome.

    Labels come from closed sets (known paths, statuses, subnets, error codes of ours), except the
    codes that miners invent: those count as one.
    """

    _CODES = frozenset(
        {
            "ok", "too_slow", "timeout", "unreachable", "malformed_reply", "malformed_answer",
            "reply_too_large", "bad_receipt", "busy", "not_permitted", "handler_failed",
        }
    )  # fmt: skip

    def __init__(self) -> None:
        self.inflight = 0
        self._requests: Counter[tuple[str, int]] = Counter()
        self._attempts: Counter[tuple[str, str]] = Counter()

    @property
    def requests(self) -> int:
        """Requests answered so far, whatever the status."""
        return sum(self._requests.values())

    def request(self, path: str, status: int) -> None:
        """Count an answered request. `path` must be one of few."""
        self._requests[path, status] += 1

    def attempt(self, subnet: str, code: str) -> None:
        """Count how one request to one miner ended."""
        self._attempts[subnet, code if code in self._CODES else "other"] += 1

    def text(self) -> str:
        """Return everything, as Prometheus reads it."""
        lines = ["# TYPE mycelia_gateway_requests_total counter"]
        lines += [
            f'mycelia_gateway_requests_total{{path="{path}",status="{status}"}} {count}'
            for (path, status), count in sorted(self._requests.items())
        ]
        lines.append("# TYPE mycelia_gateway_attempts_total counter")
        lines += [
            f'mycelia_gateway_attempts_total{{subnet="{subnet}",outcome="{code}"}} {count}'
            for (subnet, code), count in sorted(self._attempts.items())
        ]
        lines += [
            "# TYPE mycelia_gateway_inflight gauge",
            f"mycelia_gateway_inflight {self.inflight}",
        ]
        return "\n".join(lines) + "\n"
