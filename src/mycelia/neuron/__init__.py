"""The neuron kit: what a miner and a validator need besides the work itself."""

from mycelia.neuron.subnet import (
    Challenge,
    Delta,
    Limits,
    Meta,
    Miner,
    Reply,
    Request,
    Spec,
    Subnet,
    Variant,
)

__all__ = [
    "Challenge",
    "Delta",
    "Limits",
    "Meta",
    "Miner",
    "Reply",
    "Request",
    "Spec",
    "Subnet",
    "Variant",
]
