"""A consumer chooses what is asked, perhaps so that honest miners look bad: audits leave room for that."""

from dataclasses import replace

import pytest

from mycelia.models import ModelStore
from mycelia.neuron import Meta
from mycelia.subnets.analysis import Analysis
from mycelia.subnets.text import Text

CHALLENGED = Meta(latency_ms=1.0, first_byte_ms=1.0, hotkey="5x")
AUDITED = replace(CHALLENGED, audited=True)


@pytest.mark.parametrize("subnet", [Text, Analysis])
@pytest.mark.parametrize(
    ("strain", "meta", "score"),
    [
        (1.0, CHALLENGED, 1.0),
        (1.5, CHALLENGED, 0.0),
        (1.5, AUDITED, 1.0),
        (2.5, AUDITED, 0.0),
        (float("inf"), AUDITED, 0.0),
        (float("nan"), AUDITED, 0.0),
    ],
)
async def test_an_audit_allows_twice_the_strain(subnet, strain, meta, score, tmp_path):
    class Strained(subnet):
        def _loaded(self):
            return self

        def strain(self, _ask, _answer):
            return strain

    assert await Strained(ModelStore(tmp_path)).score(None, None, None, meta) == score
