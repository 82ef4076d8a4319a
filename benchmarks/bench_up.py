"""A whole network from its command to its first pay, and the memory that all its processes take together.

Folders are fresh; packages and models are there already. Memory is the sum of proportional set sizes, looked at
twice a second. What a busy machine adds here is most of all in the way of the first answers.
"""

from __future__ import annotations

import contextlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from mycelia.testing.ports import free_port

RUNS = 3
EPOCHS = 2
LIMIT_S = 600.0
_PAID = re.compile(r"first paid epoch after ([\d.]+) s")


def run() -> dict[str, Any]:
    """Return seconds to the first paid epoch, as medians, and the greatest memory in MB."""
    paid_s, memory_mb, processes = zip(*(_network() for _ in range(RUNS)), strict=True)
    return {
        "first_paid_epoch_s": statistics.median(paid_s),
        "memory_mb": max(memory_mb),
        "processes": max(processes),
    }


def _network() -> tuple[float, float, int]:
    """Seconds, MB and processes of one network that ends by itself."""
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said"
        flags = ("--dir", f"{folder}/network", "--headless", "--until-epochs", str(EPOCHS))
        ports = ("--rpc-port", str(free_port()), "--gateway-port", str(free_port()))
        with said.open("wb") as output:
            up = psutil.Popen(
                [sys.executable, "-m", "mycelia.cli", "up", *flags, *ports],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        most_mb, most, ends_s = 0.0, 0, time.monotonic() + LIMIT_S
        while up.poll() is None:
            if time.monotonic() > ends_s:
                up.terminate()
            family = [up, *up.children(recursive=True)]
            most_mb, most = max(most_mb, _pss_mb(family)), max(most, len(family))
            time.sleep(0.5)
        found = _PAID.search(said.read_text())
        if up.returncode or not found:
            raise RuntimeError(f"`up` ended with {up.returncode}: {said.read_text()}")
        return float(found[1]), most_mb, most


def _pss_mb(family: list[psutil.Process]) -> float:
    total = 0.0
    for process in family:
        with contextlib.suppress(psutil.Error):  # gone meanwhile
            total += process.memory_full_info().pss / 1e6
    return total
