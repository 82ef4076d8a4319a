"""A validator's process: samples the miners of its subnets, keeps the book, sets the weights.

One process serves any number of subnets; per subnet three loops run beside each other: follow the
chain, sample in rounds, set weights. All that a restart needs is in the ledger.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import sqlite3
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mycelia.monitor import Health, Metric, Monitor
from mycelia.neuron.audits import Tray
from mycelia.neuron.book import KNOWN_SAMPLES, Book, Sample, Standing, checked, current, record
from mycelia.neuron.chain import CallFailed, ChainAway, ChainPort, Metagraph, Neuron
from mycelia.neuron.events import EventLog, StatusFile
from mycelia.neuron.journal import JournalError
from mycelia.neuron.ledger import Ledger, SetWeights
from mycelia.neuron.miner import REFRESH_S, Stop
from mycelia.neuron.receipts import ReceiptBook, SealedRoot
from mycelia.neuron.sampler import Round, Sampler
from mycelia.neuron.subnet import Subnet
from mycelia.neuron.voices import Caller
from mycelia.neuron.vouching import Voucher
from mycelia.wire.receipt import Receipt

_FOLLOW_S = 1.0
_PERMIT_KNOWN_S = 1.25 * REFRESH_S
"""How long a new permit needs to reach miners of this kit; sampling begins after that."""
_NEW_PERMIT_S = 10 * REFRESH_S
"""How long other miners may take before a refusal counts against them."""
_KEPT_SAMPLES = 200_000
"""Per subnet; days of a small network. A start reads them all, which takes seconds."""
_PRUNE_ROUNDS = 10
"""Between two looks at how many samples there are: a full subnet makes 2,560 meanwhile."""
_LEDGER_MOST_S = 10.0
"""Longest pause between two tries to write to a ledger that takes nothing."""
_SETTLED_SHARE = 0.5
"""Part of the rounds in which a miner with a known score takes part; newcomers are in each."""
_EVIDENCE = 10_000
"""Samples of a subnet that are read at the start, for what they say of claims."""
_REST = 1.0
"""Pause after a round, in its durations: a slow machine samples less, and never all the time."""


_STANDING_REMEDY = {
    "permit": "",
    "no_permit": "Stake on the hotkey; permits are given at each epoch to those with most.",
    "not_registered": "Register the hotkey: `btcli subnets register`.",
}

_CHANCE = random.SystemRandom()


@dataclass(frozen=True)
class ValidatorConfig:
    """How a validator works. Times in seconds."""

    round_s: float = 5.0
    """From the start of one round to the start of the next, on average and at least about half."""
    concurrency: int = 16
    retry_s: float = 1.0
    """First pause after a refused weight vector; doubles up to `retry_most_s`."""
    retry_most_s: float = 60.0
    monitor_port: int | None = None
    """Of metrics and health, on loopback; 0 takes a free one, None has none."""


@dataclass
class Seat:
    """A validator on one subnet: the subnet's judge, and what is known of the subnet so far."""

    netuid: int
    subnet: Subnet
    receipts: ReceiptBook | None = None
    """Where receipts of this subnet's samples are kept; seats may share one."""
    voucher: Voucher | None = None
    """Attests miners' claims; None attests none."""
    tray: Tray | None = None
    """Where gateways lay answers to consumers, to be judged as well; seats may share one."""
    publish: Callable[[SealedRoot], Awaitable[None]] | None = None
    """Puts the root of an epoch's receipts on the chain. Raises as the chain does."""
    sealed: SealedRoot | None = None
    """The newest root that is not on the chain yet."""
    graph: Metagraph | None = None
    book: dict[int, Standing] = field(default_factory=dict)
    round: int = 0
    standing: str = ""
    """What the chain says of this validator: `permit`, `no_permit` or `not_registered`."""
    permit_since_s: float | None = None
    """Monotonic; None without a permit."""
    weights_height: int = -1
    """Of the last weights set; negative before the first."""
    weighed_round: int = 0
    """Newest round in the last weights set."""
    trouble: str = ""

    def permit_age_s(self) -> float:
        """Seconds since the permit was first seen; negative without one."""
        return -1.0 if self.permit_since_s is None else time.monotonic() - self.permit_since_s

    def targets(self, hotkey: str) -> Sequence[Neuron]:
        """Miners to sample: everyone that publishes an address, except the validator itself."""
        if self.graph is None:
            return ()
        return [n for n in self.graph.neurons if n.host is not None and n.hotkey != hotkey]


def chosen(targets: Sequence[Neuron], book: Book) -> list[Neuron]:
    """Whom to sample in one round: every miner whose score is not known yet, half of the others."""

    def is_new(miner: Neuron) -> bool:
        held = book.get(miner.uid)
        return held is None or held.miner != miner.identity or held.samples < KNOWN_SAMPLES

    wanted = [m for m in targets if is_new(m) or _CHANCE.random() < _SETTLED_SHARE]
    return wanted or [_CHANCE.choice(targets)]


