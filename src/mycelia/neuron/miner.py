"""A miner's process: serves one function on one subnet and publishes where.

It answers validators that hold a permit and the gateways its operator names; both lists follow the
chain. While the node is away it keeps serving whom it knew.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from mycelia.crypto import ss58_decode
from mycelia.monitor import Health, Metric, Monitor
from mycelia.neuron.chain import CallFailed, ChainAway, ChainPort, Metagraph, Neuron
from mycelia.neuron.claims import Claim
from mycelia.neuron.events import EventLog, StatusFile
from mycelia.neuron.routes import Traffic, batch_size, routes
from mycelia.neuron.subnet import Limits, Miner, Subnet
from mycelia.primitives.errors import AppError
from mycelia.wire.contract import AllowSet, Signer, WireLimits
from mycelia.wire.server import WireServer

REFRESH_S = 2.0
"""Between two looks at the chain; a new permit is honoured within this time."""
_STATUS_S = 1.0
_DESK_BYTES = 4 * 1024
"""Room for an attestation, where a subnet's own requests are smaller."""


class Stop(Protocol):
    """What ends a process: `asyncio.Event` fits."""

    def is_set(self) -> bool: ...
    async def wait(self) -> object: ...


@dataclass(frozen=True)
class MinerConfig:
    """Where a miner serves, and for whom besides validators."""

    netuid: int
    host: str
    port: int
    """0 chooses a free one."""
    gateways: frozenset[str] = frozenset()
    """Hotkeys of gateways to serve, ss58."""
    announce: bool = True
    """Publish the address on the chain."""
    monitor_port: int | None = None
    """Of metrics and health, on loopback; 0 takes a free one, None has none."""
    public_host: str | None = None
    """What the chain is told, where it differs from `host`: behind a router, or on all interfaces."""

    def __post_init__(self) -> None:
        """Raises AppError for what would be found out only once the hotkey is registered."""
        if self.announce and not _is_reachable(self.public_host or self.host):
            raise AppError(
                "bad_public_host",
                f"The chain cannot be told {self.public_host or self.host!r} as a miner's address.",
                "Give --public-host the IP address at which validators reach this machine.",
            )
        for hotkey in self.gateways:
            try:
                ss58_decode(hotkey)
            except ValueError as error:
                raise AppError(
                    "bad_hotkey", f"{hotkey!r} is no hotkey.", "Give --gateway an SS58 address."
                ) from error


def _is_reachable(host: str) -> bool:
    """Whether a host is an address that means a single machine to others."""
    try:
        return not ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def wire_limits(limits: Limits, batch: int = 1) -> WireLimits:
    """The wire's bounds that a subnet's limits imply, for a miner that takes so many asks at once."""
    return WireLimits(
        body_bytes=limits.body_bytes,
        deadline_s=limits.deadline_s,
        # One batch runs while the next gathers.
        inflight=max(limits.inflight, 2 * batch if batch > 1 else 1),
    )


