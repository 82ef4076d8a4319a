"""A trial: a subnet with its miners and cheats under the real rules, epoch by epoch, in seconds.

One validator samples every entrant over the real wire on loopback, sets weights on a `LabChain`,
and the chain's own epoch says who earns what.
"""

from __future__ import annotations

import asyncio
import inspect
import random
import time
import traceback
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bittensor_core import Keypair

from mycelia.lab.chain import LabChain
from mycelia.lab.entrants import Entrant, answer_of, entrants, whole
from mycelia.models import ModelStore
from mycelia.neuron.book import Sample, Standing, Verdict, record
from mycelia.neuron.chain import Neuron
from mycelia.neuron.miner import wire_limits
from mycelia.neuron.routes import Traffic, batch_size, routes, streams
from mycelia.neuron.sampler import Round, Sampler
from mycelia.neuron.subnet import Context, Judgement, Meta, Spec
from mycelia.primitives.errors import AppError
from mycelia.wire.client import WireClient
from mycelia.wire.contract import AllowSet, Deadline
from mycelia.wire.server import WireServer

_HOST = "127.0.0.1"
_STAKE_TAO = 1_000
_LEAST_DEADLINE_S = 0.5
_DEADLINE_SLACK = 4.0  # entrants share one machine here, and a slow moment must not decide
_GIVEN_UP = 2  # timeouts in a row, after which an entrant's samples of an epoch are known
_LEAST_SAMPLES = 2


@dataclass(frozen=True)
class TrialConfig:
    """How long and how closely to look."""

    epochs: int = 3
    rounds: int = 12
    """Samples of each entrant per epoch."""
    epoch_s: float = 6.0
    """Sampling of one epoch stops after this many seconds, with two samples of each at least."""
    seed: int = 1


@dataclass(frozen=True)
class Row:
    """One entrant after an epoch."""

    entrant: Entrant
    standing: Standing
    incentive: float
    """Share of the miners' pay, 0..1."""


@dataclass(frozen=True)
class Table:
    """All entrants after an epoch, best paid first."""

    epoch: int
    rows: tuple[Row, ...]
    base: Row
    """The honest miner against which cheats are measured."""

    @property
    def outranking(self) -> tuple[Row, ...]:
        """Cheats that earn no less than the honest miner: being honest would not have paid."""
        return tuple(
            row
            for row in self.rows
            if not row.entrant.honest and row.incentive >= self.base.incentive
        )


