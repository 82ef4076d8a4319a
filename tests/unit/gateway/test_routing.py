"""Who is asked: merit, speed, load, and the breaker."""

import random
from collections import Counter

import pytest

from mycelia.gateway.directory import Route
from mycelia.gateway.routing import OPEN_S, Router
from mycelia.wire import Endpoint


def _route(name: str, incentive: float) -> Route:
    return Route(Endpoint(name, "127.0.0.1", 1), "text", 1, 0, incentive)


A, B, C = _route("a", 0.5), _route("b", 0.3), _route("c", 0.2)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def router(clock) -> Router:
    return Router(rng=random.Random(1), clock=clock)


def _first(router: Router, routes: list[Route], draws: int = 2000) -> Counter[str]:
    return Counter(router.order(routes)[0].endpoint.hotkey for _ in range(draws))


def test_nobody_to_ask(router):
    assert router.order([]) == []


def test_shares_follow_incentive(router):
    shares = _first(router, [A, B, C])
    assert shares["a"] == pytest.approx(1000, rel=0.15)
    assert shares["b"] == pytest.approx(600, rel=0.15)
    assert shares["c"] == pytest.approx(400, rel=0.15)


def test_every_worthy_miner_is_in_line_once(router):
    for _ in range(50):
        assert sorted(r.endpoint.hotkey for r in router.order([C, A, B])) == ["a", "b", "c"]


def test_who_earns_next_to_nothing_is_never_asked(router):
    cheats = [_route("cheat", 0.02), _route("canned", 0.0)]
    asked = {r.endpoint.hotkey for _ in range(200) for r in router.order([A, *cheats])}
    assert asked == {"a"}


def test_before_the_first_epoch_all_are_asked(router):
    assert set(_first(router, [_route("a", 0.0), _route("b", 0.0)])) == {"a", "b"}


def test_quick_miners_get_more(router):
    slow, quick = _route("slow", 0.5), _route("quick", 0.5)
    router.answered(slow, 0.9)
    router.answered(quick, 0.1)
    assert _first(router, [slow, quick])["quick"] == pytest.approx(1800, rel=0.1)


def test_loaded_miners_get_less_until_they_are_done(router):
    one, two = _route("one", 0.5), _route("two", 0.5)
    for _ in range(3):
        router.began(one)
    assert _first(router, [one, two])["one"] == pytest.approx(400, rel=0.2)
    for _ in range(3):
        router.ended(one)
    assert _first(router, [one, two])["one"] == pytest.approx(1000, rel=0.1)


def test_latency_is_smoothed(router):
    router.answered(A, 1.0)
    router.answered(A, 2.0)
    assert router.health("a").first_byte_s == pytest.approx(1.3)


def test_three_failures_open_the_breaker_and_time_closes_it(router, clock):
    for _ in range(2):
        router.failed(A)
    assert A in router.order([A, B])
    router.failed(A)
    assert router.order([A, B]) == [B]
    clock.now_s += OPEN_S
    assert A in router.order([A, B])


def test_success_in_between_keeps_it_closed(router):
    for _ in range(5):
        router.failed(A)
        router.succeeded(A)
    assert A in router.order([A, B])


def test_one_request_probes_and_its_failure_opens_for_longer(router, clock):
    router.failed(A, at_once=True)
    clock.now_s += OPEN_S
    router.began(A)
    assert router.order([A, B]) == [B]
    router.failed(A)
    router.ended(A)
    clock.now_s += OPEN_S
    assert router.order([A, B]) == [B]
    clock.now_s += OPEN_S
    assert A in router.order([A, B])


def test_a_probe_that_succeeds_closes_the_breaker(router, clock):
    router.failed(A, at_once=True)
    clock.now_s += OPEN_S
    router.began(A)
    router.succeeded(A)
    router.ended(A)
    router.began(A)
    assert A in router.order([A, B])


def test_the_opening_time_is_bounded(router, clock):
    for _ in range(100):
        router.failed(A, at_once=True)
    clock.now_s += 300.0
    assert A in router.order([A, B])


def test_if_all_are_open_they_are_asked_all_the_same(router):
    for route in (A, B):
        router.failed(route, at_once=True)
    assert set(router.order([A, B])) == {A, B}


def test_a_busy_miner_rests_without_blame(router, clock):
    router.rest(A, 2)
    assert router.order([A, B]) == [B]
    assert router.health("a").failures == 0
    clock.now_s += 2
    assert A in router.order([A, B])


def test_patience_follows_the_usual_time_within_bounds(router):
    assert router.patience_s(A, 20.0) == 2.5
    router.answered(A, 0.05)
    assert router.patience_s(A, 20.0) == 1.5
    router.answered(B, 2.0)
    assert router.patience_s(B, 20.0) == 8.0
    assert router.patience_s(B, 3.0) == 3.0


def test_a_stall_counts_as_failure_and_as_slowness(router):
    router.stalled(A, 2.5)
    assert router.health("a").failures == 1
    assert router.health("a").first_byte_s == 2.5


def test_what_left_the_subnet_is_forgotten_once_idle(router):
    router.answered(A, 1.0)
    router.began(B)
    router.forget([])
    assert router.health("a").first_byte_s is None
    assert router.health("b").inflight == 1
