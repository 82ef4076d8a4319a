"""The gateway's process: the door, the directory behind it, and what it tells its operator."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from mycelia.gateway.app import LIMITS, Gateway
from mycelia.gateway.directory import ChainDirectory, Graphs
from mycelia.gateway.dispatch import Caller, Dispatcher
from mycelia.gateway.metrics import Metrics
from mycelia.gateway.routing import Router
from mycelia.neuron.events import EventLog, StatusFile
from mycelia.neuron.subnet import Spec
from mycelia.wire.listener import Listener

_STATUS_S = 1.0


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


class GatewayProcess:
    """Runs until told to stop. A failure of the chain never stops it; a taken port does.

    `caller` signs with the gateway's hotkey, which miners must have been told to serve.
    """

    def __init__(
        self,
        specs: Iterable[Spec],
        chain: Graphs,
        caller: Caller,
        config: GatewayConfig,
        *,
        log: EventLog | None = None,
        status: StatusFile | None = None,
    ) -> None:
        self.port = 0
        self.metrics = Metrics()
        self._config = config
        self._log = log or EventLog(None, "gateway")
        self._status = status or StatusFile(None)
        self._router = Router()
        self._directory = ChainDirectory(chain, config.netuids, log=self._log)
        dispatcher = Dispatcher(self._directory, caller, self._router, self.metrics)
        offered = [spec for spec in specs if spec.subnet.name in config.netuids]
        self._listener = Listener(
            Gateway(offered, self._directory, dispatcher, self.metrics), LIMITS
        )

    async def run(self, stop: Stop) -> None:
        """Serve until `stop`. Raises AppError when the port is taken."""
        self.port = await self._listener.start(self._config.host, self._config.port)
        self._log.emit("listening", host=self._config.host, port=self.port)
        tasks = [
            asyncio.create_task(self._directory.follow()),
            asyncio.create_task(self._report()),
        ]
        try:
            await stop.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._listener.stop()
            self._log.emit("stopped", requests=self.metrics.requests)

    async def _report(self) -> None:
        while True:
            known = [r for name in self._config.netuids for r in self._directory.routes(name)]
            self._router.forget(route.endpoint.hotkey for route in known)
            self._status.write(
                state="serving",
                port=self.port,
                miners=len(known),
                requests=self.metrics.requests,
            )
            await asyncio.sleep(_STATUS_S)