class Trial:
    """One run. `deadline_s` is known after `probe`, tables come from `tables`."""

    def __init__(self, spec: Spec, store: ModelStore, config: TrialConfig | None = None) -> None:
        """Makes the subnet's judge and its miners, which may load models."""
        self.config = config or TrialConfig()
        self.deadline_s = spec.subnet.limits.deadline_s
        self.entrants = entrants(spec, store, self.config.seed)
        self._subnet = spec.subnet(store)
        self._type = spec.subnet
        self._rng = random.Random(self.config.seed)  # noqa: S311 - repeatable on purpose
        self._round = 0

    async def probe(self) -> float:
        """Let the honest miner answer one challenge, without a network; its score.

        Shortens the deadline to what the miner needs, with slack, so that waiting for the late
        does not take long. Raises AppError that says whose fault it is when something fails.
        """
        base, limits = self.entrants[0], self._type.limits
        work = whole(base.miner)
        challenge = await self._guarded("challenge", self._subnet.challenge(self._rng))
        for _ in range(2):  # the first call may load a model
            began_s = time.monotonic()
            context = Context(Deadline.after(limits.deadline_s))
            parts = await self._guarded(base.name, work(challenge.ask, context))
            took_s = time.monotonic() - began_s
        self._check_form(base, challenge, parts)
        answer = answer_of(self._type, base.miner, parts)
        meta = Meta(took_s * 1e3, took_s * 1e3, "")
        judged = await self._guarded(
            "score", self._subnet.score(challenge.ask, answer, challenge.truth, meta)
        )
        score = judged.score if isinstance(judged, Judgement) else judged
        if not isinstance(score, int | float) or not 0.0 <= score <= 1.0:
            raise AppError(
                "bad_score",
                f"score() said {score!r} of the honest miner's answer.",
                "Return a number from 0 to 1; None only where nobody is to blame.",
            )
        self.deadline_s = min(
            limits.deadline_s,
            max(_LEAST_DEADLINE_S, _DEADLINE_SLACK * took_s * len(self.entrants)),
        )
        return float(score)

    def _check_form(self, base: Entrant, challenge: Any, parts: Sequence[Any]) -> None:
        """Raise AppError unless the challenge asks, and the miner answers, in the subnet's words."""
        answers = self._type.Piece if streams(base.miner) else self._type.Answer
        for who, said, kind in (
            ("challenge", getattr(challenge, "ask", challenge), self._type.Ask),
            *((base.name, part, answers) for part in parts),
        ):
            if kind is not None and not isinstance(said, kind):
                raise AppError(
                    "wrong_message",
                    f"{who} gave {type(said).__name__} {str(said)[:60]!r}, not {kind.__qualname__}.",
                    f"Make it a {kind.__qualname__}(...).",
                )

    async def _guarded(self, what: str, work: Any) -> Any:
        """The result of an author's coroutine. An edge: it may fail in any way; that is told."""
        try:
            async with asyncio.timeout(self._type.limits.deadline_s):
                return await work
        except TimeoutError as error:
            limit_s = self._type.limits.deadline_s
            raise AppError(
                "too_slow",
                f"{what} took longer than the deadline of {limit_s:g} s.",
                "Make it faster, or give the subnet `limits = Limits(deadline_s=...)`.",
            ) from error
        except Exception as error:
            raise AppError(
                "subnet_fails",
                f"{what} failed{self._where(error)}: {type(error).__name__}: {error}.",
                "Correct the file and try again.",
            ) from error

    def _where(self, error: Exception) -> str:
        """The innermost line of the author's file on the way to an error."""
        file = inspect.getfile(self._type)
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == file]
        return f" in {Path(file).name}, line {lines[-1]}" if lines else ""

    async def tables(self) -> AsyncGenerator[Table, None]:
        """Run the epochs; a table after each."""
        chain = LabChain(self._type.name)
        validator = Keypair.create_from_uri("//lab//validator")
        chain.register(validator.ss58_address, stake_tao=_STAKE_TAO)
        async with AsyncExitStack() as stack:
            uids = await self._serve(stack, chain, validator.ss58_address)
            caller = await stack.enter_async_context(WireClient(validator))
            sampler = Sampler(
                self._subnet, caller, concurrency=len(uids), deadline_s=self.deadline_s
            )
            book: dict[int, Standing] = {}
            chain.run_epoch()  # gives the permit
            for epoch in range(1, self.config.epochs + 1):
                neurons = {n.uid: n for n in chain.graph().neurons}
                for sample in await self._sampled(sampler, [neurons[uid] for uid in uids]):
                    record(book, sample)
                chain.set_weights(validator.ss58_address, self._subnet.weigh(book))
                chain.run_epoch()
                yield self._table(epoch, chain, book, uids)

    async def _serve(
        self, stack: AsyncExitStack, chain: LabChain, validator: str
    ) -> dict[int, Entrant]:
        uids: dict[int, Entrant] = {}
        for entrant in self.entrants:
            key = Keypair.create_from_uri(f"//lab//{entrant.name}")
            server = WireServer(
                key,
                routes(self._type, entrant.miner, Traffic()),
                AllowSet([validator]),
                wire_limits(self._type.limits, batch_size(entrant.miner)),
            )
            port = await server.start(_HOST, 0)
            stack.push_async_callback(server.stop)
            uids[chain.register(key.ss58_address)] = entrant
            chain.serve(key.ss58_address, _HOST, port)
        return uids

    async def _sampled(self, sampler: Sampler, miners: Sequence[Neuron]) -> list[Sample]:
        """One epoch's samples of every entrant, each at its own pace."""
        ends_s = time.monotonic() + self.config.epoch_s
        seeds = {miner.uid: self._rng.randbytes(16) for miner in miners}

        async def of(miner: Neuron) -> list[Sample]:
            found: list[Sample] = []
            for number in range(self.config.rounds):
                if len(found) >= _LEAST_SAMPLES and time.monotonic() > ends_s:
                    break
                self._round += 1
                seed = seeds[miner.uid] + bytes([number % 256])
                found += await sampler.run(Round(self._round, seed, [miner]))
                timeouts = [s.verdict is Verdict.FAILED for s in found[-_GIVEN_UP:]]
                if len(timeouts) == _GIVEN_UP and all(timeouts):
                    break
            return found

        return [s for found in await asyncio.gather(*map(of, miners)) for s in found]

    def _table(
        self, epoch: int, chain: LabChain, book: dict[int, Standing], uids: dict[int, Entrant]
    ) -> Table:
        neurons = {n.uid: n for n in chain.graph().neurons}
        rows = [
            Row(entrant, book.get(uid, Standing(neurons[uid].identity)), neurons[uid].incentive)
            for uid, entrant in uids.items()
        ]
        ordered = sorted(rows, key=lambda row: (-row.incentive, -row.standing.quality))
        return Table(epoch, tuple(ordered), rows[0])
