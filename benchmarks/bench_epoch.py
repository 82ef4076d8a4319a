"""One epoch of Yuma consensus at 64 validators by 192 miners: all weights and bonds set, all random."""

import statistics
import time
from collections.abc import Callable

import numpy as np

from mycelia.pallets.subtensor.epoch import EpochInput, EpochOutput, SparseRow, kernel, kernel_fast

VALIDATORS, MINERS = 64, 192
RUNS = 15


def random_epoch(seed: int) -> EpochInput:
    """A subnet on which everybody spoke and every validator holds bonds on every miner."""
    rng = np.random.default_rng(seed)
    n = VALIDATORS + MINERS
    columns = np.arange(VALIDATORS, n, dtype=np.uint16)

    def rows() -> dict[int, SparseRow]:
        values = rng.integers(0, 65_536, (VALIDATORS, MINERS), dtype=np.uint16)
        return {uid: np.stack((columns, values[uid]), axis=1) for uid in range(VALIDATORS)}

    stakes = [int(stake) << 64 for stake in rng.integers(10**9, 10**15, VALIDATORS)]
    return EpochInput(
        block=10_000,
        last_step_block=9_640,
        emission_rao=360 * 10**9,
        stakes_q64=stakes + [0] * MINERS,
        last_updates=[9_900] * n,
        registered_at=[100] * n,
        permits=[uid < VALIDATORS for uid in range(n)],
        weights=rows(),
        bonds=rows(),
    )


def run() -> dict[str, float]:
    """Milliseconds per epoch, medians: the kernel that runs on chain, and the one for reading."""
    epoch = random_epoch(seed=1)
    return {
        "fast_kernel_ms": _median_ms(kernel_fast.run_epoch, epoch),
        "clear_kernel_ms": _median_ms(kernel.run_epoch, epoch),
    }


def _median_ms(run_epoch: Callable[[EpochInput], EpochOutput], epoch: EpochInput) -> float:
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run_epoch(epoch)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)
