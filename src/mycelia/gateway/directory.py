"""Which miners serve a subnet, where, and how well validators think of them.

A snapshot of the chain, renewed in the background: a request never waits for the chain, and while
the node is away the last snapshot stays good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mycelia.neuron.chain import CallFailed, ChainAway, Metagraph
from mycelia.neuron.events import EventLog
from mycelia.neuron.manifest import Manifest
from mycelia.wire.contract import Endpoint

REFRESH_S = 2.0


@dataclass(frozen=True, slots=True)
class Route:
    """A miner that serves a subnet. `incentive` is its share by consensus, 0..1."""

    endpoint: Endpoint
    subnet: str
    netuid: int
    uid: int
    incentive: float
    epoch: int = 0
    """Height of the subnet's last epoch: receipts are booked under it."""
    manifest: Manifest | None = None
    """What the miner claims to run, if validators attest it."""
    claim: bytes | None = None
    """The manifest's digest: answers must be given under it."""


class Directory(Protocol):
    """Knows the routes of each subnet at this moment."""

    def routes(self, subnet: str) -> Sequence[Route]: ...

    def withheld(self, subnet: str) -> int:
        """Miners that serve it and are not offered, because nobody attests what they run."""


class Claims(Protocol):
    """Knows which claims validators attest."""

    async def attach(self, graph: Metagraph, routes: tuple[Route, ...]) -> tuple[Route, ...]:
        """Return the routes with the manifests that hold for them. Raises as the chain does."""


class Graphs(Protocol):
    """The part of the chain that a directory reads."""

    async def metagraph(self, netuid: int) -> Metagraph: ...


class ChainDirectory:
    """A `Directory` that follows the metagraphs of some subnets, given as netuid by name.

    With `claims`, each route carries the manifest that validators attest; if they are `required`,
    miners without one are no routes.
    """

    def __init__(
        self,
        chain: Graphs,
        netuids: Mapping[str, int],
        *,
        log: EventLog | None = None,
        refresh_s: float = REFRESH_S,
        claims: Claims | None = None,
        claims_required: bool = False,
    ) -> None:
        self._chain = chain
        self._netuids = dict(netuids)
        self._log = log or EventLog(None, "gateway")
        self._refresh_s = refresh_s
        self._claims = claims
        self._claims_required = claims_required
        self._routes: dict[str, tuple[Route, ...]] = {}
        self._withheld: dict[str, int] = {}
        self.graphs: dict[str, Metagraph] = {}
        """The newest snapshots, by subnet."""

    def routes(self, subnet: str) -> Sequence[Route]:
        """Return the routes of the newest snapshot; none for an unknown subnet."""
        return self._routes.get(subnet, ())

    def withheld(self, subnet: str) -> int:
        """Return how many miners the newest snapshot knows beyond its routes."""
        return self._withheld.get(subnet, 0)

    async def follow(self) -> None:
        """Renew the snapshots, forever."""
        trouble = ""
        while True:
            try:
                await self.refresh()
                trouble = ""
            except (ChainAway, CallFailed) as error:
                # Said once per kind of trouble: an absent node would fill the log.
                if error.code != trouble:
                    self._log.emit("chain_trouble", code=error.code, message=error.message)
                trouble = error.code
            await asyncio.sleep(self._refresh_s)

    async def refresh(self) -> None:
        """Renew the snapshots once. Raises ChainAway or CallFailed and keeps what there was."""
        for name, netuid in self._netuids.items():
            graph = self.graphs[name] = await self._chain.metagraph(netuid)
            if self._claims is None:
                self._routes[name] = routes_of(name, graph)
            else:
                self._routes[name] = await self._with_claims(self._claims, name, graph)

    async def _with_claims(self, claims: Claims, name: str, graph: Metagraph) -> tuple[Route, ...]:
        routes = routes_of(name, graph)
        if self._claims_required:
            attached = await claims.attach(graph, routes)
            held = tuple(route for route in attached if route.manifest is not None)
            self._withheld[name] = len(routes) - len(held)
            return held
        # Served at once: reading claims can take as long as the slowest miner.
        self._routes.setdefault(name, routes)
        try:
            return await claims.attach(graph, routes)
        except CallFailed:
            # A chain that keeps no claims is no reason not to serve by it.
            return routes


def routes_of(subnet: str, graph: Metagraph) -> tuple[Route, ...]:
    """Return the neurons of a metagraph that publish an address."""
    return tuple(
        Route(
            Endpoint(neuron.hotkey, neuron.host, neuron.port),
            subnet,
            graph.netuid,
            neuron.uid,
            neuron.incentive,
            graph.last_step,
        )
        for neuron in graph.neurons
        if neuron.host is not None and neuron.port > 0
    )
