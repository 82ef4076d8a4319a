"""Yuma consensus alone, as the chain runs it: four sizes of subnets, each family of rules, both speeds.

A subnet is named by validators and miners. All but the last are full: everybody weighs and holds everything. In the
last, a thousand validators weigh ten thousand of a million miners each; it runs in a process of its own, whose memory
is told.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mycelia.pallets.subtensor.epoch import (
    MYCELIA,
    YUMA2,
    YUMA3,
    EpochInput,
    EpochParameters,
    SparseRow,
    kernel_fast,
)

FULL = {"64x192": (64, 192, 15), "256x256": (256, 256, 7), "1024x4096": (1_024, 4_096, 3)}
LARGE = "1000x1000000"
LARGE_VALIDATORS, LARGE_MINERS, LARGE_ROW = 1_000, 1_000_000, 10_000
CASES = {
    "yuma2": (YUMA2, False),
    "yuma3": (YUMA3, False),
    "yuma3_liquid": (YUMA3, True),
    "mycelia": (MYCELIA, False),
    "mycelia_liquid": (MYCELIA, True),
}


def run() -> dict[str, float]:
    """Return medians in milliseconds, and for the largest subnet a single run each and megabytes."""
    figures: dict[str, float] = {}
    for size, (validators, miners, runs) in FULL.items():
        columns = np.arange(validators, validators + miners)
        epoch = random_epoch(validators, miners, [columns] * validators)
        for case in CASES:
            figures[f"{size}_{case}_ms"] = _median_ms(_under(epoch, case), runs)
    arguments = [sys.executable, "-m", "benchmarks.bench_kernel", "large"]
    told = subprocess.run(arguments, check=True, capture_output=True, text=True)
    return figures | json.loads(told.stdout)


def run_large() -> dict[str, float]:
    """The largest subnet: milliseconds by case, and the most memory that the process held."""
    rng = np.random.default_rng(0)
    uids = (rng.integers(0, LARGE_MINERS, LARGE_ROW * 51 // 50) for _ in range(LARGE_VALIDATORS))
    columns = [np.unique(chosen)[:LARGE_ROW] + LARGE_VALIDATORS for chosen in uids]
    epoch = random_epoch(LARGE_VALIDATORS, LARGE_MINERS, columns)
    # Few validators meet on a miner, so a hundredth of the stake has to do as a majority.
    epoch = replace(epoch, parameters=replace(epoch.parameters, kappa_u16=100))
    figures = {f"{LARGE}_{case}_ms": _median_ms(_under(epoch, case), 1) for case in CASES}
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return figures | {f"{LARGE}_peak_memory_mb": peak_kb / 1024}


def random_epoch(
    validators: int, miners: int, columns: list[NDArray[np.int64]], seed: int = 1
) -> EpochInput:
    """A subnet on which everybody spoke; each validator weighs and holds its columns, at random."""
    rng = np.random.default_rng(seed)
    n = validators + miners
    kind = np.uint16 if n <= 2**16 else np.uint32

    def rows() -> dict[int, SparseRow]:
        return {
            uid: np.stack((chosen, rng.integers(1, 65_536, len(chosen))), axis=1).astype(kind)
            for uid, chosen in enumerate(columns)
        }

    stakes = [int(stake) << 64 for stake in rng.integers(10**9, 10**15, validators)]
    return EpochInput(
        block=10_000,
        last_step_block=9_640,
        emission_rao=360 * 10**9,
        stakes_q64=stakes + [0] * miners,
        last_updates=[9_900] * n,
        registered_at=[100] * n,
        permits=[uid < validators for uid in range(n)],
        weights=rows(),
        bonds=rows(),
        parameters=EpochParameters(max_validators=validators),
    )


def _under(epoch: EpochInput, case: str) -> EpochInput:
    rules, liquid = CASES[case]
    return replace(epoch, rules=rules, parameters=replace(epoch.parameters, liquid_alpha=liquid))


def _median_ms(epoch: EpochInput, runs: int) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        outcome = kernel_fast.run_epoch(epoch)
        times.append((time.perf_counter() - start) * 1e3)
    if not any(outcome.server_emissions_rao):
        raise RuntimeError("No miner earned anything: this is not the epoch to measure.")
    return statistics.median(times)


if __name__ == "__main__":
    print(json.dumps(run_large() if "large" in sys.argv else run(), indent=2))
