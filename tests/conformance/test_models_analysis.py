"""The declared embedding model: repeatable, meaningful, and hard to pass off another one for."""

import asyncio
import os
import random

import numpy as np
import pytest

from mycelia.models import ModelStore
from mycelia.models.embedding import CONTEXT, DIMENSIONS, Embedder, load_embedder
from mycelia.models.store import ModelUnavailable
from mycelia.neuron import Meta
from mycelia.subnets.analysis import MINERS, SPEC, Analysis, Ask, Class
from mycelia.subnets.analysis.messages import unpacked
from mycelia.subnets.analysis.subnet import challenge_ask

pytestmark = [pytest.mark.slow, pytest.mark.net]

META = Meta(latency_ms=1.0, first_byte_ms=1.0, hotkey="5x")


@pytest.fixture(scope="module")
def store() -> ModelStore:
    store = ModelStore()
    try:
        for name in SPEC.models:
            store.ensure(name)
    except ModelUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    return store


@pytest.fixture(scope="module")
def model(store: ModelStore) -> Embedder:
    return load_embedder(store)


def near(model: Embedder, one: str, other: str) -> float:
    a, b = model.embed([one, other]).vectors
    return float(a @ b)


def test_vectors_are_unit_and_repeat_bit_for_bit(store: ModelStore, model: Embedder) -> None:
    texts = ["a cat", "", "ein Satz", "word " * 400]
    vectors = model.embed(texts).vectors
    assert vectors.shape == (4, DIMENSIONS)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-6)
    assert np.array_equal(load_embedder(store).embed(texts).vectors, vectors)


def test_a_vector_depends_on_its_text_alone(model: Embedder) -> None:
    together = model.embed(["short", "a longer text of several words"]).vectors
    alone = model.embed(["short"]).vectors
    assert np.array_equal(together[0], alone[0])


def test_other_kernels_give_nearly_the_same(store: ModelStore, model: Embedder) -> None:
    texts = ["the harbour at night", "an error that nobody could explain"]
    plain = load_embedder(store, optimised="none").embed(texts).vectors
    assert np.abs(plain - model.embed(texts).vectors).max() < 1e-5


def test_near_vectors_mean_alike(model: Embedder) -> None:
    sentence = "A cat rests on the rug."
    assert near(model, sentence, "The kitten sleeps on a carpet.") > 0.5
    assert near(model, sentence, "Interest rates rose again.") < 0.2


def test_what_is_beyond_the_context_is_not_read(model: Embedder) -> None:
    base = "river " * (CONTEXT - 2)
    read, longer = model.embed([base]), model.embed([base + "mountain"])
    assert read.tokens == longer.tokens == CONTEXT == model.count([base + "mountain"])
    assert np.array_equal(read.vectors, longer.vectors)


async def test_labels_are_those_that_a_person_would_give(store: ModelStore) -> None:
    ask = Ask(
        input=("My parcel has not arrived.", "The striker scored twice in the final."),
        classes=(
            Class(label="sport", examples=("The team won the match.",)),
            Class(label="delivery", examples=("The courier lost our package.",)),
        ),
    )
    answer = await MINERS["honest-a"].make(store)(ask)  # type: ignore[misc]
    assert answer.labels == ("delivery", "sport")
    assert await Analysis(store).score(ask, answer, None, META) == 1.0


async def test_honest_miners_get_everything_and_cheats_next_to_nothing(store: ModelStore) -> None:
    subnet, rng = Analysis(store), random.Random(6)
    asks = [(await subnet.challenge(rng)).ask for _ in range(20)]
    assert asks[0] == challenge_ask(random.Random(6))
    for variant in MINERS.values():
        miner = variant.make(store)
        answers = [await miner(ask) for ask in asks]  # type: ignore[misc]
        scores = [
            await subnet.score(
                ask, Analysis.Answer.model_validate_json(a.model_dump_json()), None, META
            )
            for ask, a in zip(asks, answers, strict=True)
        ]
        if variant.honest:
            assert scores == [1.0] * len(asks)
        else:
            assert sum(filter(None, scores)) <= 0.25 * len(asks), variant.name


async def test_miners_answer_several_at_once(store: ModelStore) -> None:
    miner = MINERS["honest-a"].make(store)
    asks = [Ask(input=(f"text number {n}",)) for n in range(8)]
    together = await asyncio.gather(*(miner(ask) for ask in asks))  # type: ignore[arg-type]
    alone = [await miner(ask) for ask in asks]  # type: ignore[misc]
    assert [unpacked(a.vectors).tobytes() for a in together] == [
        unpacked(a.vectors).tobytes() for a in alone
    ]


def test_the_calibration_finds_what_it_promises(store: ModelStore, capsys) -> None:
    from mycelia.subnets.analysis import calibrate

    assert calibrate.main(["--answers", "12", "--others", "12", "--seed", "3"]) == 0
    assert "false alarms 0/12" in capsys.readouterr().out
