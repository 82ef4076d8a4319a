"""The gateway's process: the door, the directory behind it, and what it tells its operator."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mycelia.gateway.app import LIMITS, Gateway
from mycelia.gateway.auditing import Auditors
from mycelia.gateway.claims import AttestedClaims, Documents, Published
from mycelia.gateway.directory import ChainDirectory, Graphs
from mycelia.gateway.dispatch import Caller, Dispatcher
from mycelia.gateway.keys import KeyFile, KeyFileError, Keys
from mycelia.gateway.metering import Meter
from mycelia.gateway.metrics import Metrics
from mycelia.gateway.routing import Router
from mycelia.gateway.translation import Apertium
from mycelia.neuron.audits import Tray
from mycelia.neuron.events import EventLog, StatusFile
from mycelia.neuron.journal import JournalError
from mycelia.neuron.subnet import Spec
from mycelia.primitives.errors import AppError
from mycelia.wire.contract import Signer
from mycelia.wire.listener import Listener

_STATUS_S = 1.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Wire(Caller, Documents, Protocol):
    """The part of `WireClient` that a gateway needs."""


class Network(Graphs, Protocol):
    """The part of `Chain` that a gateway needs."""

    async def genesis(self) -> str: ...


class Stop(Protocol):
    """What ends a process: `asyncio.Event` fits."""

    async def wait(self) -> object: ...


@dataclass(frozen=True)
class GatewayConfig:
    """Where the gateway listens, and the netuid of each subnet it offers, by name."""

    netuids: Mapping[str, int]
    host: str = "127.0.0.1"
    port: int = 8080
    """0 chooses a free one."""
    keys: Path | None = None
    """File of API keys, read again when it changes; None leaves the gateway open."""
    journal: Path | None = None
    """File of receipts and usage; None keeps neither."""
    claims_required: bool = False
    """Offer only miners whose claims validators attest."""
    audits: Sequence[Path] = ()
    """Trays of validators that judge a few of the answers; see `neuron.audits`."""


def settle_memory() -> None:
    """Spare the collector what was loaded so far and stays: a tenth of the time of each request."""
    gc.collect()
    gc.freeze()


class GatewayProcess:
    """Runs until told to stop. A failure of the chain never stops it; a taken port does.

    `caller` signs with the gateway's hotkeys, which miners must have been told to serve; `signers`
    counter-sign receipts with them. `published` reads the digests of claims from the chain.
    """

    def __init__(
        self,
        specs: Iterable[Spec],
        chain: Network,
        caller: Wire,
        config: GatewayConfig,
        *,
        signers: Sequence[Signer] = (),
        published: Published | None = None,
        log: EventLog | None = None,
        status: StatusFile | None = None,
    ) -> None:
        """Raises `AppError` when the config is unsafe or a file of it cannot be used."""
        if config.keys is None and config.host not in _LOOPBACK:
            raise AppError(
                "open_door",
                f"A gateway without keys would serve everybody who reaches {config.host}.",
                "Make keys with `mycelia gateway key new`, or listen on 127.0.0.1.",
            )
        self.port = 0
        self.metrics = Metrics()
        self._config = config
        self._log = log or EventLog(None, "gateway")
        self._status = status or StatusFile(None)
        self._router = Router()
        self._directory = ChainDirectory(
            chain,
            config.netuids,
            log=self._log,
            claims=AttestedClaims(caller, published, chain.genesis) if published else None,
            claims_required=config.claims_required,
        )
        self._key_file = KeyFile(config.keys) if config.keys else None
        self._keys = Keys()
        if self._key_file is not None:
            self._key_file.changed()
            self._keys.replace(self._key_file.accounts())
        if config.journal is not None and signers:
            self._meter = Meter.open(config.journal, signers, self.metrics)
        else:
            self._meter = Meter(self.metrics)
        self._epochs: dict[str, int] = {}
        auditors = Auditors([Tray(path) for path in config.audits], self._log)
        dispatcher = Dispatcher(self._directory, caller, self._router, self.metrics, auditors)
        gateway = Gateway(
            [spec for spec in specs if spec.subnet.name in config.netuids],
            self._directory,
            dispatcher,
            self.metrics,
            keys=self._keys,
            meter=self._meter,
            translator=Apertium.found(),
        )
        self._listener = Listener(gateway, LIMITS)

    async def run(self, stop: Stop) -> None:
        """Serve until `stop`. Raises AppError when the port is taken."""
        self.port = await self._listener.start(self._config.host, self._config.port)
        self._log.emit("listening", host=self._config.host, port=self.port)
        settle_memory()
        tasks = {
            asyncio.create_task(self._directory.follow()),
            asyncio.create_task(self._report()),
            asyncio.ensure_future(stop.wait()),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # A fault of what runs beside ends the process: it is not served on.
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._listener.stop()
            await self._meter.close()
            self._log.emit("stopped", requests=self.metrics.requests)

    async def _report(self) -> None:
        while True:
            known = [r for name in self._config.netuids for r in self._directory.routes(name)]
            self._router.forget(route.endpoint.hotkey for route in known)
            self._reload_keys()
            await self._seal()
            self._status.write(
                state="serving",
                port=self.port,
                miners=len(known),
                requests=self.metrics.requests,
                waiting=[name for name in self._config.netuids if not self._directory.routes(name)],
            )
            await asyncio.sleep(_STATUS_S)

    def _reload_keys(self) -> None:
        """Take over a file of keys that has changed; a damaged one changes nothing."""
        if self._key_file is None or not self._key_file.changed():
            return
        try:
            accounts = self._key_file.accounts()
        except KeyFileError as error:
            self._log.emit("key_trouble", code=error.code, message=error.message)
        else:
            self._keys.replace(accounts)
            self._log.emit("keys_read", keys=len(accounts))

    async def _seal(self) -> None:
        """Seal the receipts of epochs that ended."""
        book = self._meter.book
        if book is None:
            return
        for subnet, graph in self._directory.graphs.items():
            before = self._epochs.get(subnet)
            self._epochs[subnet] = graph.last_step
            if before is not None and before < graph.last_step:
                try:
                    root = await book.seal(subnet, before)
                except JournalError as error:
                    self._epochs[subnet] = before
                    self._log.emit("journal_trouble", code=error.code, message=error.message)
                    continue
                self._log.emit(
                    "sealed", subnet=subnet, epoch=before, count=root.count, root=root.root.hex()
                )
