"""A year of epochs, 7,300 of 72 minutes, at 64 validators by 192 miners: one per block, one row of weights set in each.

Calls are made inside the real runtime, without signatures and without a store: what a simulation of
incentives costs. Beside it, blocks of a chain whose epochs are 360 blocks apart. `YEAR_EPOCHS` in the
environment runs so many instead of a sample that is scaled up.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from benchmarks.network import NETUID, SLOT_MS, Network, subnet_network
from mycelia.codec import U16, U32, U64
from mycelia.frame import Call, Origin
from mycelia.pallets.subtensor.weights.pallet import Weights
from mycelia.primitives import NetUid, Uid
from mycelia.runtime import Runtime

VALIDATORS, MINERS = 64, 192
YEAR_EPOCHS = 7_300
SAMPLE_EPOCHS = 300
TEMPO_BLOCKS = 360
SETUP_TEMPO_BLOCKS = 20


def run() -> dict[str, Any]:
    """Return seconds of a year of epochs, and blocks per second where an epoch is 360 blocks."""
    network = subnet_network(validators=VALIDATORS, miners=MINERS, tempo_blocks=SETUP_TEMPO_BLOCKS)
    runtime = _without_store(network)
    epochs = int(os.environ.get("YEAR_EPOCHS", SAMPLE_EPOCHS))
    _set_tempo(runtime, 1)
    spent_s = _run_blocks(runtime, epochs, sets_rows=True)
    used = runtime.pallets.schedule.subnet_epoch_index[NetUid(NETUID)]
    if used < epochs:
        raise RuntimeError(
            f"{used} epochs ran in {epochs} blocks: this is not the year to measure."
        )
    _set_tempo(runtime, TEMPO_BLOCKS)
    blocks = 2 * TEMPO_BLOCKS
    return {
        "year_s": spent_s * YEAR_EPOCHS / epochs,
        "epoch_ms": spent_s * 1e3 / epochs,
        "epochs_measured": epochs,
        "blocks_at_tempo_360_per_s": blocks / _run_blocks(runtime, blocks, sets_rows=False),
    }


def _without_store(network: Network) -> Runtime:
    """The rules over the chain's state as it is, from here on in memory only."""
    network.chain.discard()
    return network.chain.runtime


def _set_tempo(runtime: Runtime, tempo_blocks: int) -> None:
    parameters, netuid = runtime.pallets.parameters, NetUid(NETUID)
    parameters.tempo[netuid] = U16(tempo_blocks)
    # So long that a validator whose turn comes every 64 epochs stays active.
    parameters.activity_cutoff_factor_milli[netuid] = U32(1_000_000)


def _run_blocks(runtime: Runtime, blocks: int, *, sets_rows: bool) -> float:
    """Seconds for so many blocks."""
    pallets = runtime.pallets
    hotkeys = pallets.neurons.hotkeys(NetUid(NETUID))
    spec = next(s for s in Weights.spec.calls if s.name == "set_weights")
    height, now_ms = int(pallets.system.number), int(pallets.timestamp.now)
    uids = tuple(U16(uid) for uid in range(VALIDATORS, VALIDATORS + MINERS))
    start = time.perf_counter()
    for number in range(1, blocks + 1):
        runtime.begin(height + number, bytes(32))
        runtime.apply(runtime.decode(runtime.inherent(now_ms + number * SLOT_MS)))
        if sets_rows:
            setter = Uid(number % VALIDATORS)
            values = tuple(U16(1 + (7919 * number + 104_729 * uid) % 65_535) for uid in uids)
            arguments = {
                "netuid": NetUid(NETUID),
                "dests": uids,
                "weights": values,
                "version_key": U64(0),
            }
            call = Call("SubtensorModule", spec, arguments)
            runtime.perform(call, Origin(hotkeys[setter]))
        runtime.end()
    return time.perf_counter() - start


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
