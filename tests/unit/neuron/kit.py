"""A tiny subnet, and a chain in memory, for tests of the neuron kit."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bittensor_core import Keypair

from mycelia.neuron.chain import CallFailed, ChainAway, Metagraph, Neuron
from mycelia.neuron.subnet import Challenge, Delta, Limits, Meta, Reply, Request, Subnet


class Sum(Subnet):
    """Adds two numbers; the score is 1 for the sum, less for what is off."""

    name = "sum"
    version = 1
    limits = Limits(deadline_s=30.0, body_bytes=200, inflight=2)

    class Ask(Request):
        a: int
        b: int

    class Answer(Reply):
        total: int

        @classmethod
        def fold(cls, deltas: Sequence[Sum.Piece]) -> Sum.Answer:
            return cls(total=sum(delta.part for delta in deltas))

    class Piece(Delta):
        part: int

    async def challenge(self, rng: random.Random) -> Challenge:
        a, b = rng.randrange(1000), rng.randrange(1000)
        return Challenge(self.Ask(a=a, b=b), truth=a + b)

    async def score(self, ask: Ask, answer: Answer, truth: int, meta: Meta) -> float | None:
        return max(0.0, 1.0 - abs(answer.total - truth) / 100)


@Sum.miner
async def honest(ask: Sum.Ask) -> AsyncIterator[Sum.Piece]:
    yield Sum.Piece(part=ask.a)
    yield Sum.Piece(part=ask.b)


@Sum.miner
async def sloppy(ask: Sum.Ask) -> AsyncIterator[Sum.Piece]:
    yield Sum.Piece(part=ask.a + ask.b + 20)


@Sum.miner
async def cheat(ask: Sum.Ask) -> AsyncIterator[Sum.Piece]:
    yield Sum.Piece(part=ask.a + ask.b + 90)


def keypair(name: str) -> Keypair:
    return Keypair.create_from_uri(f"//{name}")


def neuron(uid: int, hotkey: str, *, permit: bool = False, port: int = 0) -> Neuron:
    return Neuron(
        uid=uid,
        hotkey=hotkey,
        coldkey=hotkey,
        registered_at=1,
        permit=permit,
        stake_rao=0,
        incentive=0.0,
        dividends=0.0,
        emission_rao=0,
        host="127.0.0.1" if port else None,
        port=port,
    )


def metagraph(*neurons: Neuron, height: int = 10, tempo_blocks: int = 2) -> Metagraph:
    return Metagraph(
        netuid=1,
        name="sum",
        height=height,
        tempo_blocks=tempo_blocks,
        last_step=0,
        tao_emission_rao=0,
        alpha_emission_rao=0,
        alpha_price=1.0,
        neurons=neurons,
    )


@dataclass
class MemoryChain:
    """A `ChainPort` that the test owns. `away` makes it silent, `refusals` are raised in turn."""

    graph: Metagraph
    away: bool = False
    refusals: list[str] = field(default_factory=list)
    weights: list[dict[int, float]] = field(default_factory=list)
    served: list[tuple[str, int]] = field(default_factory=list)
    attempts: int = 0
    taking: asyncio.Event = field(default_factory=asyncio.Event)
    """Setting weights waits for it; set from the start."""

    def __post_init__(self) -> None:
        self.taking.set()

    async def metagraph(self, netuid: int) -> Metagraph:
        self._answer()
        return self.graph

    async def set_weights(self, netuid: int, weights: Mapping[int, float]) -> None:
        self.attempts += 1
        await asyncio.sleep(0)
        await self.taking.wait()
        self._answer()
        if self.refusals:
            raise CallFailed(self.refusals.pop(0), "refused", "")
        self.weights.append(dict(weights))

    async def serve_axon(self, netuid: int, host: str, port: int) -> None:
        self._answer()
        self.served.append((host, port))

    def advance(self, blocks: int) -> None:
        self.graph = replace(self.graph, height=self.graph.height + blocks)

    def _answer(self) -> None:
        if self.away:
            raise ChainAway("chain_away", "away", "")


async def eventually(condition, limit_s: float = 30.0) -> None:
    """Wait until a condition holds, one that then lasts; fail after the limit, however slow the machine."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - the condition is any state, not an event
            await asyncio.sleep(0.01)
