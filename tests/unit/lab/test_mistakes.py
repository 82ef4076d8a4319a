"""Mistakes of authors: each is told with its line and a remedy, none hangs or ends in a traceback."""

from itertools import count

import pytest

from mycelia.lab.trial import Trial, TrialConfig
from mycelia.neuron.authoring import load_subnet
from mycelia.neuron.subnet import Challenge, Judgement, Spec, Variant
from mycelia.primitives.errors import AppError
from tests.unit.lab.kit import QUICK, only_table, spec
from tests.unit.neuron.kit import Sum, honest

pytestmark = pytest.mark.usefixtures("patient")


def unmade():
    def fails(self, _models):
        raise OSError("no model")

    return type("Unmade", (Sum,), {"__init__": fails})


async def two_of_four(self, ask, answer):
    return 1.0


def with_challenge(made):
    async def challenge(self, rng):
        return made

    return type("Odd", (Sum,), {"challenge": challenge})


def asking(fields):
    async def challenge(self, rng):
        return Challenge(self.Ask(**fields))

    return type("Odd", (Sum,), {"challenge": challenge})


@pytest.mark.parametrize(
    ("made", "code", "said"),
    [
        (unmade, "subnet_fails", "Unmade failed in test_mistakes.py, line "),
        (lambda: with_challenge(None), "wrong_message", "gave NoneType 'None', not Challenge"),
        (lambda: with_challenge(Sum.Ask(a=1, b=2)), "wrong_message", "not Challenge"),
        (lambda: asking({"a": 1}), "subnet_fails", "ValidationError: b: Field required"),
        (lambda: asking({"a": 1, "b": 10**300}), "ask_too_big", "miners take 200"),
        (lambda: type("Short", (Sum,), {"score": two_of_four}), "subnet_fails", "argument"),
    ],
)
async def test_what_no_validator_could_run_is_named_before_anything_runs(made, code, said):
    with pytest.raises(AppError) as refused:
        await Trial(spec(made()), None).probe()
    assert refused.value.code == code
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("later", "fault"),
    [
        (LookupError("too odd."), "LookupError: too odd."),
        ("good", "ValueError: could not convert string to float: 'good'"),
        (Judgement(-0.25), "it said -0.25, not 0 to 1"),
    ],
)
async def test_a_judge_that_fails_at_times_is_told_with_its_reasons(later, fault):
    calls = count()

    class Moody(Sum):
        async def score(self, ask, answer, truth, meta):
            if next(calls) == 0:
                return 1.0
            if isinstance(later, Exception):
                raise later
            return later

    trial = Trial(spec(Moody), None, QUICK)
    await only_table(trial)
    assert set(trial.faults()) == {fault}


async def test_an_authors_cheat_may_have_the_name_of_one_that_is_made():
    both = {"honest": spec().miners["honest"]}
    for name in ("late", "validator"):
        both[name] = Variant(name, honest=False, make=lambda _: honest)
    table = await only_table(Trial(Spec(Sum, both), None, QUICK))
    assert {"late", "late-made", "validator"} <= {row.entrant.name for row in table.rows}


@pytest.mark.parametrize("weights", [None, {999: 1.0}, {1: float("nan")}, KeyError("no rule")])
async def test_a_rule_of_weights_that_no_chain_takes_is_named(weights):
    class Odd(Sum):
        @classmethod
        def weigh(cls, book):
            if isinstance(weights, Exception):
                raise weights
            return weights

    with pytest.raises(AppError, match="weigh failed") as refused:
        await only_table(Trial(spec(Odd), None, QUICK))
    assert refused.value.code == "subnet_fails"


async def test_a_challenge_that_fails_later_is_named():
    class Tired(Sum):
        calls = 0

        async def challenge(self, rng):
            self.calls += 1
            if self.calls > 1:
                raise LookupError("no more texts")
            return await super().challenge(rng)

    with pytest.raises(
        AppError, match=r"challenge failed in test_mistakes.py, line \d+: LookupError"
    ):
        await only_table(Trial(spec(Tired), None, QUICK))


BLOCKING = """
import random, time
from mycelia.neuron import Challenge, Limits, Reply, Request, Subnet

class Still(Subnet):
    name = "still"
    limits = Limits(deadline_s=0.5)

    class Ask(Request):
        number: int

    class Answer(Reply):
        number: int

    async def challenge(self, rng):
        return Challenge(self.Ask(number=rng.randrange(99)))

    async def score(self, ask, answer, truth, meta):
        return float(answer.number == ask.number)

async def echoes(ask):
    return Still.Answer(number=ask.number)

async def sleeps(ask):
    time.sleep(600.0)

async def spins(ask):
    while True:
        pass

"""


@pytest.mark.parametrize(
    ("marks", "guilty"),
    [
        ("Still.miner(sleeps)", "sleeps"),
        ("Still.miner(spins)", "spins"),
        ("Still.miner(echoes)\nStill.cheat(sleeps)", "sleeps"),
    ],
)
async def test_code_that_holds_up_the_loop_is_interrupted_and_named(tmp_path, marks, guilty):
    path = tmp_path / "still.py"
    path.write_text(BLOCKING + marks)
    config = TrialConfig(epochs=1, rounds=2, held_up_s=0.5)
    with pytest.raises(AppError, match=rf"{guilty} in still.py, line \d+ held up") as refused:
        await only_table(Trial(load_subnet(path), None, config))
    assert refused.value.code == "loop_held_up"
    assert "to_thread" in refused.value.remedy
