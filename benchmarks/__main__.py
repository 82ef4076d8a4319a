"""Runs every `bench_*.py` of this folder and prints one table of medians.

`run()` of such a module returns its figures by name, medians of several runs; names carry their unit
(`_per_s`, `_ms`, `_us`). Every rate also stands as a share of a reference rate taken in the same run,
where there is one (`floor_per_s`). Of an aim for a rate more is better, of one for a time less.
`python -m benchmarks wire epoch` runs those two only.
"""

import importlib
import json
import pkgutil
import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import benchmarks

PREFIX = "bench_"
AIMS = {
    ("accounts", "memory_mb"): 1_000,
    ("accounts", "start_ms"): 3_000,
    ("author", "first_table_s"): 10,
    ("chain", "empty_blocks_per_s"): 1_500,
    ("chain", "node_start_ms"): 2_000,
    ("epoch", "epoch_block_liquid_ms"): 30,
    ("epoch", "epoch_block_ms"): 30,
    ("epoch", "kernel_ms"): 5,
    ("kernel", "64x192_yuma2_ms"): 5,
    ("kernel", "64x192_yuma3_liquid_ms"): 5,
    ("kernel", "1000x1000000_yuma2_ms"): 60_000,
    ("kernel", "1000x1000000_yuma3_liquid_ms"): 60_000,
    ("rpc", "answer_p99_ms"): 150,
    ("rpc", "metagraph_256_ms"): 150,
    ("transfers", "transfers_per_s"): 3_000,
    ("up", "first_paid_epoch_s"): 60,
    ("up", "memory_mb"): 4_000,
    ("year", "year_s"): 300,
    ("gateway", "gateway_stream_c16_cpu_us"): 1_200,
    ("gateway", "gateway_unary_c16_cpu_us"): 500,
    ("wire", "busy_server_cpu_us"): 130,
    ("wire", "refusal_misdirected_cpu_us"): 60,
    ("wire", "refusal_oversized_cpu_us"): 60,
    ("wire", "refusal_stale_cpu_us"): 60,
    ("wire", "refusal_unknown_cpu_us"): 60,
    ("wire", "refusal_unsigned_cpu_us"): 60,
    ("wire", "round_trips_per_s"): 1_500,
    ("wire", "server_cpu_us"): 130,
}
REFERENCE = "floor_per_s"
RESULTS = Path("bench-results") / "figures.json"


def main(chosen: list[str]) -> int:
    """Run the chosen benchmarks, or all; return the exit status."""
    console = Console()
    modules = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    known = sorted(name.removeprefix(PREFIX) for name in modules if name.startswith(PREFIX))
    if unknown := sorted(set(chosen) - set(known)):
        console.print(f"no benchmark {', '.join(unknown)}: choose from {', '.join(known)}")
        return 2
    results: dict[str, Mapping[str, Any]] = {}
    for name in chosen or known:
        module = importlib.import_module(f"benchmarks.{PREFIX}{name}")
        console.print(f"[bold]{name}[/bold] {(module.__doc__ or '').partition(chr(10))[0]}")
        results[name] = module.run()
    console.print(table(results))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    console.print(f"written to {RESULTS}")
    return 0


def table(results: Mapping[str, Mapping[str, Any]]) -> Table:
    """All figures; a rate beside its aim and beside the reference of its run."""
    made = Table(title=f"Python {platform.python_version()} on {platform.machine()}")
    for column in ("benchmark", "figure"):
        made.add_column(column)
    for column in ("value", "of the aim", "of the reference"):
        made.add_column(column, justify="right")
    for row in rows(results):
        made.add_row(*row)
    return made


def rows(results: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, str, str, str]]:
    """One line of text cells per numeric figure."""
    for name, figures in results.items():
        reference = figures.get(REFERENCE)
        for key, value in figures.items():
            if not isinstance(value, int | float) or isinstance(value, bool):
                continue
            aim = AIMS.get((name, key))
            of_aim = f"{value / aim:.2f} of {aim:,}" if aim else ""
            is_rate = key.endswith("_per_s") and key != REFERENCE
            of_reference = f"{value / reference:.2f}" if is_rate and reference else ""
            yield name, key, f"{value:,.6g}", of_aim, of_reference


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
