"""Which miners' claims hold, by what miners show, the chain says and validators attest.

A claim holds while validators with at least half of the permitted stake of its subnet attest it:
one of them alone can neither force a miner in nor keep it out.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from mycelia.gateway.directory import Route
from mycelia.neuron.chain import Metagraph
from mycelia.neuron.claims import checked_claim
from mycelia.neuron.manifest import MOST_ATTESTATIONS, PATH, ClaimDocument, ClaimError, Place
from mycelia.wire.contract import Endpoint
from mycelia.wire.errors import WireError

QUORUM = 0.5
"""Share of the permitted stake whose word is needed."""
LOOK_S = 10.0
"""Between two looks at a miner's document; attestations hold for minutes."""
NEW_S = 120.0
"""For so long after a miner came its document is looked at each time."""
_ANSWER_S = 2.0
_AT_ONCE = 16


class Documents(Protocol):
    """The part of `WireClient` that reads what miners show."""

    async def document(self, endpoint: Endpoint, path: str, deadline_s: float) -> bytes: ...


Published = Callable[[int], Awaitable[Mapping[str, bytes]]]
"""Digests of manifests on the chain, by hotkey, for a netuid."""
Genesis = Callable[[], Awaitable[str]]
"""Which network this is, see `Chain.genesis`."""


@dataclass(slots=True)
class _Seen:
    document: ClaimDocument | None
    looked_s: float
    since_s: float
    """When the miner was first looked at; monotonic, as all times here."""

    def is_due(self, now_s: float, look_s: float) -> bool:
        """Whether it is time for another look."""
        return now_s - self.looked_s >= look_s or now_s - self.since_s < NEW_S

    def remembered(self, found: ClaimDocument) -> ClaimDocument:
        """What was found, and the words for the same claim that a miner lost by a restart."""
        before = self.document
        if before is None or before.claim.manifest != found.claim.manifest:
            return found
        given = {a.attestation.validator: a for a in before.attestations if a.attestation.is_live}
        given |= {a.attestation.validator: a for a in found.attestations}
        words = list(given.values())[-MOST_ATTESTATIONS:]
        return found.model_copy(update={"attestations": words})


class AttestedClaims:
    """Reads documents of miners now and then, and weighs the words in them."""

    def __init__(
        self,
        documents: Documents,
        published: Published,
        genesis: Genesis,
        *,
        quorum: float = QUORUM,
        look_s: float = LOOK_S,
    ) -> None:
        self._documents = documents
        self._published = published
        self._genesis = genesis
        self._quorum = quorum
        self._look_s = look_s
        self._seen: dict[tuple[int, Endpoint], _Seen] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def attach(self, graph: Metagraph, routes: tuple[Route, ...]) -> tuple[Route, ...]:
        """Return the routes, each with its manifest if validators attest it."""
        await self._look(graph.netuid, routes)
        stakes = {n.hotkey: n.stake_rao for n in graph.neurons if n.permit}
        place = Place(await self._genesis(), graph.netuid)
        return tuple(self._with_manifest(route, place, stakes) for route in routes)

    def _with_manifest(self, route: Route, place: Place, stakes: Mapping[str, int]) -> Route:
        seen = self._seen.get((place.netuid, route.endpoint))
        document = seen.document if seen else None
        if document is None or document.claim.manifest.subnet != route.subnet:
            return route
        # A miner with a permit is a validator, too, but not of its own claim.
        others = {hotkey: s for hotkey, s in stakes.items() if hotkey != route.endpoint.hotkey}
        word = sum(others[hotkey] for hotkey in document.attested_by(place, among=others))
        total = sum(others.values())
        if not total or word < self._quorum * total:
            return route
        manifest = document.claim.manifest
        return replace(route, manifest=manifest, claim=manifest.digest())

    async def _look(self, netuid: int, routes: Iterable[Route]) -> None:
        """Renew what is known of miners not looked at for a while."""
        now_s = time.monotonic()
        here = {(netuid, route.endpoint) for route in routes}
        self._seen = {k: v for k, v in self._seen.items() if k in here or k[0] != netuid}
        for key in here - self._seen.keys():
            self._seen[key] = _Seen(None, -math.inf, now_s)
        due = [key for key in here if self._seen[key].is_due(now_s, self._look_s)]
        if not due:
            return
        committed = await self._published(netuid)
        await asyncio.gather(*(self._read(key, committed, now_s) for key in due))

    async def _read(
        self, key: tuple[int, Endpoint], committed: Mapping[str, bytes], now_s: float
    ) -> None:
        (_, endpoint), seen = key, self._seen[key]
        try:
            async with self._slots:
                data = await self._documents.document(endpoint, PATH, _ANSWER_S)
            found = checked_claim(data, endpoint.hotkey, committed, lambda _: True)
        except WireError:
            pass  # Not reached this time: what was attested before still holds until it expires.
        except ClaimError:
            seen.document = None
        else:
            seen.document = seen.remembered(found)
        seen.looked_s = now_s
