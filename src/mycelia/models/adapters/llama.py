"""GGUF files, run by llama.cpp on a schedule that others can repeat."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from pathlib import Path

from mycelia.models.cards import card_of
from mycelia.models.face import (
    AskRefused,
    ChatModel,
    Completion,
    ModelClosed,
    Part,
    Prompt,
    checked_prompt,
    folded,
)
from mycelia.models.llama import MAX_SEED, ContextExceeded, LlamaModel, Schedule
from mycelia.models.worker import Worker


def load(path: Path, schedule: Schedule | None = None) -> ChatModel:
    """Load a verified file of a model that was trained to converse in ChatML.

    Raises:
        ModelUnreadable: it is no model file of a known architecture.
        RuntimeMismatch: another build of the library is installed.
    """
    return _Llama(path, LlamaModel.load(path, schedule))


class _Llama:
    def __init__(self, path: Path, model: LlamaModel) -> None:
        self._model = model
        self._worker = Worker(path.stem)
        self._closed = False
        schedule = model.schedule
        card = card_of(path, "xllamacpp", model.quantisation, str(schedule), schedule.context)
        self.describe = functools.cache(card)

    async def run(self, prompt: Prompt, /) -> Completion:
        async with aclosing(self.stream(prompt)) as parts:
            return await folded(parts)

    async def stream(self, prompt: Prompt, /) -> AsyncGenerator[Part, None]:
        messages = checked_prompt(prompt)
        if not 0 <= prompt.seed <= MAX_SEED:
            raise AskRefused("the seed has more than 63 bits")
        if self._closed:
            raise ModelClosed
        tokens = self._model.vocabulary.conversation(messages)
        try:
            self._model.check_room(len(tokens), prompt.max_tokens)
        except ContextExceeded as cause:
            raise AskRefused(cause.message.rstrip(".")) from cause
        async with aclosing(self._worker.iterate(lambda: self._parts(tokens, prompt))) as parts:
            async for part in parts:
                yield part

    def _parts(self, tokens: list[int], prompt: Prompt) -> Generator[Part, None, None]:
        steps = self._model.generate(
            tokens,
            max_tokens=prompt.max_tokens,
            seed=prompt.seed,
            temperature=prompt.temperature,
        )
        for number, step in enumerate(steps, start=1):
            if step.token in self._model.vocabulary.end_tokens:
                yield Part(step.text, "stop")
            else:
                yield Part(step.text, "length" if number == prompt.max_tokens else None)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._worker.close)
            self._model.close()
