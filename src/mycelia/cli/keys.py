"""What a gateway's operator uses: API keys, made, listed and revoked in the file it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke the API keys of a gateway.")

File = Annotated[Path, typer.Option("--keys", help="File of keys; the gateway's own --keys.")]
Name = Annotated[str, typer.Argument(help="The account: who uses the key.")]


@app.command()
def new(
    name: Name,
    keys: File,
    per_minute: Annotated[
        float | None, typer.Option(help="Requests a minute; without it there is no bound.")
    ] = None,
) -> None:
    """Make a key and print it, this once: only its digest is kept."""
    from mycelia.gateway.keys import KeyFile

    typer.echo(KeyFile(keys).add(name, per_minute))


@app.command("list")
def show(keys: File) -> None:
    """Name the accounts that have a key."""
    from mycelia.gateway.keys import KeyFile

    for entry in KeyFile(keys).entries():
        rate = "" if entry.per_minute is None else f", {entry.per_minute:g} requests a minute"
        typer.echo(f"{entry.name}{rate}")


@app.command()
def revoke(name: Name, keys: File) -> None:
    """Take an account's key away; a running gateway refuses it from the next second on."""
    from mycelia.gateway.keys import KeyFile

    KeyFile(keys).revoke(name)
    typer.echo(f"The key of {name} is revoked.")
