"""Challenges are fresh, their seeds come out later, and guessing is worth nothing."""

import random
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from mycelia.models import ModelStore
from mycelia.models.digits import Digits
from mycelia.neuron import Meta
from mycelia.subnets.vision import Answer, Ask, Vision
from mycelia.subnets.vision.miners import lookup
from mycelia.subnets.vision.sheet import Sheet
from mycelia.subnets.vision.subnet import merit, packed

META = Meta(latency_ms=1.0, first_byte_ms=1.0, hotkey="5x")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    store = ModelStore(Path(tmp_path_factory.mktemp("models")))
    store.ensure("digits")
    return store


async def test_the_randomness_of_a_round_makes_its_challenges_again(store: ModelStore) -> None:
    vision = Vision(store)
    challenge = await vision.challenge(random.Random(4))
    again = await Vision(store).challenge(random.Random(4))
    assert challenge == again
    assert len(challenge.truth) == 64
    other = await vision.challenge(random.Random(5))
    assert other.ask.image != challenge.ask.image


async def test_each_validator_draws_by_its_own_hand(store: ModelStore) -> None:
    asks = []
    for uid in range(4):
        vision = Vision(store)
        vision.uid = uid
        asks.append((await vision.challenge(random.Random(4))).ask)
    assert asks[0] == asks[3]
    assert len(set(asks)) == 3


async def test_a_challenge_looks_like_anybodys_picture(store: ModelStore) -> None:
    """Miners see nothing beside the picture: nothing marks it as a validator's, then or later."""
    vision = Vision(store)
    for seed in range(5):
        ask = (await vision.challenge(random.Random(seed))).ask
        assert ask.model_dump().keys() == {"image"}
        assert ask == Ask(image=packed(Sheet(ask.picture(), ())))


@pytest.mark.parametrize(
    ("right", "expected"), [(64, 1.0), (40, 0.5), (16, 0.0), (6, 0.0), (0, 0.0)]
)
def test_merit_counts_what_is_beyond_guessing(right: int, expected: float) -> None:
    truth = [1] * 64
    assert merit([1] * right + [2] * (64 - right), truth) == pytest.approx(expected)


async def test_answers_of_the_wrong_length_are_worth_nothing(store: ModelStore) -> None:
    vision = Vision(store)
    challenge = await vision.challenge(random.Random(4))
    for labels in ([], list(challenge.truth)[:-1], [*challenge.truth, 0]):
        answer = Answer(labels=labels)
        assert await vision.score(challenge.ask, answer, challenge.truth, META) == 0.0


@pytest.mark.parametrize("image", ["", "!!!", "UDUgMTYgMTYgMjU1Cg==", "A" * 60_001])
def test_asks_without_a_picture_are_refused(image: str) -> None:
    with pytest.raises(ValidationError):
        Ask(image=image)


async def test_lookup_is_perfect_on_public_pictures_and_lost_on_fresh_ones(
    store: ModelStore,
) -> None:
    miner = lookup(store)
    digits = Digits.load(store)
    shown = digits.images[:64].reshape(8, 8, 8, 8).transpose(0, 2, 1, 3).reshape(64, 64)
    large = np.kron(shown, np.ones((2, 2)))
    public = Sheet(np.round(255 * (1 - large / 16)).astype(np.uint8), ())
    assert (await miner(Ask(image=packed(public)))).labels == digits.labels[:64].tolist()

    vision, merits = Vision(store), []
    for seed in range(20):
        challenge = await vision.challenge(random.Random(seed))
        answer = await miner(challenge.ask)
        merits.append(await vision.score(challenge.ask, answer, challenge.truth, META))
    assert np.mean(merits) < 0.01
