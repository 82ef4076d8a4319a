"""A validator's own copy of the declared model, and its judgement of answers."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from mycelia.models.llama import LlamaModel, Schedule
from mycelia.subnets.text.messages import Answer, Ask
from mycelia.subnets.text.verification import follows

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
        self._verdicts: OrderedDict[tuple[Ask, Answer], bool] = OrderedDict()

    def accepts(self, ask: Ask, answer: Answer) -> bool:
        """Whether the answer is well formed and follows from the declared model."""
        key = (ask, answer)
        if key not in self._verdicts:
            self._verdicts[key] = self._well_formed(ask, answer) and self._genuine(ask, answer)
            if len(self._verdicts) > _REMEMBERED:
                self._verdicts.popitem(last=False)
        return self._verdicts[key]

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

    def _genuine(self, ask: Ask, answer: Answer) -> bool:
        prompt = self._model.vocabulary.conversation(ask.turns())
        if answer.prompt_tokens != len(prompt):
            return False
        shortfalls = self._model.shortfalls(
            prompt, answer.tokens, seed=ask.seed, temperature=ask.temperature
        )
        return follows(shortfalls)
