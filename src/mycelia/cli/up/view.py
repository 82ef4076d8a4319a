"""How a snapshot looks: as a live picture for a terminal, as lines for a log."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import IO, cast

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mycelia.cli.up.plan import Options, Plan
from mycelia.cli.up.room import Outlet
from mycelia.cli.up.watch import Row, Snapshot, SubnetState

_NOTHING_YET = "Validators look at what miners claim; what holds is offered at the gateway."
_COLOURS = {"honest": "green", "cheat": "red", "validator": "cyan", "owner": "dim"}


def picture(snapshot: Snapshot, plan: Plan) -> RenderableType:
    """Everything on one screen."""
    head = Text.assemble(
        ("mycelia ", "bold"),
        f" block {snapshot.height:,}   issuance {amount(snapshot.issuance_rao)} TAO"
        f"   paid epochs {snapshot.paid_epochs}",
    )
    if snapshot.restarts:
        head.append(f"   restarts {snapshot.restarts}", "yellow")
    # On top, since a low terminal cuts the picture off at the bottom.
    ask = curl_lines(plan) if snapshot.is_offered else _NOTHING_YET
    parts: list[RenderableType] = [head, Text(ask, "dim")]
    for subnet in snapshot.subnets:
        parts += [Text(""), *_heading(subnet), _table(subnet)]
    return Group(*parts)


def lines(before: Snapshot | None, now: Snapshot) -> Iterator[str]:
    """What changed that a log should say: one line per paid epoch of a subnet."""
    for index, subnet in enumerate(now.subnets):
        if before is not None and before.subnets[index].paid_epochs == subnet.paid_epochs:
            continue
        if subnet.paid_epochs == 0:
            continue
        pay = ", ".join(
            f"{row.name} {row.incentive:.3f}" for row in subnet.rows if row.role in _PAID_ROLES
        )
        yield (
            f"block {now.height}: {subnet.name} (netuid {subnet.netuid}) paid epoch"
            f" {subnet.paid_epochs}; issuance {amount(now.issuance_rao)} TAO; incentive: {pay}"
        )


def curl_line(plan: Plan) -> str:
    """A request that a person can paste into a shell."""
    return " ".join(line.strip().removesuffix(" \\") for line in curl_lines(plan).splitlines())


def curl_lines(plan: Plan) -> str:
    """As `curl_line`, on lines that are short enough for a narrow terminal, and as good to paste."""
    gateway = f"http://127.0.0.1:{plan.options.gateway_port}/v1"
    if plan.chat_model is None:
        return f"curl {gateway}/models"
    return (
        f"curl -N {gateway}/chat/completions \\\n"
        "  -H 'content-type: application/json' \\\n"
        f"""  -d '{{"model": {json.dumps(plan.chat_model)}, "stream": true,\n"""
        """       "messages": [{"role": "user", "content": "What is a mycelium?"}]}'"""
    )


def amount(rao: int) -> str:
    """Whole and three decimals, rounded toward zero."""
    sign, rao = ("-", -rao) if rao < 0 else ("", rao)
    return f"{sign}{rao // 10**9:,}.{rao % 10**9 // 10**6:03d}"


def console(options: Options) -> Console:
    """Where everything is shown; plain where there is no terminal."""
    outlet = cast("IO[str]", Outlet(sys.stdout))  # all that is asked of a stream here
    return Console(file=outlet, highlight=False, soft_wrap=options.headless)


_PAID_ROLES = ("honest", "cheat")


def _heading(subnet: SubnetState) -> tuple[Text, Text]:
    """Two lines, so that 80 columns hold each."""
    return (
        Text.assemble(
            (f"{subnet.name}   netuid {subnet.netuid}", "bold"),
            f"   next epoch in {subnet.blocks_to_epoch} of {subnet.tempo_blocks} blocks",
        ),
        Text(
            f"emission {amount(subnet.alpha_emission_rao)} alpha"
            f" + {amount(subnet.tao_emission_rao)} TAO per block"
            f"   alpha at {subnet.alpha_price:.4f} TAO",
            "dim",
        ),
    )


def _table(subnet: SubnetState) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True, expand=True
    )
    table.add_column("neuron", no_wrap=True)
    for heading in ("uid", "score", "incentive", "dividends", "earned", "asked"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", ratio=1, no_wrap=True, overflow="ellipsis")  # what room is left
    order = {"honest": 0, "cheat": 1, "validator": 2, "owner": 3}
    for row in sorted(subnet.rows, key=lambda row: (order[row.role], -row.incentive, row.name)):
        table.add_row(*_cells(row), style=None if row.running else "strike dim")
    return table


def _cells(row: Row) -> tuple[RenderableType, ...]:
    return (
        Text(row.name, _COLOURS[row.role]),
        "" if row.uid is None else str(row.uid),
        "" if row.score is None else f"{row.score:.3f}",
        f"{row.incentive:.4f}" if row.role in _PAID_ROLES else "",
        f"{row.dividends:.4f}" if row.role == "validator" else "",
        amount(row.earned_rao),
        "" if row.requests is None else f"{row.requests:,}",
        Text(row.note if row.running else "restarting", "dim"),
    )
