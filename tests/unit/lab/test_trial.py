import asyncio
from itertools import count
from types import SimpleNamespace

import pytest

from mycelia.lab.trial import Trial
from mycelia.neuron.subnet import Limits
from mycelia.primitives.errors import AppError
from tests.unit.lab.kit import QUICK, only_table, spec
from tests.unit.neuron.kit import Sum

pytestmark = pytest.mark.usefixtures("patient")


async def test_honest_work_earns_most_and_every_cheat_less():
    table = await only_table(Trial(spec(), None, QUICK))
    rows = {row.entrant.name: row for row in table.rows}
    assert table.outranking == ()
    assert rows["honest"].incentive == max(row.incentive for row in table.rows) > 0
    assert rows["honest"].standing.quality == 1.0
    assert rows["late"].standing.reason == "timeout"
    assert [rows[name].incentive for name in ("late",)] == [0.0]
    assert sum(row.incentive for row in table.rows) == pytest.approx(1.0, abs=1e-3)


async def test_a_score_that_looks_at_nothing_is_found_out():
    class Blind(Sum):
        async def score(self, ask, answer, truth, meta):
            return 0.5

    table = await only_table(Trial(spec(Blind), None, QUICK))
    beaten = {row.entrant.name for row in table.outranking}
    assert beaten == {"random", "repeats", "relays", "part-time"}


async def test_an_honest_miner_that_earns_nothing_is_outranked():
    class Harsh(Sum):
        async def score(self, ask, answer, truth, meta):
            return 0.0

    assert (await only_table(Trial(spec(Harsh), None, QUICK))).outranking


@pytest.mark.parametrize(("took_s", "deadline_s"), [(0.0, 0.5), (1.0, 24.0), (9.0, 30.0)])
async def test_the_deadline_is_shortened_to_what_the_miner_needs(monkeypatch, took_s, deadline_s):
    clock = SimpleNamespace(monotonic=count(step=took_s).__next__)
    monkeypatch.setattr("mycelia.lab.trial.time", clock)
    monkeypatch.setattr("mycelia.lab.trial._LEAST_DEADLINE_S", 0.5)
    trial = Trial(spec(), None)
    assert await trial.probe() == 1.0
    assert trial.deadline_s == deadline_s <= Sum.limits.deadline_s


def broken(method):
    async def fails(self, *_):
        raise KeyError("oops")

    return type("Broken", (Sum,), {method: fails})


async def out_of_range(self, *_):
    return 7.0


async def slow(_ask):
    await asyncio.sleep(5.0)


async def forgetful(ask):
    return {"total": ask.a + ask.b}


async def refuses(_ask):
    raise LookupError("no model")


@pytest.mark.parametrize(
    ("made", "code", "said"),
    [
        (
            lambda: spec(broken("challenge")),
            "subnet_fails",
            "challenge failed in test_trial.py, line ",
        ),
        (lambda: spec(broken("score")), "subnet_fails", "KeyError: 'oops'"),
        (lambda: spec(type("Wild", (Sum,), {"score": out_of_range})), "bad_score", "7.0"),
        (lambda: spec(miner=refuses), "subnet_fails", ": LookupError: no model"),
        (lambda: spec(miner=forgetful), "wrong_message", "honest gave dict"),
        (
            lambda: spec(type("Hasty", (Sum,), {"limits": Limits(deadline_s=0.1)}), slow),
            "too_slow",
            "deadline of 0.1 s",
        ),
    ],
)
async def test_what_fails_is_named_before_anything_runs(made, code, said):
    with pytest.raises(AppError) as refused:
        await Trial(made(), None).probe()
    assert refused.value.code == code
    assert said in refused.value.message
