"""Miners to try a subnet with: the author's own, and what follows from it with less honesty.

Terms: *entrant* - a miner that takes part in a trial; *base* - the honest miner from which the
cheats are made.

The cheats know what any miner could know: asks, the base's replies, and the deadline.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

from pydantic import BaseModel, ValidationError

from mycelia.models import ModelStore
from mycelia.neuron.routes import streams, with_context
from mycelia.neuron.subnet import Context, Miner, Spec, Subnet

PART_TIME_EVERY = 10
"""A part-time cheat works on all but one of so many asks; the second is the first it saves."""
_RELAY_WAIT = 0.2  # share of the remaining time that a relay waits for the base's reply
_LETTERS = "abcdefghijklmnopqrstuvwxyz "

Parts = Sequence[BaseModel]
"""A reply as it goes over the wire: its pieces, or the answer alone."""
Reply = Callable[[Any, Context], Awaitable[Parts]]


@dataclass(frozen=True)
class Entrant:
    """A miner that takes part in a trial."""

    name: str
    honest: bool
    miner: Miner
    about: str = ""


class Overheard:
    """The base's replies, as somebody beside it would know them."""

    def __init__(self) -> None:
        self._replies: dict[str, Parts] = {}
        self._latest: Parts | None = None
        self._news = asyncio.Event()

    def note(self, ask: BaseModel, parts: Parts) -> None:
        """Remember a reply."""
        self._replies[ask.model_dump_json()] = self._latest = parts
        self._news.set()
        self._news = asyncio.Event()

    async def reply_to(self, ask: BaseModel, wait_s: float) -> Parts:
        """The reply to this very ask if it comes within the time, else the latest to any."""
        wanted = ask.model_dump_json()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while wanted not in self._replies:
                    await self._news.wait()
        return self._replies.get(wanted) or await self.latest()

    async def latest(self) -> Parts:
        """The newest reply, once there is one."""
        while self._latest is None:
            await self._news.wait()
        return self._latest


def entrants(spec: Spec, store: ModelStore, seed: int) -> list[Entrant]:
    """The subnet's own miners, the base first, and the cheats made from the base."""
    made = {name: variant.make(store) for name, variant in spec.miners.items()}
    first = next(name for name, variant in spec.miners.items() if variant.honest)
    base, heard, rng = made[first], Overheard(), random.Random(seed)  # noqa: S311 - repeatable
    work = whole(base)
    own = [
        Entrant(v.name, v.honest, noted(base, heard) if name == first else made[name], v.about)
        for name, v in spec.miners.items()
    ]
    derived = {
        "repeats": (repeats(work), "gives its first reply to every ask"),
        "late": (late, "sleeps past the deadline"),
        "relays": (relays(heard), "hands on what the honest miner replied"),
        "random": (randomised(heard, rng), "a random reply of a valid form"),
        "part-time": (
            part_time(work, randomised(heard, rng)),
            f"honest, but for one of {PART_TIME_EVERY} asks",
        ),
    }
    cheats = [
        # The author's own may have such a name, too.
        Entrant(f"{name}-made" if name in made else name, False, as_miner(base, reply), about)
        for name, (reply, about) in derived.items()
    ]
    return sorted([*own, *cheats], key=lambda entrant: (entrant.name != first, not entrant.honest))


def whole(miner: Miner) -> Reply:
    """A miner as a function that gives its reply at once."""
    work = with_context(miner)

    async def reply(ask: Any, context: Context) -> Parts:
        result = work(ask, context)
        if isinstance(result, AsyncIterator):
            return [piece async for piece in result]
        return [await result]

    return reply


def as_miner(like: Miner, reply: Reply) -> Miner:
    """A miner that streams if another does, over a function that gives its reply at once."""

    async def stream(ask: Any, context: Context) -> AsyncIterator[Any]:
        for piece in await reply(ask, context):
            yield piece

    async def answer(ask: Any, context: Context) -> Any:
        return (await reply(ask, context))[0]

    return stream if streams(like) else answer


def noted(miner: Miner, heard: Overheard) -> Miner:
    """The same miner, overheard."""
    work = with_context(miner)

    async def stream(ask: Any, context: Context) -> AsyncIterator[Any]:
        pieces: list[Any] = []
        async for piece in work(ask, context):
            pieces.append(piece)
            yield piece
        heard.note(ask, pieces)

    async def answer(ask: Any, context: Context) -> Any:
        found = await work(ask, context)
        heard.note(ask, [found])
        return found

    return stream if streams(miner) else answer


def repeats(work: Reply) -> Reply:
    """Works once."""
    kept: list[Parts] = []

    async def reply(ask: Any, context: Context) -> Parts:
        if not kept:
            kept.append(await work(ask, context))
        return kept[0]

    return reply


async def late(_ask: Any, context: Context) -> Parts:
    """Answers when nobody waits any more."""
    await asyncio.sleep(context.remaining_s() + 1.0)
    raise TimeoutError


def relays(heard: Overheard) -> Reply:
    """Gives what the base replied."""

    async def reply(ask: Any, context: Context) -> Parts:
        return await heard.reply_to(ask, _RELAY_WAIT * context.remaining_s())

    return reply


def randomised(heard: Overheard, rng: random.Random) -> Reply:
    """Gives random values in the form of the base's replies."""

    async def reply(_ask: Any, _context: Context) -> Parts:
        return [varied(part, rng) for part in await heard.latest()]

    return reply


def part_time(work: Reply, cheat: Reply) -> Reply:
    """Mostly works."""
    asks = count()

    async def reply(ask: Any, context: Context) -> Parts:
        chosen = cheat if next(asks) % PART_TIME_EVERY == 1 else work
        return await chosen(ask, context)

    return reply


def varied(part: BaseModel, rng: random.Random) -> BaseModel:
    """A valid message of the same form with random values, as far as its type allows."""
    values: Mapping[str, Any] = part.model_dump(mode="json")
    kind = type(part)
    random_values = {name: _random_like(value, rng) for name, value in values.items()}
    try:
        return kind.model_validate(random_values)
    except ValidationError:
        pass
    message = dict(values)
    for name in values:  # field by field: some take only what they had
        try:
            kind.model_validate({**message, name: random_values[name]})
        except ValidationError:
            continue
        message[name] = random_values[name]
    return kind.model_validate(message)


def _random_like(value: Any, rng: random.Random) -> Any:
    match value:
        case bool():
            return rng.random() < 0.5
        case int():
            return rng.randint(min(0, 2 * value), max(0, 2 * value) + 1)
        case float():
            return rng.uniform(min(0.0, 2 * value), max(0.0, 2 * value))
        case str():
            return "".join(rng.choice(_LETTERS) for _ in value)
        case list() if value and all(type(item) is int for item in value):
            return [rng.randint(min(value), max(value)) for _ in value]
        case list():
            return [_random_like(item, rng) for item in value]
        case dict():
            return {key: _random_like(item, rng) for key, item in value.items()}
    return value


def answer_of(subnet: type[Subnet], miner: Miner, parts: Parts) -> Any:
    """What a scorer sees of a reply."""
    return subnet.Answer.fold(parts) if streams(miner) else parts[0]
