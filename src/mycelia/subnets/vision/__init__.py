"""Vision: recognise handwritten digits in pictures that nobody has seen before."""

from mycelia.neuron import Spec
from mycelia.subnets.vision.miners import MINERS
from mycelia.subnets.vision.subnet import Answer, Ask, Vision

SPEC = Spec(
    subnet=Vision,
    miners=MINERS,
    models=("digits", "digits-network", "digits-linear", "digits-centroid"),
)

__all__ = ["MINERS", "SPEC", "Answer", "Ask", "Vision"]
