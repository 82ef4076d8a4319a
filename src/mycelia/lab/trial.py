"""A trial: a subnet with its miners and cheats under the real rules, epoch by epoch, in seconds.

One validator samples every entrant over the real wire on loopback, sets weights on a `LabChain`,
and the chain's own epoch says who earns what.
"""

from __future__ import annotations

import asyncio
import inspect
import io
import json
import random
import time
import traceback
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bittensor_core import Keypair
from pydantic import BaseModel, ValidationError

from mycelia.lab.chain import LabChain
from mycelia.lab.entrants import Entrant, answer_of, entrants, whole
from mycelia.lab.loop_watch import LoopWatch
from mycelia.models import ModelStore
from mycelia.neuron.book import Book, Sample, Standing, Verdict, checked, record
from mycelia.neuron.chain import Neuron
from mycelia.neuron.events import EventLog
from mycelia.neuron.miner import wire_limits
from mycelia.neuron.routes import Traffic, batch_size, routes, streams
from mycelia.neuron.sampler import Round, Sampler
from mycelia.neuron.subnet import Challenge, Context, Judgement, Meta, Spec
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
    held_up_s: float = 10.0
    """How long the subnet's code may hold up the loop beyond the deadline: models load so."""


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
        self._type = spec.subnet
        try:
            self._subnet = spec.subnet(store)
        except Exception as error:  # an author's code; told, with its line
            raise self._failed(spec.subnet.__name__, error) from error
        self._watch = LoopWatch(
            inspect.getfile(self._type), self.deadline_s + self.config.held_up_s
        )
        self._events = io.StringIO()
        self._rng = random.Random(self.config.seed)  # noqa: S311 - repeatable on purpose
        self._round = 0

    async def probe(self) -> float:
        """Let the honest miner answer one challenge, without a network; its score.

        Shortens the deadline to what the miner needs, with slack, so that waiting for the late
        does not take long. Raises AppError that says whose fault it is when something fails.
        """
        async with self._watch.watching():
            score, took_s = await self._probed(self.entrants[0])
        self.deadline_s = min(
            self._type.limits.deadline_s,
            max(_LEAST_DEADLINE_S, _DEADLINE_SLACK * took_s * len(self.entrants)),
        )
        return score

    async def _probed(self, base: Entrant) -> tuple[float, float]:
        """The honest miner's score, and the seconds that it took."""
        subnet, limits = self._subnet, self._type.limits
        work = whole(base.miner)
        challenge = await self._guarded("challenge", lambda: subnet.challenge(self._rng))
        if not isinstance(challenge, Challenge):
            raise _wrong("challenge", challenge, "Challenge")
        self._check_form("challenge", challenge.ask, self._type.Ask)
        if (size := len(challenge.ask.model_dump_json())) > limits.body_bytes:
            raise AppError(
                "ask_too_big",
                f"challenge made an Ask of {size:,} bytes; miners take {limits.body_bytes:,}.",
                "Ask for less, or give the subnet `limits = Limits(body_bytes=...)`.",
            )
        for _ in range(2):  # the first call may load a model
            began_s = time.monotonic()
            context = Context(Deadline.after(limits.deadline_s))
            parts = await self._guarded(base.name, partial(work, challenge.ask, context))
            took_s = time.monotonic() - began_s
        for part in parts:
            form = self._type.Piece if streams(base.miner) else self._type.Answer
            self._check_form(base.name, part, form or self._type.Answer)
        answer = answer_of(self._type, base.miner, parts)
        meta = Meta(took_s * 1e3, took_s * 1e3, "")
        judged = await self._guarded(
            "score", lambda: subnet.score(challenge.ask, answer, challenge.truth, meta)
        )
        score = judged.score if isinstance(judged, Judgement) else judged
        if not isinstance(score, int | float) or not 0.0 <= score <= 1.0:
            raise AppError(
                "bad_score",
                f"score() said {score!r} of the honest miner's answer.",
                "Return a number from 0 to 1; None only where nobody is to blame.",
            )
        return float(score), took_s

    def _check_form(self, who: str, said: object, kind: type[BaseModel]) -> None:
        """Raise AppError unless a message is of its kind, and the same after the wire."""
        if not isinstance(said, kind):
            raise _wrong(who, said, kind.__qualname__)
        try:
            kind.model_validate_json(said.model_dump_json())
        except (ValidationError, ValueError) as error:
            raise AppError(
                "no_json",
                f"What {who} gave does not survive its way as JSON: {_told(error)}.",
                f"Give {kind.__qualname__} fields that JSON has, and no infinite numbers.",
            ) from error

    async def _guarded(self, what: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """The result of an author's coroutine. An edge: it may fail in any way; that is told."""
        try:
            async with asyncio.timeout(self._type.limits.deadline_s):
                return await call()
        except TimeoutError as error:
            limit_s = self._type.limits.deadline_s
            raise AppError(
                "too_slow",
                f"{what} took longer than the deadline of {limit_s:g} s.",
                "Make it faster, or give the subnet `limits = Limits(deadline_s=...)`.",
            ) from error
        except Exception as error:
            raise self._failed(what, error) from error

    def _failed(self, what: str, error: Exception) -> AppError:
        """What to say of an error in an author's code, with the innermost line of it."""
        file = inspect.getfile(self._type)
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == file]
        where = f" in {Path(file).name}, line {lines[-1]}" if lines else ""
        return AppError(
            "subnet_fails",
            f"{what} failed{where}: {type(error).__name__}: {_told(error)}.",
            "Correct the file and try again.",
        )

    def faults(self) -> Counter[str]:
        """What kept score() from judging answers so far, and how often."""
        found: Counter[str] = Counter()
        example = ""
        for line in self._events.getvalue().splitlines():
            event = json.loads(line)
            example = example or event.get("score", "")
            found[event.get("error") or f"it said {example}, not 0 to 1"] += 1
        return found

    async def tables(self) -> AsyncGenerator[Table, None]:
        """Run the epochs; a table after each."""
        chain = LabChain(self._type.name)
        validator = Keypair.create_from_uri("//lab//validator")
        chain.register(validator.ss58_address, stake_tao=_STAKE_TAO)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._watch.watching())
            uids = await self._serve(stack, chain, validator.ss58_address)
            caller = await stack.enter_async_context(WireClient(validator))
            sampler = Sampler(
                self._subnet,
                caller,
                concurrency=len(uids),
                deadline_s=self.deadline_s,
                log=EventLog(None, "trial", self._events),
            )
            book: dict[int, Standing] = {}
            chain.run_epoch()  # gives the permit
            for epoch in range(1, self.config.epochs + 1):
                neurons = {n.uid: n for n in chain.graph().neurons}
                for sample in await self._sampled(sampler, [neurons[uid] for uid in uids]):
                    record(book, sample)
                if self._watch.fault is not None:
                    raise self._watch.fault
                chain.set_weights(validator.ss58_address, self._weights(book))
                chain.run_epoch()
                yield self._table(epoch, chain, book, uids)

    def _weights(self, book: Book) -> dict[int, float]:
        try:
            return checked(self._subnet.weigh(book), book)
        except Exception as error:  # an author's code; told, with its line
            raise self._failed("weigh", error) from error

    async def _serve(
        self, stack: AsyncExitStack, chain: LabChain, validator: str
    ) -> dict[int, Entrant]:
        uids: dict[int, Entrant] = {}
        for entrant in self.entrants:
            key = Keypair.create_from_uri(f"//lab//miner//{entrant.name}")
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
                is_late = time.monotonic() > ends_s
                if (len(found) >= _LEAST_SAMPLES and is_late) or self._watch.fault is not None:
                    break
                self._round += 1
                seed = seeds[miner.uid] + bytes([number % 256])
                try:
                    found += await sampler.run(Round(self._round, seed, [miner]))
                except Exception as error:  # an author's code; told, with its line
                    raise self._failed("challenge", error) from error
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


def _wrong(who: str, said: object, wanted: str) -> AppError:
    found = f"{type(said).__name__} {str(said)[:60]!r}"
    return AppError(
        "wrong_message", f"{who} gave {found}, not {wanted}.", f"Make it a {wanted}(...)."
    )


def _told(error: Exception) -> str:
    """An error in one line."""
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split()).rstrip(".") or "no reason given"
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, p['loc'])) or 'it'}: {p['msg']}" for p in problems[:3])
