"""What a subnet's author uses: a file to start from, and a trial of it that takes seconds."""

from __future__ import annotations

import asyncio
import keyword
import re
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mycelia.primitives.errors import AppError

if TYPE_CHECKING:
    from rich.table import Table as Picture

    from mycelia.lab.trial import Row, Table, TrialConfig
    from mycelia.neuron.subnet import Spec

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

app = typer.Typer(no_args_is_help=True, help="Make a subnet of your own, and try it.")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The subnet's name, such as `translate`.")],
    directory: Annotated[Path, typer.Option("--dir", help="Where to write the file.")] = Path(),
) -> None:
    """Write NAME.py: a whole subnet in one file, to be changed into yours."""
    from mycelia.lab.starting import starter_text

    if keyword.iskeyword(name) or not _NAME.fullmatch(name):
        raise AppError(
            "bad_name",
            f"{name!r} cannot be the name of a subnet and of its file.",
            "Use small letters a to z, digits and _, a letter first, as in `echo_2`;"
            " words of Python such as `class` are taken.",
        )
    path = directory / f"{name}.py"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(starter_text(name))
    except FileExistsError as error:
        raise AppError("file_exists", f"{path} exists.", "Choose another name.") from error
    except OSError as error:
        raise AppError("cannot_write", f"{path}: {error.strerror}.", "Check --dir.") from error
    typer.echo(f"{path} is a subnet. Try it: mycelia subnet dev {path}")


@app.command()
def dev(
    subnet: Annotated[str, typer.Argument(help="A subnet's file, or the name of a built-in one.")],
    epochs: Annotated[int, typer.Option(min=1, help="Epochs to run.")] = 3,
    rounds: Annotated[int, typer.Option(min=2, help="Samples of each miner per epoch.")] = 12,
    seed: Annotated[int, typer.Option(help="The challenges follow from it.")] = 1,
    models: Annotated[Path | None, typer.Option(help="Folder of models.")] = None,
) -> None:
    """Try a subnet against cheats made from its own miner; fail if one of them outranks it."""
    from mycelia.cli.processes import spec_named
    from mycelia.lab.trial import TrialConfig
    from mycelia.models import ModelStore

    spec, store = spec_named(subnet), ModelStore(models)
    for model in spec.models:
        store.ensure(model)
    raise typer.Exit(asyncio.run(_tried(spec, store, TrialConfig(epochs, rounds, seed=seed))))


async def _tried(spec: Spec, store: object, config: TrialConfig) -> int:
    """Run a trial and show it; 1 if a cheat outranks the honest miner in the last epoch."""
    from rich.console import Console

    from mycelia.lab.trial import Trial

    console = Console(highlight=False)
    trial = Trial(spec, store, config)  # type: ignore[arg-type]  # a ModelStore, imported late
    score = await trial.probe()
    console.print(
        f"{spec.subnet.name}: {trial.entrants[0].name} scores {score:.3f} alone;"
        f" replies are waited for {trial.deadline_s:.2g} s here.",
        markup=False,
    )
    for entrant in trial.entrants[1:]:
        kind = "honest too" if entrant.honest else "cheat"
        about = f": {entrant.about}" if entrant.about else ""
        console.print(f"  {entrant.name} ({kind}){about}", markup=False)
    last: Table | None = None
    async with aclosing(trial.tables()) as tables:
        async for table in tables:
            last = table
            console.print(_picture(table, config.epochs))
    if faults := trial.faults():
        said = "; ".join(f"{count} x {text}" for text, count in faults.most_common(3))
        console.print(
            f"score() judged nothing in {faults.total()} samples, which count for nobody: {said}.",
            markup=False,
        )
    if last is not None and not any(row.incentive for row in last.rows):
        console.print(f"{_unpaid(last.base)} Nothing can be compared with that.", markup=False)
        return 1
    if last is None or not last.outranking:
        console.print("No cheat outranks the honest miner.", markup=False)
        return 0
    base = last.base
    for row in last.outranking:
        console.print(
            f"{row.entrant.name} earns {row.incentive:.4f}, no less than the honest"
            f" {base.entrant.name} with {base.incentive:.4f}:"
            f" {row.entrant.about.rstrip('.') or 'a cheat of yours'}.",
            markup=False,
        )
    console.print(
        "Make score() tell them apart, or look longer with --rounds and --epochs.", markup=False
    )
    return 1


def _unpaid(base: Row) -> str:
    """Why the honest miner earns nothing, as far as its samples tell."""
    name, standing = base.entrant.name, base.standing
    why = standing.reason if standing.samples == standing.failures else ""
    return f"The honest {name} earns nothing: {why or f'its score is {standing.quality:.3f}'}."


def _picture(table: Table, epochs: int) -> Picture:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as Picture

    picture = Picture(
        title=f"epoch {table.epoch} of {epochs}",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for heading in ("miner", "", "score", "incentive", "samples", "failed", "ms", "why"):
        is_text = heading in {"miner", "", "why"}
        # On a narrow terminal the last one gives way: figures that are cut off are none.
        picture.add_column(
            heading,
            justify="left" if is_text else "right",
            no_wrap=heading != "why",
            overflow="fold",
        )
    for row in table.rows:
        standing, entrant = row.standing, row.entrant
        picture.add_row(
            entrant.name,
            "honest" if entrant.honest else "cheat",
            f"{standing.quality:.3f}",
            f"{row.incentive:.4f}",
            str(standing.samples),
            str(standing.failures),
            f"{standing.latency_ms:.0f}" if standing.latency_ms else "",
            standing.reason,
            style="" if entrant.honest else "dim",
        )
    return picture
