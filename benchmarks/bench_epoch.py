"""One epoch at 64 validators by 192 miners: the kernels on random weights and bonds, and the whole block it makes.

The block also under Yuma 3 with liquid alpha. Other sizes of the kernel alone are in `bench_kernel`.

The block is sealed by the solo engine in this process: the epoch, the pay-out to every neuron, the changed values,
their part in the state root, and the commit in memory.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.network import NETUID, subnet_network
from mycelia.engine import Sealing, Solo
from mycelia.pallets.subtensor.epoch import EpochInput, EpochOutput, SparseRow, kernel, kernel_fast
from mycelia.txpool import Pool

VALIDATORS, MINERS = 64, 192
KERNEL_RUNS = 15
TEMPO_BLOCKS = 20
EPOCHS = 12


def run() -> dict[str, Any]:
    """Return medians in milliseconds: the kernel that runs on chain, the one for reading, a block."""
    epoch = random_epoch(seed=1)
    epoch_block_ms, plain_block_ms = _block_ms(liquid=False)
    liquid_block_ms, _ = _block_ms(liquid=True)
    return {
        "kernel_ms": _median_ms(kernel_fast.run_epoch, epoch),
        "clear_kernel_ms": _median_ms(kernel.run_epoch, epoch),
        "epoch_block_ms": epoch_block_ms,
        "epoch_block_liquid_ms": liquid_block_ms,
        "plain_block_ms": plain_block_ms,
    }


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


def _median_ms(run_epoch: Callable[[EpochInput], EpochOutput], epoch: EpochInput) -> float:
    times = []
    for _ in range(KERNEL_RUNS):
        start = time.perf_counter()
        run_epoch(epoch)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def _block_ms(*, liquid: bool) -> tuple[float, float]:
    """Milliseconds of a block with an epoch, and of one without."""
    network = subnet_network(validators=VALIDATORS, miners=MINERS, tempo_blocks=TEMPO_BLOCKS)
    if liquid:
        network.admin("yuma3_enabled", netuid=NETUID, enabled=True)
        network.admin("liquid_alpha_enabled", netuid=NETUID, enabled=True)
        network.seal()
    chain = network.chain
    epochs = chain.runtime.pallets.schedule.subnet_epoch_index
    results = chain.runtime.pallets.results
    with_epoch: list[float] = []
    without: list[float] = []
    counted = epochs[NETUID]

    def on_sealed(sealing: Sealing) -> None:
        nonlocal counted
        has_epoch = epochs[NETUID] != counted
        counted = epochs[NETUID]
        (with_epoch if has_epoch else without).append(sealing.made_ms)

    engine = Solo(chain, Pool(height=chain.height), on_sealed=on_sealed, clock_ms=lambda: 1)
    asyncio.run(engine.seal(EPOCHS * TEMPO_BLOCKS))
    if np.count_nonzero(results.incentive[NETUID]) != MINERS:
        raise RuntimeError("Not every miner earned something: this is not the epoch to measure.")
    return statistics.median(with_epoch), statistics.median(without)


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
