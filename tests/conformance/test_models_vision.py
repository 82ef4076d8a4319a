"""The three recognisers differ in quality, clearly and in every order of luck."""

import random

import numpy as np
import pytest

from mycelia.models import ModelStore
from mycelia.models.onnx import Graph
from mycelia.models.store import ModelUnreadable
from mycelia.neuron import Meta
from mycelia.subnets.vision import MINERS, Vision
from mycelia.subnets.vision.sheet import HANDS

pytestmark = pytest.mark.slow

META = Meta(latency_ms=1.0, first_byte_ms=1.0, hotkey="5x")
ROUNDS = 60


@pytest.fixture(scope="module")
def store() -> ModelStore:
    store = ModelStore()
    for name in ("digits-network", "digits-linear", "digits-centroid"):
        store.ensure(name)
    return store


@pytest.mark.parametrize("uid", range(len(HANDS)))
async def test_merit_follows_quality_and_looking_up_earns_nothing(
    store: ModelStore, uid: int
) -> None:
    vision = Vision(store)
    vision.uid = uid
    miners = {name: variant.make(store) for name, variant in MINERS.items()}
    merits: dict[str, list[float]] = {name: [] for name in miners}
    for seed in range(ROUNDS):
        challenge = await vision.challenge(random.Random(seed))
        for name, miner in miners.items():
            answer = await miner(challenge.ask)  # type: ignore[misc]
            merit = await vision.score(challenge.ask, answer, challenge.truth, META)
            assert merit is not None
            merits[name].append(merit)
    best, middle, least = (np.array(merits[f"honest-{letter}"]) for letter in "abc")
    assert best.mean() > 0.8
    assert least.mean() > 0.55 * best.mean()  # still worth paying
    assert np.mean(merits["lookup"]) < 0.01
    # Means of ten rounds, which an epoch or two bring, hardly ever come out in another order.
    for better, worse in ((best, middle), (middle, least)):
        gap = better - worse
        assert gap.mean() > 3 * gap.std() / np.sqrt(10)


def test_training_again_gives_the_same_files(store: ModelStore, tmp_path) -> None:
    from mycelia.models import digits

    digits.train_linear(store, tmp_path / "again.onnx", lambda *_: None)
    assert (tmp_path / "again.onnx").read_bytes() == store.path("digits-linear").read_bytes()


def test_a_file_that_is_no_graph_is_refused(tmp_path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(ModelUnreadable):
        Graph(path)


def test_pay_follows_quality_over_eight_recognisers(capsys) -> None:
    from mycelia.subnets.vision import calibrate

    assert calibrate.main(["--truth", "100"]) == 0
    assert capsys.readouterr().out.count(" reads ") == 8