class MinerProcess:
    """Runs until told to stop. A failure of the chain never stops it; a taken port does."""

    def __init__(
        self,
        subnet: type[Subnet],
        miner: Miner,
        keypair: Signer,
        chain: ChainPort,
        config: MinerConfig,
        *,
        claim: Claim | None = None,
        log: EventLog | None = None,
        status: StatusFile | None = None,
    ) -> None:
        """With a `claim` it shows and commits what it runs, and its receipts name that."""
        self.traffic = Traffic()
        self.authority = AllowSet(config.gateways)
        self._subnet = subnet
        self._config = config
        self._chain = chain
        self._hotkey = keypair.ss58_address
        self._log = log or EventLog(None, "miner")
        self._status = status or StatusFile(None)
        self._claim = claim
        served = routes(subnet, miner, self.traffic)
        limits = wire_limits(subnet.limits, batch_size(miner))
        if claim is None:
            self._server = WireServer(keypair, served, self.authority, limits)
        else:
            self._server = WireServer(
                keypair,
                {**served, **claim.desk.routes()},
                self.authority,
                replace(limits, body_bytes=max(limits.body_bytes, _DESK_BYTES)),
                public=claim.desk.public(),
            )
            self._server.claim = claim.desk.digest
        self.port = 0
        self._monitor = Monitor(log.process if log else "miner", self._metrics, self._health)
        self._chain_state = "not seen yet"
        self._registered: bool | None = None

    async def run(self, stop: Stop) -> None:
        """Serve until `stop`. Raises AppError when the port is taken.

        What the tasks beside the server cannot handle ends it: nobody would hear of the chain again.
        """
        self.port = await self._server.start(self._config.host, self._config.port)
        self._log.emit("listening", host=self._config.host, port=self.port)
        if self._config.monitor_port is not None:
            await self._monitor.start(self._config.monitor_port)
        following = asyncio.create_task(self._follow())
        reporting = asyncio.create_task(self._report())
        stopping = asyncio.create_task(stop.wait())
        tasks = (following, reporting, stopping)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._server.stop()
            await self._monitor.stop()
            self._log.emit("stopped", requests=self.traffic.requests)

    async def _follow(self) -> None:
        """Keep authority and announcement in line with the chain."""
        trouble = ""
        while True:
            try:
                graph = await self._chain.metagraph(self._config.netuid)
                self.authority.replace(self._allowed(graph))
                me = graph.neuron(self._hotkey)
                self._note_standing(registered=me is not None)
                await self._announce(me)
                if self._claim is not None and me is not None:
                    # One after the other: both are signed by the hotkey, in its order of nonces.
                    await self._claim.publish(self._log)
                trouble, self._chain_state = "", "followed"
            except (ChainAway, CallFailed) as error:
                # Said once per kind of trouble: an absent node would fill the log.
                if error.code != trouble:
                    self._log.emit(
                        "chain_trouble",
                        code=error.code,
                        message=error.message,
                        remedy=error.remedy,
                    )
                trouble = self._chain_state = error.code
            # Not in step with the other miners of a machine.
            await asyncio.sleep(REFRESH_S * random.uniform(0.8, 1.2))  # noqa: S311 - jitter

    def _note_standing(self, *, registered: bool) -> None:
        """Say once that nobody will ask this miner, and once that they will again."""
        if registered != self._registered:
            remedy = "" if registered else "Register the hotkey: `btcli subnets register`."
            event = "registered" if registered else "not_registered"
            netuid, hotkey = self._config.netuid, self._hotkey
            self._log.emit(event, netuid=netuid, hotkey=hotkey, remedy=remedy)
        self._registered = registered

    def _allowed(self, graph: Metagraph) -> Iterable[str]:
        return graph.permitted() | self._config.gateways

    async def _announce(self, me: Neuron | None) -> None:
        here = (self._config.public_host or self._config.host, self.port)
        if not self._config.announce or me is None or (me.host, me.port) == here:
            return
        await self._chain.serve_axon(self._config.netuid, *here)
        self._log.emit("announced", uid=me.uid, host=here[0], port=here[1])

    async def _report(self) -> None:
        while True:
            self._status.write(
                state="serving",
                subnet=self._subnet.name,
                port=self.port,
                monitor_port=self._monitor.port,
                requests=self.traffic.requests,
                failed=self.traffic.failed,
                claim=self._claim.desk.digest.hex() if self._claim else "",
                attested=len(self._claim.desk.live()) if self._claim else 0,
            )
            await asyncio.sleep(_STATUS_S)

    def _metrics(self) -> Iterable[Metric]:
        traffic = self.traffic
        outcomes = {"served": traffic.served, "refused": traffic.refused, "failed": traffic.failed}
        yield Metric.by("outcome", "mycelia_requests_total", "Requests by outcome.", outcomes)
        yield Metric.one(
            "mycelia_requests_inflight", "Requests under way.", float(self._server.inflight)
        )
        words = float(len(self._claim.desk.live())) if self._claim else 0.0
        yield Metric.one(
            "mycelia_attestations", "Validators whose word for its claim holds.", words
        )
        followed = float(self._chain_state == "followed")
        yield Metric.one("mycelia_chain_followed", "1 while the node answers.", followed)

    def _health(self) -> Health:
        """Well as long as it serves: without the chain it serves whom it knew."""
        return Health(True, f"serving {self._subnet.name}; chain: {self._chain_state}")
