"""Counters and times in Prometheus' text form."""

from __future__ import annotations

import resource
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mycelia.monitor import Metric

_NAME = "mycelia_gateway"

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
OVERHEAD_BOUNDS_S = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1)


@dataclass(slots=True)
class Histogram:
    """How often a time fell under each bound, in seconds."""

    bounds_s: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    sum_s: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count a time."""
        if not self.counts:
            self.counts = [0] * (len(self.bounds_s) + 1)
        self.counts[bisect_left(self.bounds_s, seconds)] += 1
        self.sum_s += seconds

    def lines(self, name: str, labels: str) -> list[str]:
        """Return the samples, each bucket with all smaller ones, as the format wants it."""
        below, lines = 0, []
        bounds = [*map(str, self.bounds_s), "+Inf"]
        for bound, count in zip(bounds, self.counts, strict=True):
            below += count
            lines.append(f'{name}_bucket{{{labels},le="{bound}"}} {below}')
        return [
            *lines,
            f"{name}_sum{{{labels}}} {self.sum_s:.6f}",
            f"{name}_count{{{labels}}} {below}",
        ]


class Metrics:
    """Counts requests by path and status, refusals by code, attempts by outcome, tokens by model.

    Labels come from closed sets (known paths, statuses, subnets, models, error codes of ours),
    except the codes that miners invent: those count as one.
    """

    _CODES = frozenset(
        {
            "ok", "too_slow", "timeout", "unreachable", "malformed_reply", "malformed_answer",
            "reply_too_large", "bad_receipt", "busy", "not_permitted", "handler_failed",
            "rate_limited", "wrong_claim",
        }
    )  # fmt: skip

    def __init__(self) -> None:
        self.inflight = 0
        self.late_receipts = 0
        """Rows that the disk did not take at once."""
        self._requests: Counter[tuple[str, ...]] = Counter()
        self._refusals: Counter[str] = Counter()
        self._attempts: Counter[tuple[str, ...]] = Counter()
        self._tokens: Counter[tuple[str, ...]] = Counter()
        self._durations: dict[str, Histogram] = {}
        self._first_bytes: dict[str, Histogram] = {}
        self._overheads: dict[str, Histogram] = {}

    @property
    def requests(self) -> int:
        """Requests answered so far, whatever the status."""
        return sum(self._requests.values())

    def request(self, path: str, status: int, seconds: float | None = None) -> None:
        """Count an answered request. `path` must be one of few."""
        self._requests[path, str(status)] += 1
        if seconds is not None:
            _observe(self._durations, path, BOUNDS_S, seconds)

    def refused(self, code: str) -> None:
        """Count an error that a consumer got. `code` must be one of the gateway's own."""
        self._refusals[code] += 1

    def attempt(self, subnet: str, code: str) -> None:
        """Count how one request to one miner ended."""
        self._attempts[subnet, code if code in self._CODES else "other"] += 1

    def first_byte(self, subnet: str, seconds: float) -> None:
        """Count how long a miner took to begin its answer."""
        _observe(self._first_bytes, subnet, BOUNDS_S, seconds)

    def overhead(self, path: str, seconds: float) -> None:
        """Count what the gateway itself added to an answer."""
        _observe(self._overheads, path, OVERHEAD_BOUNDS_S, seconds)

    def tokens(self, model: str, prompt: int, completion: int) -> None:
        """Count what was delivered."""
        self._tokens[model, "prompt"] += prompt
        self._tokens[model, "completion"] += completion

    def text(self, miners: Mapping[str, tuple[int, int]] | None = None) -> str:
        """Return everything, as Prometheus reads it.

        `miners` says, by subnet, how many are offered, and how many are withheld.
        """
        lines = [line for metric in self._metrics(miners or {}) for line in metric.lines()]
        for what, about, label, histograms in (
            ("request_seconds", "From a request's body to its last byte.", "path", self._durations),
            ("first_byte_seconds", "Until a miner began.", "subnet", self._first_bytes),
            ("overhead_seconds", "What the gateway itself added.", "path", self._overheads),
        ):
            lines += [f"# HELP {_NAME}_{what} {about}", f"# TYPE {_NAME}_{what} histogram"]
            for key, histogram in sorted(histograms.items()):
                lines += histogram.lines(f"{_NAME}_{what}", f'{label}="{key}"')
        return "\n".join(lines) + "\n"

    def _metrics(self, miners: Mapping[str, tuple[int, int]]) -> Iterable[Metric]:
        yield _by(("path", "status"), "requests_total", "Requests answered.", self._requests)
        about = "Errors that consumers got."
        yield Metric.by("code", f"{_NAME}_refusals_total", about, self._refusals)
        about = "Requests to miners, by how they ended."
        yield _by(("subnet", "outcome"), "attempts_total", about, self._attempts)
        about = "Tokens of answers that were receipted."
        yield _by(("model", "kind"), "tokens_total", about, self._tokens)
        shown: dict[tuple[str, ...], int] = {
            (subnet, state): count
            for subnet, counts in miners.items()
            for state, count in zip(("offered", "withheld"), counts, strict=True)
        }
        about = "Miners that consumers reach, and those that nobody attests."
        yield _by(("subnet", "state"), "miners", about, shown)
        yield Metric.one(f"{_NAME}_inflight", "Requests being served.", self.inflight)
        about = "Receipts that the disk did not take at once."
        yield Metric.one(f"{_NAME}_late_receipts_total", about, self.late_receipts)
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu_s = used.ru_utime + used.ru_stime
        yield Metric.one("process_cpu_seconds_total", "Processor time.", cpu_s)


def _by(
    labels: tuple[str, ...], name: str, about: str, values: Mapping[tuple[str, ...], int]
) -> Metric:
    return Metric(
        f"{_NAME}_{name}",
        about,
        {tuple(zip(labels, key, strict=True)): count for key, count in sorted(values.items())},
    )


def _observe(
    histograms: dict[str, Histogram], key: str, bounds_s: tuple[float, ...], seconds: float
) -> None:
    histogram = histograms.get(key)
    if histogram is None:
        histogram = histograms[key] = Histogram(bounds_s)
    histogram.observe(seconds)
