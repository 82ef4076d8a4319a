"""What every model adapter must do: subclass a suite, say how to make a model, and pytest runs it.

class TestMine(ModelSuite):
    module = "mine.adapter"
    heavy = "framework"
    asks = (..., ...)
    refused = (...,)

    async def make(self) -> Model: ...
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from mycelia.models.face import (
    AskRefused,
    CardIncomplete,
    ChatModel,
    Model,
    ModelClosed,
    Prompt,
    folded,
)
from mycelia.models.store import ModelUnreadable

_CLOSED_S = 20.0
"""Longest that a call under way may take when its model is closed."""

# Suites are written for models of any asks and answers.
AnyModel = Model[Any, Any]


def same(one: Any, other: Any) -> bool:
    """Whether two answers are equal, arrays compared bit for bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return bool(one == other)


class ModelSuite:
    """The laws of `mycelia.models.face.Model`."""

    module: ClassVar[str]
    """Of the adapter."""
    heavy: ClassVar[str] = ""
    """Framework that importing the adapter must not load; empty if there is none."""
    asks: tuple[Any, ...]
    """At least two, with different answers."""
    refused: tuple[Any, ...]
    """Asks that the model cannot take."""

    async def make(self) -> AnyModel:
        raise NotImplementedError

    @pytest.fixture
    async def model(self) -> AsyncIterator[AnyModel]:
        model = await self.make()
        yield model
        await model.close()

    async def test_it_says_what_it_is(self, model: AnyModel) -> None:
        card = model.describe()
        assert card.name
        assert "==" in card.runtime or card.runtime.startswith("server of ")
        assert model.describe() == card

    async def test_different_asks_have_different_answers_and_the_same_the_same(
        self, model: AnyModel
    ) -> None:
        first, second = self.asks[:2]
        answer = await model.run(first)
        assert not same(answer, await model.run(second))
        assert same(answer, await model.run(first))

    async def test_asks_at_once_are_answered_as_alone(self, model: AnyModel) -> None:
        alone = [await model.run(ask) for ask in self.asks]
        together = await asyncio.gather(*(model.run(ask) for ask in self.asks))
        assert all(map(same, alone, together))

    async def test_a_refused_ask_leaves_the_model_usable(self, model: AnyModel) -> None:
        expected = await model.run(self.asks[0])
        for ask in self.refused:
            with pytest.raises(AskRefused) as caught:
                await model.run(ask)
            assert caught.value.message
            assert same(await model.run(self.asks[0]), expected)

    async def test_a_caller_that_gives_up_leaves_the_model_usable(self, model: AnyModel) -> None:
        expected = await model.run(self.asks[0])
        task = asyncio.ensure_future(model.run(self.asks[1]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert same(await model.run(self.asks[0]), expected)

    async def test_a_caller_waits_no_longer_than_its_deadline(self, model: AnyModel) -> None:
        expected = await model.run(self.asks[0])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await model.run(self.asks[1])
        assert same(await model.run(self.asks[0]), expected)

    async def test_closing_leaves_nobody_waiting(self, model: AnyModel) -> None:
        asking = [asyncio.ensure_future(model.run(self.asks[0])) for _ in range(4)]
        await asyncio.sleep(0.01)
        await model.close()
        async with asyncio.timeout(_CLOSED_S):
            found = await asyncio.gather(*asking, return_exceptions=True)
        answers = [outcome for outcome in found if not isinstance(outcome, ModelClosed)]
        assert not any(isinstance(answer, BaseException) for answer in answers), answers
        assert all(same(answer, answers[0]) for answer in answers)

    async def test_a_closed_model_says_so(self, model: AnyModel) -> None:
        await model.close()
        with pytest.raises(ModelClosed):
            await model.run(self.asks[0])
        await model.close()

    def test_its_framework_is_loaded_with_a_model_only(self) -> None:
        if not self.heavy:
            pytest.skip("there is no framework")
        program = f"import sys, {self.module}; sys.exit({self.heavy!r} in sys.modules)"
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


class FileSuite(ModelSuite):
    """The laws of a model from a file."""

    digest: str
    quantisation: str

    async def load(self, path: Path) -> AnyModel:
        raise NotImplementedError

    async def test_it_names_its_weights(self, model: AnyModel) -> None:
        card = model.describe()
        assert (card.sha256, card.quantisation) == (self.digest, self.quantisation)

    async def test_with_a_licence_it_can_be_claimed(self, model: AnyModel) -> None:
        card = model.describe()
        with pytest.raises(CardIncomplete, match="licence"):
            card.claim()
        claim = replace(card, licence="MIT").claim()
        assert (claim["weights"], claim["licence"]) == (self.digest, "MIT")

    async def test_the_same_file_gives_the_same_answers(self, model: AnyModel) -> None:
        again = await self.make()
        for ask in self.asks:
            assert same(await model.run(ask), await again.run(ask))
        await again.close()

    async def test_a_file_of_something_else_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "model"
        for content in (b"", b"no model", bytes(4096)):
            path.write_bytes(content)
            with pytest.raises(ModelUnreadable):
                await self.load(path)


class RowsSuite(FileSuite):
    """The laws of a model that answers for each row of an array."""

    rows: str
    """Name of the input whose rows are asks."""

    async def test_a_row_is_answered_as_alone(self, model: AnyModel) -> None:
        table = self.asks[0][self.rows]
        together = await model.run({self.rows: table})
        for number in range(len(table)):
            alone = await model.run({self.rows: table[number : number + 1]})
            for name, values in together.items():
                # Sums of a batch may be rounded in another order.
                assert np.allclose(values[number], alone[name][0], rtol=1e-5, atol=1e-6)

    async def test_no_rows_are_refused_or_answered_by_none(self, model: AnyModel) -> None:
        table = self.asks[0][self.rows]
        try:
            answer = await model.run({self.rows: table[:0]})
        except AskRefused:
            return
        assert all(len(values) == 0 for values in answer.values())


class ChatSuite(ModelSuite):
    """The laws of a model that talks."""

    model_context: int
    """Tokens that fit; a longer prompt is refused."""

    async def make(self) -> ChatModel:
        raise NotImplementedError

    @property
    def asks(self) -> tuple[Prompt, ...]:  # type: ignore[override]
        return tuple(
            Prompt((("system", "Be brief."), ("user", words)), max_tokens=8, temperature=0.0)
            for words in ("Name a colour.", "What is two plus two?", "Say hello.")
        )

    @property
    def refused(self) -> tuple[Prompt, ...]:  # type: ignore[override]
        return (
            Prompt(()),
            Prompt((("user", "x"),), max_tokens=0),
            Prompt((("user", "x"),), temperature=9.0),
            Prompt((("robot", "x"),)),
            Prompt((("user", "word " * self.model_context),), max_tokens=8),
        )

    async def test_parts_join_to_the_whole(self, model: ChatModel) -> None:
        async with aclosing(model.stream(self.asks[0])) as parts:
            seen = [part async for part in parts]
        assert len(seen) > 1
        assert all(part.finish is None for part in seen[:-1])
        whole = await model.run(self.asks[0])
        assert whole.text == "".join(part.text for part in seen)
        assert whole.finish == seen[-1].finish

    async def test_an_answer_ends_at_the_limit(self, model: ChatModel) -> None:
        story = Prompt((("user", "Tell a long story."),), max_tokens=5, temperature=0.0)
        answer = await model.run(story)
        assert answer.finish == "length"
        assert answer.text.strip()

    async def test_leaving_a_stream_early_leaves_the_model_usable(self, model: ChatModel) -> None:
        expected = await model.run(self.asks[0])
        story = Prompt((("user", "Tell a long story."),), max_tokens=200, temperature=0.0)
        async with aclosing(model.stream(story)) as parts:
            async for part in parts:
                if part.text:
                    break
        assert await model.run(self.asks[0]) == expected

    async def test_a_deadline_ends_the_work_too(self, model: ChatModel) -> None:
        story = Prompt((("user", "Tell a long story."),), max_tokens=100, temperature=0.0)
        told: list[tuple[float, float]] = []
        for _ in range(
            10
        ):  # times on a busy machine are uneven; work that goes on is in the way each time
            began_s = time.monotonic()
            await model.run(story)
            whole_s = time.monotonic() - began_s
            try:
                async with asyncio.timeout(whole_s / 20):
                    await model.run(story)
            except TimeoutError:
                began_s = time.monotonic()
                await model.run(self.asks[0])  # eight tokens: no need to wait for the story's rest
                told.append((time.monotonic() - began_s, whole_s))
                if told[-1][0] < 0.8 * whole_s:
                    return
        raise AssertionError(told)

    async def test_a_seed_repeats_an_answer(self, model: ChatModel) -> None:
        warm = Prompt((("user", "Invent a name."),), max_tokens=12, temperature=1.5, seed=7)
        one, again = [await folded(model.stream(warm)) for _ in range(2)]
        assert one == again
