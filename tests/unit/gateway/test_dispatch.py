"""Failing over: before anything was handed on, another miner; after that, never."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import ClassVar

import pytest

from mycelia.gateway.directory import Route
from mycelia.gateway.dispatch import Check, Checks, Dispatcher
from mycelia.gateway.errors import ApiError
from mycelia.gateway.metrics import Metrics
from mycelia.gateway.routing import Router
from mycelia.neuron.subnet import Delta, Limits, Reply, Request, Subnet
from mycelia.wire import BadReceipt, Endpoint, Receipt, Refused, Timeout, Unreachable, WireError


class Words(Subnet):
    name: ClassVar[str] = "words"
    limits: ClassVar[Limits] = Limits(deadline_s=2.0, first_byte_s=0.2)

    class Ask(Request):
        text: str

    class Answer(Reply):
        text: str

        @classmethod
        def fold(cls, deltas):
            if deltas[-1].text != ".":
                raise ValueError("cut off")
            return cls(text="".join(delta.text for delta in deltas))

    class Piece(Delta):
        text: str


ASK = Words.Ask(text="?")
DOWN = Unreachable("unreachable", "down", "")
BUSY = Refused(429, "busy", "full", "", retry_after_s=2)
FORGED = BadReceipt("bad_receipt", "forged", "")
HANG = 3600.0
RECEIPT = Receipt("m", "c", b"q" * 32, b"r" * 32, 200, 1, 2, 3, b"k" * 32, "sr25519", b"s" * 64)

# What a miner does, in order: a text is sent, a number of seconds is waited, an error is raised.
Script = list[str | float | WireError]


class Miners:
    """Stands for `WireClient`: each miner follows its script."""

    def __init__(self, **scripts: Script) -> None:
        self.scripts = scripts
        self.receipts: dict[str, Receipt] = {}
        self.asked: list[str] = []
        self.open: set[str] = set()

    async def call(self, endpoint, path, body, deadline_s):
        assert (path, body) == ("/words/1", b'{"text":"?"}')
        async with self.stream(endpoint, "/words/1/stream", body, deadline_s) as chunks:
            got = [
                Words.Piece.model_validate_json(chunk).text
                async for batch in chunks.batches()
                for chunk in batch
            ]

        class Outcome:
            body = Words.Answer(text="".join(got)).model_dump_json().encode()
            receipt = self.receipts.get(endpoint.hotkey, RECEIPT)

        return Outcome()

    @asynccontextmanager
    async def stream(self, endpoint, path, body, deadline_s):
        assert path == "/words/1/stream"
        assert 0 < deadline_s <= 2.0
        name = endpoint.hotkey
        self.asked.append(name)
        self.open.add(name)

        class Chunks:
            receipt = self.receipts.get(name, RECEIPT)

            async def batches(this) -> AsyncIterator[list[bytes]]:  # noqa: N805 - self is outside
                for step in self.scripts[name]:
                    if isinstance(step, str):
                        yield [step.encode() if step.startswith("!") else _piece(step)]
                    elif isinstance(step, WireError):
                        raise step
                    else:
                        await asyncio.sleep(step)

        try:
            yield Chunks()
        finally:
            self.open.discard(name)


def _piece(text: str) -> bytes:
    return Words.Piece(text=text).model_dump_json().encode()


class World:
    """A dispatcher whose router asks miners in the order of their names, best first."""

    def __init__(self, **scripts: Script) -> None:
        self.miners = Miners(**scripts)
        self.metrics = Metrics()
        self.unattested = 0
        self.router = Router(rng=random.Random(1))
        # Tiny steps in merit cannot fix an order that is drawn; a fixed draw does.
        self.router.order = list
        self.dispatcher = Dispatcher(self, self.miners, self.router, self.metrics)

    def routes(self, subnet: str) -> list[Route]:
        assert subnet == "words"
        return [
            Route(Endpoint(name, "h", 1), "words", 1, uid, 0.5)
            for uid, name in enumerate(self.miners.scripts)
        ]

    def withheld(self, subnet: str) -> int:
        return self.unattested

    async def streamed(self, checks: Checks | None = None) -> tuple[str, str]:
        stream = await self.dispatcher.stream(Words, ASK, checks)
        try:
            return stream.route.endpoint.hotkey, "".join(
                [piece.text async for batch in stream.batches() for piece in batch]
            )
        finally:
            await stream.close()

    def is_idle(self) -> bool:
        healths = [self.router.health(name) for name in self.miners.scripts]
        return not self.miners.open and all(health.inflight == 0 for health in healths)


async def test_a_good_miner_is_asked_alone():
    world = World(a=["hi", "."], b=["no", "."])
    assert await world.streamed() == ("a", "hi.")
    assert world.miners.asked == ["a"]
    assert world.router.health("a").first_byte_s is not None
    assert world.is_idle()


@pytest.mark.parametrize(
    "script",
    [[DOWN], [BUSY], [FORGED], [], ["!garbage"], [HANG], [Refused(500, "handler_failed", "", "")]],
    ids=["down", "busy", "forged", "empty", "garbage", "hanging", "failing"],
)
@pytest.mark.parametrize("way", ["stream", "fold", "ask"])
async def test_the_next_miner_answers_if_the_first_sends_nothing(script, way):
    world = World(a=script, b=["yes", "."])
    if way == "stream":
        assert await world.streamed() == ("b", "yes.")
    elif way == "fold":
        answered = await world.dispatcher.fold(Words, ASK)
        assert (answered.route.endpoint.hotkey, answered.reply.text) == ("b", "yes.")
    elif script not in ([], ["!garbage"]):  # the fake folds whole replies itself
        answered = await world.dispatcher.ask(Words, ASK)
        assert (answered.route.endpoint.hotkey, answered.reply.text) == ("b", "yes.")
    assert world.is_idle()


async def test_after_the_first_piece_there_is_no_second_miner():
    world = World(a=["half", DOWN], b=["other", "."])
    stream = await world.dispatcher.stream(Words, ASK)
    got = []

    async def read() -> None:
        async for (piece,) in stream.batches():
            got.append(piece.text)

    with pytest.raises(ApiError) as failed:
        await read()
    await stream.close()
    assert got == ["half"]
    assert failed.value.code == "miner_failed"
    assert world.miners.asked == ["a"]
    assert world.router.health("a").failures == 1
    assert world.is_idle()


def _no_more_than(most: int) -> Checks:
    """Checks by which an answer has so many characters at most."""

    def begun() -> Check:
        seen = []

        def check(pieces: list[Words.Piece]) -> None:
            seen.extend(piece.text for piece in pieces)
            if len("".join(seen)) > most:
                raise ValueError("too long")

        return check

    return begun


async def test_a_piece_that_is_no_answer_to_the_ask_is_the_miners_failure():
    checks = _no_more_than(3)
    world = World(a=["long", "."], b=["ok", "."])
    assert await world.streamed(checks) == ("b", "ok.")
    world = World(a=["ok", "...", "."], b=["ok", "."])
    answered = await world.dispatcher.fold(Words, ASK, checks)
    assert answered.route.endpoint.hotkey == "b"
    # Once something was handed on, it ends there.
    with pytest.raises(ApiError) as failed:
        await world.streamed(checks)
    assert failed.value.code == "miner_failed"
    assert world.router.health("a").failures == 2
    assert world.is_idle()


@pytest.mark.parametrize("end", [DOWN, FORGED, "!garbage"])
async def test_a_whole_answer_is_never_made_of_two(end):
    world = World(a=["half", end], b=["other", "."])
    answered = await world.dispatcher.fold(Words, ASK)
    assert answered.reply.text == "other."
    assert world.is_idle()


@pytest.mark.parametrize("way", ["fold", "ask"])
async def test_an_answer_whose_receipt_states_another_use_is_none(way):
    world = World(a=["many", "."], b=["other", "."])
    world.miners.receipts["a"] = replace(RECEIPT, tokens_in=9, tokens_out=9)
    answered = await getattr(world.dispatcher, way)(Words, ASK)
    assert answered.reply.text == "other."
    assert world.router.health("a").failures == 1


async def test_an_answer_cut_off_without_error_is_not_complete():
    world = World(a=["half"], b=["other", "."])
    assert (await world.dispatcher.fold(Words, ASK)).reply.text == "other."


@pytest.mark.parametrize("fault", ["cut off", "another use"])
async def test_a_streamed_answer_that_ends_wrong_is_said_to_be_incomplete(fault):
    world = World(a=["half"] if fault == "cut off" else ["many", "."])
    if fault == "another use":
        world.miners.receipts["a"] = replace(RECEIPT, tokens_in=9, tokens_out=9)
    with pytest.raises(ApiError, match="malformed_answer"):
        await world.streamed()
    assert world.router.health("a").failures == 1
    assert world.is_idle()


async def test_the_last_in_line_gets_all_the_time_there_is():
    world = World(a=[HANG], b=[0.6, "late", "."])
    assert await world.streamed() == ("b", "late.")


async def test_when_all_fail_the_error_says_why():
    world = World(a=[DOWN], b=[BUSY])
    with pytest.raises(ApiError) as failed:
        await world.streamed()
    assert (failed.value.status, failed.value.code) == (503, "no_miner")
    assert failed.value.retry_after_s == 1
    assert "uid 0: unreachable; uid 1: busy" in failed.value.message
    assert world.is_idle()


async def test_without_miners_the_error_is_the_same():
    with pytest.raises(ApiError) as failed:
        await World().streamed()
    assert failed.value.code == "no_miner"


async def test_miners_that_nobody_attests_are_another_error():
    world = World()
    world.unattested = 3
    with pytest.raises(ApiError) as failed:
        await world.streamed()
    assert (failed.value.status, failed.value.code) == (503, "not_attested")
    assert failed.value.retry_after_s == 5
    assert failed.value.message.startswith("3 miners")


async def test_the_deadline_covers_all_attempts():
    world = World(a=[HANG], b=[Timeout("timeout", "", "")], c=[HANG])
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    with pytest.raises(ApiError) as failed:
        await world.streamed()
    assert failed.value.status == 504
    assert loop.time() - started_s < 30.0
    assert world.is_idle()


async def test_no_more_than_four_are_tried():
    world = World(**{name: [DOWN] for name in "abcdef"})
    with pytest.raises(ApiError):
        await world.streamed()
    assert world.miners.asked == list("abcd")


async def test_a_forged_receipt_opens_the_breaker_at_once_and_busy_blames_nobody():
    world = World(a=[FORGED], b=[BUSY], c=["x", "."])
    await world.streamed()
    assert world.router.health("a").openings == 1
    assert world.router.health("b").openings == 0
    assert world.router.health("b").closed_from_s > 0


@pytest.mark.parametrize("way", ["stream", "fold", "ask"])
async def test_a_consumer_that_leaves_cancels_the_attempt(way):
    world = World(a=[0.05, "x", HANG], b=["y"])
    run = world.streamed() if way == "stream" else getattr(world.dispatcher, way)(Words, ASK)
    task = asyncio.create_task(run)
    await asyncio.sleep(0.1)
    assert world.miners.open == {"a"}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.miners.asked == ["a"]
    assert world.is_idle()


async def test_outcomes_are_counted_without_a_miners_own_words():
    world = World(a=[Refused(500, "a word of its own", "", "")], b=["x", "."])
    await world.streamed()
    text = world.metrics.text()
    assert 'outcome="other"} 1' in text
    assert 'outcome="ok"} 1' in text
    assert "own" not in text
