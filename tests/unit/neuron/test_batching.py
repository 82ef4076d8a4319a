import asyncio

import pytest

from mycelia.neuron.batching import Batcher
from mycelia.neuron.routes import Traffic, batch_size, routes
from mycelia.neuron.subnet import Batch, Context, Reply, Request, Subnet
from mycelia.wire.contract import Deadline, Inbound
from mycelia.wire.errors import Rejection


class Double(Subnet):
    name = "double"

    class Ask(Request):
        number: int

    class Answer(Reply):
        number: int


def within(seconds):
    return Context(Deadline.after(seconds))


async def test_asks_that_come_together_are_one_call():
    calls = []

    async def run(asks):
        calls.append(list(asks))
        return [2 * ask for ask in asks]

    batcher = Batcher(run, Batch(4, window_ms=20.0))
    got = await asyncio.gather(*(batcher(number, within(60.0)) for number in range(6)))
    assert got == [0, 2, 4, 6, 8, 10]
    assert [len(asks) for asks in calls] == [4, 2]


async def test_the_most_urgent_goes_first():
    calls = []

    async def run(asks):
        calls.append(list(asks))
        return asks

    batcher = Batcher(run, Batch(2, window_ms=20.0))
    await asyncio.gather(*(batcher(s, within(s)) for s in (900.0, 300.0, 700.0, 100.0)))
    assert calls == [[100.0, 300.0], [700.0, 900.0]]


async def test_what_would_come_too_late_is_refused_at_once():
    async def run(asks):
        await asyncio.sleep(0.1)
        return asks

    batcher = Batcher(run, Batch(1, window_ms=0.0))
    await batcher("first", within(60.0))
    under_way = asyncio.create_task(batcher("second", within(60.0)))
    await asyncio.sleep(0.01)
    with pytest.raises(Rejection) as refused:
        await batcher("third", within(0.05))
    assert refused.value.status == 429
    assert refused.value.retry_after_s >= 1
    assert await under_way == "second"


async def test_a_fault_reaches_every_caller_and_the_next_batch_runs():
    async def run(asks):
        if "bad" in asks:
            raise RuntimeError("no")
        return asks if "short" not in asks else []

    batcher = Batcher(run, Batch(2, window_ms=10.0))
    both = await asyncio.gather(
        batcher("bad", within(60.0)), batcher("good", within(60.0)), return_exceptions=True
    )
    assert [type(found) for found in both] == [RuntimeError, RuntimeError]
    with pytest.raises(ValueError, match="1 asks got 0 answers"):
        await batcher("short", within(60.0))
    assert await batcher("good", within(60.0)) == "good"


async def test_who_left_is_not_served():
    calls = []

    async def run(asks):
        calls.append(list(asks))
        return asks

    batcher = Batcher(run, Batch(3, window_ms=30.0))
    left = asyncio.create_task(batcher("left", within(60.0)))
    stayed = asyncio.create_task(batcher("stayed", within(60.0)))
    await asyncio.sleep(0)
    left.cancel()
    assert await stayed == "stayed"
    assert calls == [["stayed"]]


async def test_a_marked_function_is_served_in_batches():
    calls = []

    @Double.miner(batch=2, window_ms=50.0)
    async def run(asks):
        calls.append(len(asks))
        return [Double.Answer(number=2 * ask.number) for ask in asks]

    serve = routes(Double, run, Traffic())[Double.path()]
    inbound = [
        Inbound(Double.path(), b'{"number": %d}' % n, "caller", Deadline.after(60.0))
        for n in (1, 2)
    ]
    bodies = await asyncio.gather(*(serve(each) for each in inbound))
    assert [Double.Answer.model_validate_json(body).number for body in bodies] == [2, 4]
    assert (calls, batch_size(run)) == ([2], 2)


async def test_a_miner_may_look_at_the_time_that_is_left():
    @Double.miner
    async def run(ask, context):
        return Double.Answer(number=round(context.remaining_s() / 100))

    serve = routes(Double, run, Traffic())[Double.path()]
    body = await serve(Inbound(Double.path(), b'{"number": 1}', "caller", Deadline.after(700.0)))
    assert Double.Answer.model_validate_json(body).number == 7
