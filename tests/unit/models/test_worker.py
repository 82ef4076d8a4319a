"""A model's thread: in order, never in the way of the event loop, and stoppable."""

import asyncio
import threading
import time
from collections.abc import Generator
from contextlib import aclosing

import pytest

from mycelia.models.face import ModelClosed
from mycelia.models.worker import Worker


@pytest.fixture
def worker() -> Generator[Worker, None, None]:
    worker = Worker("test")
    yield worker
    worker.close()


def counting(stop: int, produced: list[int]) -> Generator[int, None, None]:
    for number in range(stop):
        produced.append(number)
        yield number


ENDLESS = 20_000


def slowly(produced: list[int]) -> Generator[int, None, None]:
    """Takes longer than any test, unless it is stopped."""
    for number in counting(ENDLESS, produced):
        time.sleep(0.002)
        yield number


async def test_call_returns_the_result_from_another_thread(worker: Worker) -> None:
    assert await worker.call(threading.get_ident) != threading.get_ident()


async def test_call_raises_what_the_function_raises(worker: Worker) -> None:
    with pytest.raises(ZeroDivisionError):
        await worker.call(lambda: 1 // 0)


async def test_items_arrive_in_order(worker: Worker) -> None:
    assert [i async for i in worker.iterate(lambda: counting(50, []))] == list(range(50))


async def test_errors_of_the_generator_arrive_after_its_items(worker: Worker) -> None:
    def failing() -> Generator[int, None, None]:
        yield 1
        raise KeyError("broken")

    items = worker.iterate(failing)
    assert await anext(items) == 1
    with pytest.raises(KeyError, match="broken"):
        await anext(items)


async def test_the_event_loop_runs_on_while_the_thread_computes(worker: Worker) -> None:
    ticked = threading.Event()

    async def tick() -> None:
        for _ in range(10):
            await asyncio.sleep(0.001)
        ticked.set()

    def until_ticked() -> Generator[bool, None, None]:
        yield ticked.wait(60)

    ticking = asyncio.create_task(tick())
    assert [seen async for seen in worker.iterate(until_ticked)] == [True]
    await ticking


async def test_leaving_early_stops_the_generator_and_frees_the_thread(worker: Worker) -> None:
    produced: list[int] = []
    async with aclosing(worker.iterate(lambda: slowly(produced))) as items:
        async for item in items:
            if item == 3:
                break
    assert await worker.call(lambda: "free") == "free"
    assert len(produced) < ENDLESS


async def test_cancelling_the_consumer_stops_the_generator(worker: Worker) -> None:
    produced: list[int] = []

    async def consume() -> None:
        async for _ in worker.iterate(lambda: slowly(produced)):
            begun.set()

    begun = asyncio.Event()
    task = asyncio.create_task(consume())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await worker.call(lambda: None)
    assert len(produced) < ENDLESS


async def test_callers_take_turns(worker: Worker) -> None:
    order: list[str] = []

    def noting(name: str) -> Generator[int, None, None]:
        for number in range(3):
            order.append(name)
            yield number

    async def consume(name: str) -> None:
        async for _ in worker.iterate(lambda: noting(name)):
            pass

    await asyncio.gather(consume("a"), consume("b"))
    assert order in (list("aaabbb"), list("bbbaaa"))


async def test_what_nobody_waits_for_any_more_is_never_begun(worker: Worker) -> None:
    gate, ran = threading.Event(), []
    first = asyncio.ensure_future(worker.call(gate.wait))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await worker.call(lambda: ran.append(1))
    gate.set()
    assert await first
    await worker.call(lambda: ran.append(2))
    assert ran == [2]


async def test_closing_tells_those_in_the_queue(worker: Worker) -> None:
    gate, begun = threading.Event(), threading.Event()

    def held() -> bool:
        begun.set()
        return gate.wait(60)

    async def streamed() -> list[int]:
        return [item async for item in worker.iterate(lambda: counting(3, []))]

    first = asyncio.ensure_future(worker.call(held))
    assert await asyncio.to_thread(begun.wait, 60)
    waiting = [asyncio.ensure_future(worker.call(lambda: 1)), asyncio.ensure_future(streamed())]
    await asyncio.sleep(0.01)
    closing = asyncio.ensure_future(asyncio.to_thread(worker.close))
    async with asyncio.timeout(30):
        found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in found] == [ModelClosed, ModelClosed]
    gate.set()
    assert await first
    await closing
    with pytest.raises(ModelClosed):
        await worker.call(lambda: 1)
    with pytest.raises(ModelClosed):
        await streamed()
