"""A metagraph of which clients choose the fields, by their numbers.

Source: subtensor@14bc6f9 `rpc_info/metagraph.rs`, `SelectiveMetagraph`.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from mycelia.codec import U16, Compact, Record, Scale, scale
from mycelia.codec.scale import Option, TypeShape
from mycelia.codec.types import record_fields
from mycelia.pallets.subtensor.info.types import Metagraph, Text
from mycelia.primitives import AccountId


class Chosen(Scale[Any]):
    """An `Option` that tells whether a field was asked for: a value comes as a tuple of one."""

    min_bytes = 1

    def __init__(self, inner: Scale[Any]) -> None:
        self._inner = inner

    def put(self, value: tuple[Any] | None, out: bytearray) -> None:
        if value is None:
            out.append(0)
        else:
            out.append(1)
            self._inner.put(value[0], out)

    def shape(self) -> TypeShape:
        return Option(self._inner).shape()


FIELDS: Final[dict[str, Any]] = {
    **dict(record_fields(Metagraph)),
    "validators": tuple[Compact[U16], ...],
    "commitments": tuple[tuple[AccountId, Text], ...],
}
"""Type of each field, in the order of the numbers by which clients choose."""
NAMES: Final = tuple(FIELDS)


class SelectiveMetagraph(Record, path="pallet_subtensor::rpc_info::metagraph::SelectiveMetagraph"):
    """The metagraph's fields that were asked for; `netuid` always."""

    __annotations__ = {
        name: of if name == "netuid" else Annotated[Any, Chosen(scale(of))]
        for name, of in FIELDS.items()
    }
