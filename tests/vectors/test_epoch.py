"""Yuma 2 pays what the original's own tests say it pays, to the last unit, in both kernels."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from mycelia.pallets.subtensor.epoch import (
    EpochOutput,
    EpochParameters,
    kernel,
    kernel_fast,
    pairs_of,
)
from mycelia.primitives.fixed import ONE_Q32
from tests.vectors.epoch_subnet import Kernel, Subnet

DATA = Path(__file__).parent / "data"
YUMA2 = json.loads((DATA / "epoch_yuma2.json").read_text())
MEDIANS = json.loads((DATA / "epoch_weighted_median.json").read_text())

both_kernels = pytest.mark.parametrize(
    "run_epoch", [kernel.run_epoch, kernel_fast.run_epoch], ids=["clear", "fast"]
)


def named(records: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("record", records, ids=lambda record: record["name"])


def check(outcome: EpochOutput, expected: dict[str, Any]) -> None:
    found = {
        "active": outcome.active,
        "consensus": outcome.consensus_u16,
        "incentives": outcome.incentives_u16,
        "dividends": outcome.dividends_u16,
        "emissions": outcome.emissions_rao,
        "server_emissions": outcome.server_emissions_rao,
    }
    for name, values in expected.items():
        if name != "bonds":
            assert list(found[name]) == values, name
    for validator, row in expected.get("bonds", {}).items():
        stored = dict(pairs_of(outcome.bonds[int(validator)]))
        assert {j: stored[int(j)] for j in row} == row


@both_kernels
@named(YUMA2["scenarios"])
def test_scenario(record: dict[str, Any], run_epoch: Kernel) -> None:
    subnet = Subnet.of(record)
    for step in record["steps"]:
        subnet.block = step.get("block", subnet.block)
        for uid, row in step.get("set_weights", {}).items():
            subnet.set_weights(int(uid), row)
        if "replace" in step:
            subnet.replace(step["replace"])
        if step.get("epoch"):
            check(subnet.run_epoch(run_epoch), step.get("expect", {}))


@both_kernels
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("server_self", [False, True])
@named(YUMA2["graphs"])
def test_graph(
    record: dict[str, Any], server_self: bool, interleaved: bool, run_epoch: Kernel
) -> None:
    check_graph(record, run_epoch, server_self=server_self, interleaved=interleaved)


@pytest.mark.slow
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("server_self", [False, True])
@named(YUMA2["large_graphs"])
def test_large_graph(record: dict[str, Any], server_self: bool, interleaved: bool) -> None:
    check_graph(record, kernel_fast.run_epoch, server_self=server_self, interleaved=interleaved)


@pytest.mark.slow
@named(YUMA2["large_graphs"])
def test_large_graph_in_the_clear_kernel(record: dict[str, Any]) -> None:
    check_graph(record, kernel.run_epoch, server_self=False, interleaved=True)


def check_graph(
    record: dict[str, Any], run_epoch: Kernel, *, server_self: bool, interleaved: bool
) -> None:
    n, count = record["neurons"], record["validators"]
    validators = list(range(0, n, n // count)) if interleaved else list(range(count))
    servers = [uid for uid in range(n) if uid not in validators]
    subnet = Subnet(
        stakes=[record["stake"] if uid in validators else 0 for uid in range(n)],
        registered_at=[0] * n,
        parameters=EpochParameters(tempo_blocks=record["tempo"], max_validators=count),
    )
    subnet.run_epoch(run_epoch)
    subnet.block = 1
    for uid in validators:
        subnet.set_weights(uid, [(j, 65535) for j in servers])
    if server_self:
        for uid in servers:
            subnet.set_weights(uid, [(uid, 65535)])
    for _ in range(record["epochs"]):
        outcome = subnet.run_epoch(run_epoch)
    for uids, expected in ((validators, record["validator"]), (servers, record["server"])):
        for uid in uids:
            assert outcome.consensus_u16[uid] == expected["consensus"]
            assert outcome.incentives_u16[uid] == expected["incentive"]
            assert outcome.dividends_u16[uid] == expected["dividend"]
            assert outcome.emissions_rao[uid] == expected["emission"]
    if "bond" in record:
        for uid in validators:
            assert pairs_of(outcome.bonds[uid]) == [(j, record["bond"]) for j in servers]


def q32_of_f32(number: float) -> int:
    """What the original's `fixed(x)` makes of a literal: through a 32-bit float, to nearest."""
    narrow: float = struct.unpack("f", struct.pack("f", number))[0]
    return round(narrow * ONE_Q32)


@pytest.mark.parametrize("case", MEDIANS["cases"])
def test_weighted_median(case: dict[str, Any]) -> None:
    stakes = [q32_of_f32(stake) for stake in case["stakes"]]
    scores = [q32_of_f32(score) for score in case["scores"]]
    minority = ONE_Q32 - q32_of_f32(MEDIANS["majority"])
    assert kernel.weighted_median(stakes, scores, minority) == q32_of_f32(case["median"])
