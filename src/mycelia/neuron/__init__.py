"""The neuron kit: what a miner and a validator need besides the work itself."""

from mycelia.neuron.declared import Declared
from mycelia.neuron.subnet import (
    Challenge,
    Context,
    Delta,
    Judgement,
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
    "Context",
    "Declared",
    "Delta",
    "Judgement",
    "Limits",
    "Meta",
    "Miner",
    "Reply",
    "Request",
    "Spec",
    "Subnet",
    "Variant",
]
