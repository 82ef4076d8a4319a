"""Who is asked first, who next, and who not at all for a while.

Score of a miner: `incentive / (first_byte * (inflight + 1))`, where the incentive is what
validators think of its answers, and the rest is what this gateway measured itself. Requests are
spread in proportion to the scores, and the order of the others is the order of failing over.

Terms: *breaker* - after failures a miner is left alone for a time that doubles; then one request
tries it again. It is open while the miner is left alone.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mycelia.gateway.directory import Route

CUT = 0.05
"""Below this fraction of the best incentive a miner is not asked at all: validators found it out."""
SMOOTHING = 0.3
"""Weight of the newest latency."""
UNKNOWN_FIRST_BYTE_S = 0.3
"""Assumed of a miner not yet measured; rather quick, so that it gets measured."""
PATIENCE = 4.0
"""A first byte may take this many times its usual time before the next miner is asked."""
LEAST_PATIENCE_S = 1.5
FIRST_PATIENCE_S = 2.5
"""For miners not yet measured."""
FAILURES_TO_OPEN = 3
OPEN_S = 5.0
LONGEST_OPEN_S = 300.0


@dataclass(slots=True)
class Health:
    """What this gateway knows of one miner at first hand."""

    first_byte_s: float | None = None
    inflight: int = 0
    failures: int = 0
    """In a row."""
    openings: int = 0
    """Of the breaker, in a row."""
    closed_from_s: float = 0.0
    """Monotonic time until which the miner is left alone."""
    probing: bool = False
    """The one request after the breaker was open is under way."""

    def is_open(self, now_s: float) -> bool:
        """Say whether the miner is to be left alone now."""
        return now_s < self.closed_from_s or self.probing

    def score(self, incentive: float) -> float:
        """Return how much to ask of a miner, in proportion to others."""
        first_byte_s = self.first_byte_s or UNKNOWN_FIRST_BYTE_S
        # Before the first epoch all incentives are zero and all miners equal.
        return (incentive or 1e-9) / (first_byte_s * (self.inflight + 1))


class Router:
    """Orders routes, and learns from how requests to them went."""

    def __init__(
        self,
        *,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._clock = clock
        self._health: dict[str, Health] = {}

    def health(self, hotkey: str) -> Health:
        """Return what is known of a miner, for the router's own bookkeeping and for display."""
        found = self._health.get(hotkey)
        if found is None:
            found = self._health[hotkey] = Health()
        return found

    def order(self, routes: Iterable[Route]) -> list[Route]:
        """Return the miners to ask, first choice first; empty if there is none.

        If the breaker of every worthy miner is open, they are asked all the same.
        """
        candidates = list(routes)
        least = CUT * max((route.incentive for route in candidates), default=0.0)
        now_s = self._clock()
        closed: list[tuple[float, Route]] = []
        opened: list[tuple[float, Route]] = []
        for route in candidates:
            if route.incentive < least:
                continue
            health = self.health(route.endpoint.hotkey)
            # Sorted by -ln(u)/score: drawn without replacement, odds in proportion to scores.
            draw = -math.log(1.0 - self._rng.random()) / health.score(route.incentive)
            (opened if health.is_open(now_s) else closed).append((draw, route))
        return [route for _, route in sorted(closed or opened, key=_draw)]

    def patience_s(self, route: Route, longest_s: float) -> float:
        """Return how long to wait for this miner's first byte before asking another."""
        usual_s = self.health(route.endpoint.hotkey).first_byte_s
        patience_s = (
            FIRST_PATIENCE_S if usual_s is None else max(LEAST_PATIENCE_S, PATIENCE * usual_s)
        )
        return min(patience_s, longest_s)

    def began(self, route: Route) -> None:
        """Note that a request is sent. Each must end in `ended`."""
        health = self.health(route.endpoint.hotkey)
        health.inflight += 1
        health.probing = health.openings > 0

    def ended(self, route: Route) -> None:
        """Note that a request is over, however it went."""
        health = self.health(route.endpoint.hotkey)
        health.inflight -= 1
        health.probing = False

    def answered(self, route: Route, first_byte_s: float) -> None:
        """Note a first byte: closes the breaker."""
        health = self.health(route.endpoint.hotkey)
        before_s = health.first_byte_s
        health.first_byte_s = (
            first_byte_s if before_s is None else before_s + SMOOTHING * (first_byte_s - before_s)
        )

    def succeeded(self, route: Route) -> None:
        """Note a complete answer with a good receipt."""
        health = self.health(route.endpoint.hotkey)
        health.failures = health.openings = 0

    def stalled(self, route: Route, waited_s: float) -> None:
        """Note that no first byte came in time: a failure, and a lower bound of the latency."""
        self.answered(route, waited_s)
        self.failed(route)

    def failed(self, route: Route, *, at_once: bool = False) -> None:
        """Note a failure that is the miner's. `at_once` opens the breaker without waiting."""
        health = self.health(route.endpoint.hotkey)
        health.failures += 1
        if at_once or health.openings or health.failures >= FAILURES_TO_OPEN:
            # The exponent is bounded so that the power stays a small number.
            open_s = min(LONGEST_OPEN_S, OPEN_S * 2 ** min(health.openings, 10))
            health.openings += 1
            health.closed_from_s = self._clock() + open_s

    def rest(self, route: Route, seconds: float) -> None:
        """Leave a miner alone that said it is busy: no failure of its own."""
        health = self.health(route.endpoint.hotkey)
        health.closed_from_s = max(
            health.closed_from_s, self._clock() + min(seconds, LONGEST_OPEN_S)
        )

    def forget(self, hotkeys: Iterable[str]) -> None:
        """Drop what is known of all miners but these, unless a request is under way."""
        kept = set(hotkeys)
        self._health = {k: v for k, v in self._health.items() if k in kept or v.inflight}


def _draw(drawn: tuple[float, Route]) -> float:
    return drawn[0]
