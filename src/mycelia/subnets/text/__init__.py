"""Text: chat by a declared language model, every answer checkable by its tokens."""

from mycelia.neuron import Spec
from mycelia.subnets.text.messages import Answer, Ask, Message, Piece
from mycelia.subnets.text.miners import MINERS
from mycelia.subnets.text.subnet import OPENAI_MODEL, Text

SPEC = Spec(
    subnet=Text,
    miners=MINERS,
    models=("smollm2-135m-instruct", "smollm2-135m-instruct-q4_0"),
    openai_model=OPENAI_MODEL,
)

__all__ = ["MINERS", "OPENAI_MODEL", "SPEC", "Answer", "Ask", "Message", "Piece", "Text"]
