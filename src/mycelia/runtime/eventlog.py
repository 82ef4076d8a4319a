"""The block's event log as clients read it: Vec<EventRecord> at `System.Events`."""

from __future__ import annotations

from typing import Any, Final

from mycelia.codec import H256, Scale, scale
from mycelia.codec.scale import Field, Sequence, TypeShape
from mycelia.frame.state import Told
from mycelia.pallets.system.pallet import System
from mycelia.pallets.system.types import EventRecords, Phase
from mycelia.runtime.compose import COMPOSITION

EVENTS_KEY: Final = next(spec.prefix for _, spec in System.spec.storage if spec.name == "Events")


class EventRecord(Scale[Told]):
    """Phase, event, topics (always none)."""

    min_bytes = 4

    def __init__(self) -> None:
        self._phase = scale(Phase)
        self._event = COMPOSITION.event_scale
        self._topics: Scale[Any] = scale(tuple[H256, ...])

    def put(self, value: Told, out: bytearray) -> None:
        self._phase.put(value.phase, out)
        self._event.put((value.pallet, value.event), out)
        out.append(0)

    def take(self, data: bytes, at: int) -> tuple[Told, int]:
        phase, at = self._phase.take(data, at)
        (pallet, event), at = self._event.take(data, at)
        _, at = self._topics.take(data, at)
        return Told(pallet, event, phase), at

    def shape(self) -> TypeShape:
        fields = (
            Field("phase", self._phase),
            Field("event", self._event),
            Field("topics", self._topics),
        )
        params = (("E", self._event), ("T", scale(H256)))
        return TypeShape("composite", ("frame_system", "EventRecord"), params, fields)


EVENT_LOG: Final = Sequence(EventRecord())
COMPOSITION.late[EventRecords] = EVENT_LOG
