"""Runs a network from its plan: claims what it needs, starts processes, sets up the chain, watches.

Whatever ends it -- a signal, a failure, the wanted number of epochs -- nothing is left running.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from mycelia.cli.up import measures, programs, view
from mycelia.cli.up.bootstrap import (
    RAO,
    Bootstrap,
    Wallets,
    endowments,
    made_wallets,
    node_answers,
)
from mycelia.cli.up.plan import (
    HOST,
    NODE,
    SUDO,
    VALIDATORS,
    Options,
    Plan,
    Record,
    planned,
)
from mycelia.cli.up.ports import assigned, demand_free, locked
from mycelia.cli.up.room import Room, needed
from mycelia.cli.up.supervisor import Child, Supervisor
from mycelia.cli.up.watch import Snapshot, Watch
from mycelia.models import ModelStore
from mycelia.monitor import Health, Metric, Monitor
from mycelia.neuron.chain import CallFailed, Chain, ChainAway
from mycelia.neuron.events import EventLog
from mycelia.neuron.subnet import Spec
from mycelia.primitives.errors import AppError

NODE_LIMIT_S = 60.0
FIRST_EPOCH_LIMIT_S = 600.0
_LOOK_S = 1.0
_STALL_S = 120.0
_STALL_EPOCHS = 6


def run(options: Options, registry: Mapping[str, Spec]) -> int:
    """Run a network until it is told to stop; the exit status. Raises AppError."""
    started_s = time.monotonic()
    console = view.console(options)
    plan = planned(options, registry)
    with needed(options.folder), locked(options.folder):
        demand_free(HOST, options.rpc_port, "--rpc-port", "node's RPC")
        demand_free(HOST, options.gateway_port, "--gateway-port", "gateway")
        plan.folder.make(fresh=options.fresh)
        record = plan.folder.load(options.seed)
        fetch_models(plan, registry, console)
        wallets = made_wallets(plan, options.seed)
        _write_genesis(plan, wallets)
        names = (NODE, *(miner.name for miner in plan.miners))
        ports = assigned(HOST, names, record.ports, options.folder)
        record = replace(record, ports={**record.ports, **ports})
        plan.folder.save(record)
        return asyncio.run(_Network(plan, wallets, record, console, started_s).run())


def fetch_models(plan: Plan, registry: Mapping[str, Spec], console: Console) -> None:
    """Find, download or make every model of the plan's subnets, showing progress."""
    store = ModelStore()
    wanted = dict.fromkeys(
        model for subnet in plan.subnets for model in registry[subnet.name].models
    )
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, object] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)  # type: ignore[arg-type]

        for name in wanted:
            store.ensure(name, tell)


def _write_genesis(plan: Plan, wallets: Wallets) -> None:
    """Who has what at the start; written once, since a chain has one genesis."""
    path = plan.folder.genesis
    if path.exists():
        return
    genesis = {
        "sudo": wallets[SUDO].coldkey.ss58_address,
        "balances_rao": {
            wallets[name].coldkey.ss58_address: str(tao * RAO)
            for name, tao in endowments(plan).items()
        },
    }
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps(genesis, indent=2), encoding="utf-8")
    scratch.replace(path)


