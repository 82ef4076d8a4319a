import asyncio
import random

import pytest
from pydantic import BaseModel, Field

from mycelia.lab.entrants import (
    Overheard,
    as_miner,
    entrants,
    late,
    noted,
    part_time,
    randomised,
    relays,
    repeats,
    varied,
    whole,
)
from mycelia.neuron.routes import streams
from mycelia.neuron.subnet import Context, Spec, Variant
from mycelia.wire.contract import Deadline
from tests.unit.neuron.kit import Sum, cheat, honest


def soon(seconds=1.0):
    return Context(Deadline.after(seconds))


def ask(a=1, b=2):
    return Sum.Ask(a=a, b=b)


async def total(reply, asked=None):
    return Sum.Answer.fold(await reply(asked or ask(), soon())).total


async def test_each_cheat_does_what_it_is_called():
    heard = Overheard()
    work = whole(noted(honest, heard))
    repeating = repeats(work)
    assert [await total(repeating, ask(1, 2)), await total(repeating, ask(5, 5))] == [3, 3]
    assert await total(relays(heard), ask(1, 2)) == 3
    assert await total(relays(heard), ask(9, 9)) == 3  # nobody replied to that one
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await late(ask(), soon(0.1))


async def test_a_relay_waits_for_the_reply_to_the_same_ask():
    heard = Overheard()
    relayed = asyncio.create_task(total(relays(heard), ask(4, 4)))
    await asyncio.sleep(0.01)
    await whole(noted(honest, heard))(ask(4, 4), soon())
    assert await relayed == 8


async def test_part_time_works_for_nine_of_ten():
    async def bad(_ask, _context):
        return [Sum.Piece(part=-1)]

    reply = part_time(whole(honest), bad)
    assert [await total(reply) for _ in range(20)] == 2 * [3, -1, *8 * [3]]


async def test_random_replies_have_the_form_of_honest_ones():
    heard, rng = Overheard(), random.Random(2)
    await whole(noted(honest, heard))(ask(100, 200), soon())
    replies = [await randomised(heard, rng)(ask(), soon()) for _ in range(20)]
    assert all([type(piece) for piece in reply] == [Sum.Piece, Sum.Piece] for reply in replies)
    assert len({str(reply) for reply in replies}) > 15


def test_variation_keeps_what_a_type_demands():
    class Message(BaseModel):
        labels: list[int] = Field(max_length=4)
        kind: str = Field(pattern="^fixed$")
        share: float
        flag: bool
        none: None = None
        nested: dict[str, list[float]]

    rng = random.Random(3)
    message = Message(
        labels=[0, 9, 3, 3], kind="fixed", share=0.5, flag=True, nested={"a": [1.0, 2.0]}
    )
    variants = [varied(message, rng) for _ in range(50)]
    assert all(v.kind == "fixed" and len(v.labels) == 4 and v.none is None for v in variants)
    assert {label for v in variants for label in v.labels} <= set(range(10))
    assert len({tuple(v.labels) for v in variants}) > 40
    assert {v.flag for v in variants} == {True, False}
    assert all(len(v.nested["a"]) == 2 for v in variants)


def test_cheats_stream_where_the_honest_does():
    async def plain(_ask):
        return None

    async def reply(_ask, _context):
        return [None]

    assert streams(as_miner(honest, reply))
    assert not streams(as_miner(plain, reply))


def test_authors_miners_take_part_the_honest_first():
    variants = {
        v.name: v
        for v in (
            Variant("own-cheat", honest=False, make=lambda _: cheat),
            Variant("best", honest=True, make=lambda _: honest),
        )
    }
    found = entrants(Spec(Sum, variants), None, seed=1)
    assert [found[0].name, found[0].honest] == ["best", True]
    names = {"own-cheat", "repeats", "late", "relays", "random", "part-time"}
    assert {entrant.name for entrant in found[1:]} == names
    assert not any(entrant.honest for entrant in found[1:])
