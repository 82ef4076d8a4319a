"""Analysis: sentence vectors and labels, every answer checked against the declared model."""

from mycelia.neuron import Spec
from mycelia.subnets.analysis.messages import Answer, Ask, Class
from mycelia.subnets.analysis.miners import MINERS
from mycelia.subnets.analysis.subnet import OPENAI_MODEL, Analysis

SPEC = Spec(
    subnet=Analysis,
    miners=MINERS,
    models=("all-minilm-l6-v2-int8", "all-minilm-l6-v2-vocabulary"),
    openai_model=OPENAI_MODEL,
)

__all__ = ["MINERS", "OPENAI_MODEL", "SPEC", "Analysis", "Answer", "Ask", "Class"]
