"""The subnets that come with the network."""

from mycelia.neuron import Spec
from mycelia.subnets.analysis import SPEC as ANALYSIS
from mycelia.subnets.text import SPEC as TEXT
from mycelia.subnets.vision import SPEC as VISION

REGISTRY: dict[str, Spec] = {spec.subnet.name: spec for spec in (TEXT, VISION, ANALYSIS)}
"""All built-in subnets by name, in the order in which a launcher creates them."""

__all__ = ["REGISTRY"]
