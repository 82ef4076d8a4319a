"""What a row of the parameter tables can say.

A row is a storage declaration that also knows who may change it, within which bounds, by which call, what is told then,
and under which name clients see it. From the rows follow storage, the calls of AdminUtils, `get_subnet_hyperparams_v3`
and the parameter page of the docs.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from mycelia.frame import Error, Event, Hasher, Identity, Map, Value, ensure
from mycelia.pallets.subtensor.hyperparameters.errors import ValueNotInBounds
from mycelia.primitives import NetUid

V = TypeVar("V")


def told(name: str, index: int, of: Any, *, of_subnet: bool = True, field: str = "") -> type[Any]:
    """The event that tells a parameter's new value. `Any`: its fields are made here.

    On the wire they have names only where the value's `field` has one.
    """
    fields = {"netuid": NetUid} if of_subnet else {}
    fields[field or "value"] = of
    space = {"__annotations__": fields, "__doc__": "A parameter changed.", "__module__": __name__}
    keywords = {"index": index, "tuple_like": not field}
    made: type[Any] = types.new_class(name, (Event,), keywords, lambda body: body.update(space))
    return made


@dataclass(frozen=True)
class Bounds:
    """An inclusive range; `error` is raised outside of it, or below it where `above` is raised above."""

    low: int | None = None
    high: int | None = None
    error: type[Error] = ValueNotInBounds
    above: type[Error] | None = None

    def check(self, value: int) -> None:
        ensure(self.low is None or value >= self.low, self.error)
        ensure(self.high is None or value <= self.high, self.above or self.error)

    def errors(self) -> tuple[type[Error], ...]:
        """What `check` may raise."""
        if self.low is None and self.high is None:
            return ()
        return (self.error, self.above) if self.above else (self.error,)


UNLIMITED: Final = "unlimited"
"""As `owner`: the owner may change it as often as it likes."""
VERSION_KEY: Final = "version key"
"""As `owner`: the owner waits `WeightsVersionKeyRateLimit` epochs."""


@dataclass(frozen=True)
class Admin:
    """How a parameter is changed.

    `index` and `call` are the call's in AdminUtils, `argument` the name of its value. The new value is told by `event`
    of SubtensorModule and `notice` of AdminUtils. `owner` is
    the name under which the owner's changes are rate limited, `UNLIMITED` or `VERSION_KEY`; without it only
    root may call.
    `frozen` refuses changes shortly before an epoch.
    """

    index: int
    event: type[Any] | None = None
    notice: type[Any] | None = None
    argument: str = ""
    call: str = ""
    owner: str = ""
    bounds: Bounds = Bounds()
    owner_bounds: Bounds = Bounds()
    frozen: bool = True
    not_on_root: bool = False


class Parameter(Map[NetUid, V], Generic[V]):
    """A number that each subnet has: the default until it is set.

    `shown` is its name in `get_subnet_hyperparams_v3`, empty when it is not shown there.
    """

    def __init__(
        self,
        of: Any,
        *,
        default: V,
        doc: str,
        name: str = "",
        hasher: Hasher = Identity,
        admin: Admin | None = None,
        shown: str = "",
    ) -> None:
        super().__init__(NetUid, of, hasher=hasher, default=default, doc=doc, name=name)
        self.admin, self.shown = admin, shown


class GlobalParameter(Value[V], Generic[V]):
    """A number of the whole network: the default until root sets it."""

    def __init__(
        self, of: Any, *, default: V, doc: str, name: str = "", admin: Admin | None = None
    ) -> None:
        super().__init__(of, default=default, doc=doc, name=name)
        self.admin = admin


def events_of(body: Mapping[str, Any]) -> tuple[type[Event], ...]:
    """The events of all rows in a class body."""
    rows = (row for row in body.values() if isinstance(row, Parameter | GlobalParameter))
    return tuple(row.admin.event for row in rows if row.admin and row.admin.event)