class Validator:
    """Runs until told to stop. What it cannot handle ends it: its supervisor starts it anew."""

    def __init__(
        self,
        hotkey: str,
        seats: Sequence[Seat],
        chain: ChainPort,
        caller: Caller,
        ledger: Ledger,
        config: ValidatorConfig | None = None,
        *,
        log: EventLog | None = None,
        status: StatusFile | None = None,
    ) -> None:
        self._hotkey = hotkey
        self._seats = seats
        self._chain = chain
        self._caller = caller
        self._ledger = ledger
        self._config = config or ValidatorConfig()
        self._log = log or EventLog(None, "validator")
        self._status = status or StatusFile(None)
        self._monitor = Monitor(log.process if log else "validator", self._metrics, self._health)
        self._verdicts: Counter[tuple[str, str]] = Counter()
        self._audits: Counter[tuple[str, str]] = Counter()

    async def run(self, stop: Stop) -> None:
        """Validate until `stop`."""
        if self._config.monitor_port is not None:
            await self._monitor.start(self._config.monitor_port)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._report())]
            for seat in self._seats:
                seat.book.update(self._ledger.book(seat.subnet.name))
                seat.round = self._ledger.next_round(seat.subnet.name) - 1
                seat.weighed_round = 0
                tasks.append(group.create_task(self._follow(seat)))
                tasks.append(group.create_task(self._sample(seat)))
                tasks.append(group.create_task(self._weigh(seat)))
                if seat.voucher:
                    for sample in self._ledger.recent(seat.subnet.name, _EVIDENCE):
                        seat.voucher.note(sample)
                    targets = partial(seat.targets, self._hotkey)
                    tasks.append(group.create_task(seat.voucher.run(targets)))
            await stop.wait()
            for task in tasks:
                task.cancel()
            await self._monitor.stop()

    async def _follow(self, seat: Seat) -> None:
        """Keep the seat's view of the chain fresh."""
        failed = ""
        while True:
            try:
                before, seat.graph = seat.graph, await self._chain.metagraph(seat.netuid)
                if before is not None and before.last_step < seat.graph.last_step:
                    await self._seal(seat, before.last_step)
                self._stand(seat, seat.graph.neuron(self._hotkey))
                self._settled(seat, failed)
                failed = ""
            except (ChainAway, CallFailed) as error:
                self._troubled(seat, error)
                failed = error.code
            await asyncio.sleep(_FOLLOW_S)

    def _stand(self, seat: Seat, me: Neuron | None) -> None:
        """Note whether the chain lets this validator judge the subnet; say it when that changes."""
        if me is not None:
            seat.subnet.uid = me.uid
        standing = "not_registered" if me is None else "permit" if me.permit else "no_permit"
        if standing == seat.standing:
            return
        seat.standing = standing
        seat.permit_since_s = time.monotonic() if standing == "permit" else None
        about = {"uid": me.uid} if me is not None else {}
        self._log.emit(
            standing, subnet=seat.subnet.name, **about, remedy=_STANDING_REMEDY[standing]
        )

    async def _sample(self, seat: Seat) -> None:
        """Round after round, as long as miners would answer."""
        sampler = Sampler(
            seat.subnet,
            self._caller,
            concurrency=self._config.concurrency,
            keep=partial(self._keep, seat),
            heard=seat.voucher.note if seat.voucher else None,
            log=self._log,
        )
        while True:
            started_s = time.monotonic()
            if seat.permit_age_s() >= _PERMIT_KNOWN_S and seat.targets(self._hotkey):
                await self._round(seat, sampler)
                took_s = time.monotonic() - started_s
                # At no beat that a miner could tell from the traffic of consumers.
                wanted_s = self._config.round_s * _CHANCE.uniform(0.5, 1.5)
                await asyncio.sleep(max(_REST * took_s, wanted_s - took_s))
            else:
                await asyncio.sleep(_FOLLOW_S / 4)

    async def _round(self, seat: Seat, sampler: Sampler) -> None:
        """One round. An edge: a subnet that cannot make a challenge must not stop the others."""
        name = seat.subnet.name
        plan = Round(
            number=seat.round + 1,
            seed=secrets.token_bytes(32),
            miners=chosen(seat.targets(self._hotkey), seat.book),
            lenient=seat.permit_age_s() < _NEW_PERMIT_S,
        )
        try:
            samples = await sampler.run(plan)
        except Exception as error:  # an author's code; logged, and the next round is another try
            self._log.emit(
                "challenge_failed", subnet=name, error=f"{type(error).__name__}: {error}"
            )
            return
        samples += await self._audited(seat, sampler, plan.number)
        height = seat.graph.height if seat.graph else 0
        await self._kept(
            seat, lambda: self._ledger.add_round(name, plan.number, plan.seed, height, samples)
        )
        for sample in samples:
            record(seat.book, sample)
            self._verdicts[name, sample.verdict.value] += 1
        seat.round = plan.number
        if plan.number % _PRUNE_ROUNDS == 0:
            await self._kept(seat, lambda: self._ledger.prune(name, _KEPT_SAMPLES))
        self._log.emit(
            "round",
            subnet=name,
            round=plan.number,
            seed=plan.seed.hex(),
            scores={s.miner.uid: s.reason or round(s.score, 4) for s in samples},
        )

    async def _audited(self, seat: Seat, sampler: Sampler, number: int) -> list[Sample]:
        """Judge one answer to a consumer, if there is one: a sample if it is a bad one."""
        if seat.tray is None or seat.subnet.needs_truth:
            return []
        name = seat.subnet.name
        try:
            audit = seat.tray.take(seat.netuid)
        except OSError as error:
            self._log.emit("tray_trouble", subnet=name, error=str(error))
            return []
        known = {miner.hotkey: miner for miner in seat.targets(self._hotkey)}
        if audit is None or audit.hotkey not in known:
            return []
        sample = await sampler.audit(known[audit.hotkey], audit, number)
        self._audits[name, "good" if sample is None else "bad"] += 1
        if sample is None:
            return []
        self._log.emit("bad_answer", subnet=name, uid=sample.miner.uid, score=sample.score)
        return [sample]

    async def _weigh(self, seat: Seat) -> None:
        """Set weights twice per epoch, whenever there is a permit and something new to say."""
        pause_s, failed = self._config.retry_s, ""
        while True:
            weights = self._due_by_rule(seat)
            if weights is None:
                await asyncio.sleep(_FOLLOW_S / 4)
                continue
            # Noted before the chain is asked: rounds go on meanwhile.
            number, last_sample = seat.round, self._ledger.last_sample(seat.subnet.name)
            height = seat.graph.height if seat.graph else 0
            try:
                await self._chain.set_weights(seat.netuid, weights)
            except (ChainAway, CallFailed) as error:
                self._troubled(seat, error)
                failed = error.code
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, self._config.retry_most_s)
                continue
            self._settled(seat, failed)
            pause_s, failed = self._config.retry_s, ""
            seat.weights_height, seat.weighed_round = height, number
            taken = SetWeights(height, last_sample, weights)
            await self._kept(seat, partial(self._ledger.add_weights, seat.subnet.name, taken))
            self._log.emit(
                "weights", subnet=seat.subnet.name, height=height, round=number, weights=weights
            )
            await self._publish(seat)

    async def _publish(self, seat: Seat) -> None:
        """Put the newest root beside the weights: the one that fails waits for the next weights."""
        root = seat.sealed
        if root is None or seat.publish is None:
            return
        try:
            await seat.publish(root)
        except (ChainAway, CallFailed) as error:
            self._log.emit("root_waits", subnet=seat.subnet.name, code=error.code)
            return
        if seat.sealed is root:
            seat.sealed = None

    async def _keep(self, seat: Seat, receipt: Receipt) -> None:
        """Counter-sign a receipt and wait until it is safe, or the disk has no room for it yet."""
        epoch = seat.graph.last_step if seat.graph else 0
        try:
            if seat.receipts:
                await seat.receipts.add(seat.subnet.name, epoch, receipt)
        except JournalError as error:
            # The book keeps it in memory and writes it when there is room.
            self._log.emit("receipt_waits", subnet=seat.subnet.name, code=error.code)

    async def _seal(self, seat: Seat, epoch: int) -> None:
        """Close the book of an epoch; its root is told, and proves what is in the book."""
        name = seat.subnet.name
        try:
            if seat.receipts:
                sealed = await seat.receipts.seal(name, epoch)
                seat.sealed = sealed if sealed.count else seat.sealed
                self._log.emit(
                    "receipts_sealed",
                    subnet=name,
                    epoch=epoch,
                    count=sealed.count,
                    root=sealed.root.hex(),
                )
        except JournalError as error:
            self._log.emit("receipts_unsealed", subnet=name, epoch=epoch, code=error.code)

    async def _kept(self, seat: Seat, write: Callable[[], object]) -> None:
        """Write to the ledger, however long a full disk or a lock takes; the seat waits for it."""
        pause_s = self._config.retry_s
        while True:
            try:
                write()
            except sqlite3.OperationalError as error:
                if seat.trouble != "ledger_busy":
                    self._log.emit("ledger_trouble", subnet=seat.subnet.name, error=str(error))
                seat.trouble = "ledger_busy"
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LEDGER_MOST_S)
                continue
            if seat.trouble == "ledger_busy":
                self._log.emit("ledger_back", subnet=seat.subnet.name)
                seat.trouble = ""
            return

    def _due_by_rule(self, seat: Seat) -> dict[int, float] | None:
        """As `_due`. An edge: a subnet whose rule fails must not stop the others."""
        try:
            return self._due(seat)
        except Exception as error:  # an author's code; logged, and the next round is another try
            seat.weighed_round = seat.round
            self._log.emit(
                "weigh_failed", subnet=seat.subnet.name, error=f"{type(error).__name__}: {error}"
            )
            return None

    def _due(self, seat: Seat) -> dict[int, float] | None:
        """Weights to set now, or None."""
        graph = seat.graph
        if graph is None or seat.permit_since_s is None or seat.round == seat.weighed_round:
            return None
        wait_blocks = max(1, graph.tempo_blocks // 2)
        if seat.weights_height >= 0 and graph.height - seat.weights_height < wait_blocks:
            return None
        holders = [neuron.identity for neuron in graph.neurons]
        book = current(seat.book, holders)
        weights = checked(seat.subnet.weigh(book), book)
        return weights if any(weights.values()) else None

    def _troubled(self, seat: Seat, error: ChainAway | CallFailed) -> None:
        """Said once per kind of trouble: an absent node would fill the log."""
        if seat.trouble != error.code:
            self._log.emit(
                "chain_trouble",
                subnet=seat.subnet.name,
                code=error.code,
                message=error.message,
                remedy=error.remedy,
            )
        seat.trouble = error.code

    def _settled(self, seat: Seat, code: str) -> None:
        """Note that what had this trouble has succeeded."""
        if not code or seat.trouble != code:
            return
        if code == "chain_away":
            self._log.emit("chain_back", subnet=seat.subnet.name)
        seat.trouble = ""

    async def _report(self) -> None:
        while True:
            for seat in self._seats:
                # Also where there are no rounds: consumers' words lie nowhere for long.
                if seat.tray is not None:
                    with suppress(OSError):
                        seat.tray.tidy()
            self._status.write(
                state="validating",
                monitor_port=self._monitor.port,
                subnets={seat.subnet.name: _state(seat) for seat in self._seats},
            )
            await asyncio.sleep(1.0)

    def _metrics(self) -> Iterable[Metric]:
        by_subnet = {seat.subnet.name: seat for seat in self._seats}
        counted = (
            ("mycelia_samples_total", "Samples since the process began.", self._verdicts),
            ("mycelia_audits_total", "Answers to consumers that were judged.", self._audits),
        )
        for name, about, counts in counted:
            yield Metric(
                name,
                about,
                {
                    (("subnet", subnet), ("verdict", verdict)): float(count)
                    for (subnet, verdict), count in counts.items()
                },
            )
        columns: dict[tuple[str, str], Callable[[Seat], float]] = {
            ("mycelia_rounds", "Rounds recorded."): lambda seat: seat.round,
            ("mycelia_permit", "1 with a permit."): lambda seat: seat.permit_since_s is not None,
            ("mycelia_weights_height", "Block of the last weights."): lambda s: s.weights_height,
            ("mycelia_chain_height", "Newest block seen."): lambda seat: (
                seat.graph.height if seat.graph else -1
            ),
            ("mycelia_quality_mean", "Mean quality of the miners."): mean_quality,
            ("mycelia_attested", "Miners that hold a word of this validator's."): lambda seat: (
                len(seat.voucher.attested()) if seat.voucher else 0
            ),
        }
        for (name, about), value in columns.items():
            values = {subnet: float(value(seat)) for subnet, seat in by_subnet.items()}
            yield Metric.by("subnet", name, about, values)

    def _health(self) -> Health:
        """Not well while any subnet's chain or ledger gives trouble."""
        troubles = [f"{s.subnet.name}: {s.trouble}" for s in self._seats if s.trouble]
        return Health(not troubles, "; ".join(troubles) or "validating")


def mean_quality(seat: Seat) -> float:
    """Mean quality of the miners that a seat knows; 0 without any."""
    qualities = [standing.quality for standing in seat.book.values() if standing.samples]
    return sum(qualities) / len(qualities) if qualities else 0.0


def _state(seat: Seat) -> dict[str, Any]:
    return {
        "netuid": seat.netuid,
        "round": seat.round,
        "permit": seat.permit_since_s is not None,
        "weights_height": seat.weights_height,
        "trouble": seat.trouble,
        "scores": {
            standing.miner.uid: {
                "hotkey": standing.miner.hotkey,
                "quality": standing.quality,
                "samples": standing.samples,
                "failures": standing.failures,
                "latency_ms": standing.latency_ms,
                "reason": standing.reason,
            }
            for standing in seat.book.values()
        },
    }
