"""The recorded calibration of the text check: what it shows, and that judging it again shows the same.

`python -m mycelia.subnets.text.calibrate --answers 1000 --others 100 --record FILE` made the record.
"""

import os
from itertools import pairwise
from pathlib import Path

import pytest

from mycelia.models import ModelStore
from mycelia.models.catalog import SMOLLM2
from mycelia.models.llama import LlamaModel
from mycelia.models.store import ModelUnavailable
from mycelia.subnets.figures import part_time, shares
from mycelia.subnets.text.calibrate import (
    DECLARED,
    MARKS,
    REQUANTISED,
    SOURCES,
    Trial,
    asks,
    judged,
    load,
)
from mycelia.subnets.text.judge import WAYS
from mycelia.subnets.text.verification import strain

RECORD = Path(__file__).with_name("text-answers.jsonl.gz")


@pytest.fixture(scope="module")
def record() -> dict[str, list[Trial]]:
    trials = load(RECORD)
    return {source.name: [t for t in trials if t.source == source.name] for source in SOURCES}


@pytest.fixture(scope="module")
def weights() -> Path:
    try:
        return ModelStore().ensure(SMOLLM2.name)
    except ModelUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def test_error_rates_are_as_promised(record: dict[str, list[Trial]]) -> None:
    for source in SOURCES:
        trials = record[source.name]
        wrong = sum(trial.accepted != source.honest for trial in trials)
        assert wrong == 0, source
    assert len(record[DECLARED.name]) == 1_000
    whole = [trial for trial in record[REQUANTISED.name] if len(trial.begun) == len(MARKS)]
    assert len(whole) > 50
    assert sum(not trial.begun[-1] for trial in whole) >= 0.95 * len(whole)


def test_cheats_end_below_honest_pay(record: dict[str, list[Trial]]) -> None:
    honest = [float(trial.accepted) for trial in record[DECLARED.name]]
    cheap = [float(trial.accepted) for trial in record[REQUANTISED.name]]
    refused = [0.0] * 100  # what is stored or relayed answers another question: see below
    pay = shares(
        {
            "honest": honest,
            "now and then": part_time(honest, cheap),
            "always": cheap,
            "relayed now and then": part_time(honest, refused),
            "relayed": refused,
        }
    )
    assert pay["always"] == pay["relayed"] == 0.0
    assert max(pay["now and then"], pay["relayed now and then"]) < 0.85 * pay["honest"]


@pytest.mark.slow
@pytest.mark.net
@pytest.mark.parametrize("way", range(len(WAYS)))
def test_each_validators_judge_says_the_same_again(
    record: dict[str, list[Trial]], weights: Path, way: int
) -> None:
    judge = LlamaModel.load(weights, WAYS[way])
    for source in (DECLARED, REQUANTISED):
        asked = asks(1_000, 1, source.tokens)
        for trial in record[source.name][way :: len(record[source.name]) // 3]:
            found, _ = judged(judge, asked[trial.ask], trial.tokens)
            assert (strain(found) <= 1.0) == trial.accepted
            if WAYS[way] == WAYS[0]:
                assert strain(found) == pytest.approx(trial.strain, abs=1e-6)
    asked = asks(1_000, 1)
    for one, other in pairwise(record[DECLARED.name][way : way + 3]):
        found, _ = judged(judge, asked[other.ask], one.tokens)  # relayed: of another question
        assert strain(found) > 1.0
    judge.close()
