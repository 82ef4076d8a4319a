"""Emission mints and splits what the original does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mycelia.pallets.subtensor.emission import kernel
from mycelia.primitives.fixed import ONE_Q32, ONE_Q64

DATA = json.loads((Path(__file__).parent / "data" / "emission.json").read_text())


@pytest.mark.parametrize("case", DATA["splits"])
def test_alpha_split(case: dict[str, Any]) -> None:
    split = kernel.alpha_split(case["alpha"], int(case["root_proportion"] * ONE_Q32), 11_796)
    expected = kernel.AlphaSplit(case["owner"], case["servers"], case["validators"], case["root"])
    assert split == expected


@pytest.mark.parametrize("case", DATA["halvings"])
def test_block_emission(case: dict[str, Any]) -> None:
    assert kernel.block_emission_rao(case["issuance"]) == case["emission"]


@pytest.mark.parametrize("case", DATA["moving_prices"], ids=lambda case: case["name"])
def test_moving_price(case: dict[str, Any]) -> None:
    moving = int(case["start"] * ONE_Q64)
    for _ in range(case["rounds"]):
        moving = (
            kernel.moving_price_q32(
                moving_q64=moving,
                price_q64=ONE_Q64,
                smoothing_q32=round(case["smoothing"] * ONE_Q32),
                age_blocks=case["block"] - (case["first"] - 1),
                halving_blocks=201_600,
            )
            << 32
        )
    assert moving / ONE_Q64 == pytest.approx(case["price"], abs=case["tolerance"])
