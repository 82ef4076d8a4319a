"""Lays a few of the answers that consumers were given before the validators of the same operator."""

from __future__ import annotations

import random
from collections.abc import Sequence

from mycelia.gateway.directory import Route
from mycelia.neuron.audits import Audit, Tray
from mycelia.neuron.events import EventLog
from mycelia.neuron.subnet import Reply, Request, Subnet
from mycelia.wire.receipt import Receipt

SHARE = 0.1
"""Of the answers that can be judged. Validators throw away what they have no time for."""
_CHANCE = random.SystemRandom()


class Auditors:
    """Trays of some validators; without any it does nothing."""

    def __init__(self, trays: Sequence[Tray] = (), log: EventLog | None = None) -> None:
        self._trays = trays
        self._log = log or EventLog(None, "gateway")
        self._has_trouble = False

    def offer(
        self, subnet: type[Subnet], ask: Request, reply: Reply, route: Route, receipt: Receipt
    ) -> None:
        """Lay a complete answer before one of them, now and then."""
        if not self._trays or subnet.needs_truth or _CHANCE.random() >= SHARE:
            return
        audit = Audit(
            netuid=route.netuid,
            hotkey=receipt.miner,
            claim=receipt.claim.hex() if receipt.claim else "",
            latency_ms=receipt.finished_ms - receipt.started_ms,
            first_byte_ms=receipt.first_byte_ms - receipt.started_ms,
            ask=ask.model_dump(mode="json"),
            answer=reply.model_dump(mode="json"),
        )
        had_trouble, self._has_trouble = self._has_trouble, False
        try:
            _CHANCE.choice(self._trays).put(audit)
        except OSError as error:
            # The answer is none the worse for it. Said once: a full disk would fill the log.
            self._has_trouble = True
            if not had_trouble:
                self._log.emit("tray_trouble", error=str(error))
