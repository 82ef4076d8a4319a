"""A validator's own copy of the declared model, and its judgement of answers."""

from __future__ import annotations

import math
from collections import OrderedDict
from pathlib import Path

from mycelia.models.llama import LlamaModel, Schedule
from mycelia.subnets.text.messages import Answer, Ask
from mycelia.subnets.text.verification import strain

WAYS = (Schedule(), Schedule(flash_attention=False), Schedule(chunk=64))
"""How validators evaluate the model: as miners are declared to, by another attention kernel, or in
greater chunks. Each has the way of its uid, modulo their number: what is wrong with one kernel is
not wrong with all, and a miner that played on one's rounding would play on one validator only."""

_REMEMBERED = 64  # judgements; miners that did the same work get the same one


class Judge:
    """Tells genuine answers from others. Blocking; one caller at a time."""

    def __init__(self, path: Path, schedule: Schedule) -> None:
        """Load the declared model from a verified file."""
        self._model = LlamaModel.load(path, schedule)
        self._strains: OrderedDict[tuple[Ask, Answer], float] = OrderedDict()

    def strain(self, ask: Ask, answer: Answer) -> float:
        """How much of the tolerance an answer uses up: 0 for an identical one, above 1 is too much.

        Infinite for one that is not well formed.
        """
        key = (ask, answer)
        if key not in self._strains:
            found = self._measured(ask, answer) if self._well_formed(ask, answer) else math.inf
            self._strains[key] = found
            if len(self._strains) > _REMEMBERED:
                self._strains.popitem(last=False)
        return self._strains[key]

    def _well_formed(self, ask: Ask, answer: Answer) -> bool:
        """The text is that of the tokens, and they stop where they may: at an end or the limit."""
        vocabulary, tokens = self._model.vocabulary, answer.tokens
        if not tokens or len(tokens) > ask.max_tokens:
            return False
        if not all(0 <= token < vocabulary.size for token in tokens):
            return False
        if any(token in vocabulary.end_tokens for token in tokens[:-1]):
            return False
        ended = tokens[-1] in vocabulary.end_tokens
        if not ended and len(tokens) < ask.max_tokens:
            return False
        said = "stop" if ended else "length"
        return answer.finish == said and answer.text == vocabulary.text(tokens)

    def _measured(self, ask: Ask, answer: Answer) -> float:
        prompt = self._model.vocabulary.conversation(ask.turns())
        if answer.prompt_tokens != len(prompt):
            return math.inf
        shortfalls = self._model.shortfalls(
            prompt, answer.tokens, seed=ask.seed, temperature=ask.temperature
        )
        return strain(shortfalls)
