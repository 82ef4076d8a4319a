"""What an author waits for: from the command to the first table of scores of a new subnet, cheats included."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

RUNS = 5
NAME = "new_subnet"


def run() -> dict[str, Any]:
    """Return seconds until a subnet as it is made has been tried for one epoch."""
    with tempfile.TemporaryDirectory() as folder:
        _mycelia(folder, "new", NAME)
        spent_s = [_mycelia(folder, "dev", f"{NAME}.py", "--epochs", "1") for _ in range(RUNS)]
    return {"first_table_s": statistics.median(spent_s)}


def _mycelia(folder: str, *words: str) -> float:
    began_s = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "mycelia.cli", "subnet", *words],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=120,
    )
    return time.perf_counter() - began_s