@dataclass
class _Network:
    """A network between its start and its stop."""

    plan: Plan
    wallets: Wallets
    record: Record
    console: Console
    started_s: float
    has_paid: bool = False
    has_told: bool = False
    """How to ask the gateway."""
    hopeless: asyncio.Event = field(default_factory=asyncio.Event)
    snapshot: Snapshot | None = None
    """As last seen."""
    trouble: str | None = None
    """What keeps it from looking at the chain just now, as said to the operator."""

    async def run(self) -> int:
        folder = self.plan.folder
        self.log = EventLog(folder.logs / "up.jsonl", "up")
        self.supervisor = Supervisor(folder.logs, on_give_up=self._given_up, log=self.log)
        self.chain = Chain(self.plan.options.endpoint, sdk_folder=folder.sdk)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        asyncio.get_running_loop().set_exception_handler(self._unhandled)
        self.room = Room(folder.path, self._tell)
        monitor = Monitor("up", self._metrics, self._health, {"/targets": self._targets})
        port = await monitor.start(self.plan.options.monitor_port)
        self._tell(f"metrics and health of everything: http://{HOST}:{port}/targets")
        work = asyncio.create_task(self._work())
        room = asyncio.create_task(self.room.watch())
        stopped = asyncio.create_task(stop.wait())
        failed = asyncio.create_task(self.hopeless.wait())
        try:
            await asyncio.wait({work, stopped, failed}, return_when=asyncio.FIRST_COMPLETED)
            if failed.done():
                given_up = (c for c in self.supervisor.children.values() if c.given_up)
                raise self.supervisor.explained(next(given_up))
            if work.done():
                return self._result(work)
            return 0 if self.plan.options.until_epochs is None else 130
        finally:
            tasks = (work, room, stopped, failed)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await monitor.stop()
            await asyncio.gather(self.chain.close(), self.supervisor.stop())
            self.log.emit("stopped")
            self.log.close()

    def _metrics(self) -> Iterable[Metric]:
        return measures.metrics(self.supervisor.children, self.snapshot)

    def _health(self) -> Health:
        trouble = "the disk is full" if self.room.is_full else self.trouble
        return measures.health(self.supervisor.children, self.snapshot, trouble)

    def _targets(self) -> object:
        return measures.targets(self.plan, self.record.ports)

    def _unhandled(self, _loop: asyncio.AbstractEventLoop, context: Mapping[str, object]) -> None:
        """Note what a library left lying about, such as a task whose end nobody awaited."""
        error = context.get("exception")
        self.log.emit("unhandled", message=context.get("message"), error=repr(error))

    def _given_up(self, child: Child) -> None:
        """A network that has begun to pay can do without one miner; else something is wrong."""
        self.log.emit("given_up", name=child.program.name)
        if not self.has_paid or child.program.name not in {m.name for m in self.plan.miners}:
            self.hopeless.set()

    def _result(self, work: asyncio.Task[int]) -> int:
        """The exit status; where the node died under the work, its reason instead of the symptom."""
        try:
            return work.result()
        except ChainAway as error:
            node = self.supervisor.children.get(NODE)
            if node is not None and node.last_exit is not None:
                raise self.supervisor.explained(node) from error
            raise

    async def _work(self) -> int:
        """Everything from the first process to the last wanted epoch."""
        options, folder = self.plan.options, self.plan.folder
        self._tell("starting the node")
        node = await self.supervisor.start(programs.node(self.plan, self.record))
        try:
            await node_answers(self.chain, NODE_LIMIT_S)
        except TimeoutError as error:
            raise AppError(
                "node_silent",
                f"The node did not answer within {NODE_LIMIT_S:g} s:"
                f" {self.supervisor.last_words(NODE) or 'no output'}",
                f"See {folder.logs / 'node.out'}.",
            ) from error
        node.has_worked = True
        bootstrap = Bootstrap(
            self.plan, self.wallets, self.chain, self.record, self.log, self._tell
        )
        await bootstrap.create()
        # Loading models and settling accounts take about as long: side by side.
        await asyncio.gather(self._start_neurons(bootstrap.record), bootstrap.set_up())
        self._tell("waiting for the first paid epoch")
        names = {wallet.hotkey.ss58_address: name for name, wallet in self.wallets.items()}
        watch = Watch(self.plan, self.chain, self.supervisor, bootstrap.record.netuids, names)
        with self._shown() as show:

            async def look() -> Snapshot:
                self.snapshot = await watch.look()
                show(self.snapshot)
                self._tell_how_to_ask(self.snapshot)
                return self.snapshot

            await self._until_paid(look, 1, FIRST_EPOCH_LIMIT_S)
            self.has_paid = self.supervisor.relentless = True
            took_s = time.monotonic() - self.started_s
            self.log.emit("first_paid_epoch", after_s=round(took_s, 1))
            self._tell(f"first paid epoch after {took_s:.1f} s")
            if self.snapshot is not None:
                self._tell_how_to_ask(self.snapshot)
            limit_s = max(_STALL_S, _STALL_EPOCHS * options.tempo_blocks * options.block_time_s)
            epochs = 2
            async with _beside(self._settle_tempo(bootstrap)):
                while options.until_epochs is None or epochs <= options.until_epochs:
                    await self._until_paid(look, epochs, limit_s)
                    epochs += 1
        self._tell(f"{options.until_epochs} paid epochs reached")
        return 0

    async def _start_neurons(self, record: Record) -> None:
        for miner in self.plan.miners:
            await self.supervisor.start(programs.miner(self.plan, record, miner))
        for name in VALIDATORS:
            await self.supervisor.start(programs.validator(self.plan, record, name))
        await self.supervisor.start(programs.gateway(self.plan, record))

    async def _settle_tempo(self, bootstrap: Bootstrap) -> None:
        """Go over to the wanted tempo, however often the node goes away meanwhile."""
        while True:
            try:
                return await bootstrap.set_tempo(self.plan.options.tempo_blocks)
            except (ChainAway, CallFailed) as error:
                self.log.emit("tempo_unsettled", code=error.code, message=error.message)
                await asyncio.sleep(_LOOK_S)

    async def _until_paid(
        self, look: Callable[[], Awaitable[Snapshot]], epochs: int, limit_s: float
    ) -> None:
        """Look until every subnet has had this many paid epochs. Raises AppError if none comes."""
        ends_s = time.monotonic() + limit_s
        while True:
            try:
                snapshot = await look()
            except (ChainAway, CallFailed) as error:
                # Also what the chain refuses now: a node without room, or one that just starts.
                self._in_trouble(error)
            else:
                self._in_trouble(None)
                if snapshot.paid_epochs >= epochs:
                    return
            if time.monotonic() > ends_s and self.plan.options.until_epochs is not None:
                raise self._stalled(epochs, limit_s)
            await asyncio.sleep(min(_LOOK_S, self.plan.options.block_time_s))

    def _tell_how_to_ask(self, snapshot: Snapshot) -> None:
        """Say it once: when there has been pay, and validators attest somebody to ask."""
        if self.has_paid and snapshot.is_offered and not self.has_told:
            self.has_told = True
            self._tell(view.curl_line(self.plan))

    def _in_trouble(self, error: AppError | None) -> None:
        """Say once that the chain cannot be looked at, and once that it can again."""
        before, self.trouble = self.trouble, error.code if error else None
        if error:
            self.log.emit("chain_trouble", code=error.code, message=error.message)
        if error and before != error.code:
            self._tell(f"{error.message} Trying again.")
        elif before and not error:
            self._tell("the chain answers again")

    def _stalled(self, epochs: int, limit_s: float) -> AppError:
        down = [name for name, child in self.supervisor.children.items() if child.pid is None]
        return AppError(
            "stalled",
            f"Paid epoch {epochs} did not come within {limit_s:g} s"
            + (f"; not running: {', '.join(down)}." if down else "."),
            f"The processes' logs are in {self.plan.folder.logs}.",
        )

    def _shown(self) -> _Display:
        return _Display(self.plan, self.console)

    def _tell(self, message: str) -> None:
        self.log.emit("up", message=message)
        # Wrapped by the terminal, if at all: what is copied from there stays one line.
        self.console.print(message, markup=False, soft_wrap=True)


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Do something else meanwhile, and no longer."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


class _Display:
    """Shows snapshots: a picture that stays in place on a terminal, lines elsewhere."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan = plan
        self._console = console
        self._before: Snapshot | None = None
        live = not plan.options.headless and console.is_terminal
        self._live = Live(console=console, auto_refresh=False) if live else None

    def __enter__(self) -> Callable[[Snapshot], None]:
        (self._live or nullcontext()).__enter__()
        return self._show

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._live.stop()

    def _show(self, snapshot: Snapshot) -> None:
        if self._live:
            self._live.update(view.picture(snapshot, self._plan), refresh=True)
        else:
            for line in view.lines(self._before, snapshot):
                self._console.print(line, markup=False)
        self._before = snapshot
