"""The commands of `mycelia`. Each imports what it needs when it runs, so that help stays quick."""

# ruff: noqa: PLR0913, PLR0917 - a command has the flags that a person may need

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mycelia.cli import author, keys
from mycelia.primitives.errors import AppError

app = typer.Typer(
    name="mycelia",
    help="A decentralized machine-learning network: chain, miners, validators, gateway.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Endpoint = Annotated[str, typer.Option(help="WebSocket of a node.")]
Wallets = Annotated[Path, typer.Option(help="Folder of wallets.")]
Wallet = Annotated[str, typer.Option(help="Name of the wallet whose hotkey this process uses.")]
Hotkey = Annotated[str, typer.Option(help="Name of the hotkey in the wallet.")]
Log = Annotated[Path | None, typer.Option(help="File for events, one JSON object per line.")]
Status = Annotated[Path | None, typer.Option(help="File for the newest state, as JSON.")]
Monitor = Annotated[
    int | None,
    typer.Option(
        min=0, max=65535, help="Loopback port of /metrics and /health; 0 takes a free one."
    ),
]
Models = Annotated[Path | None, typer.Option(help="Folder of models; the user's cache if absent.")]
Subnets = Annotated[
    list[str] | None, typer.Option("--subnet", help="NAME=NETUID; may be repeated.")
]

_ENDPOINT = "ws://127.0.0.1:9944"
_WALLETS = Path(".mycelia/wallets")
_USER_WALLETS = Path("~/.bittensor/wallets")

gateway = typer.Typer(invoke_without_command=True)
gateway.add_typer(keys.app, name="key")
app.add_typer(author.app, name="subnet")
app.add_typer(gateway, name="gateway")


@app.command()
def up(
    directory: Annotated[
        Path, typer.Option("--dir", help="Folder of the network; an existing one resumes.")
    ] = Path(".mycelia"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Replace the folder's network.")] = False,
    seed: Annotated[
        str | None, typer.Option(help="Make all keys from this text, for repeatable addresses.")
    ] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="Print lines instead of a live picture.")
    ] = False,
    until_epochs: Annotated[
        int | None, typer.Option(min=1, help="Exit with 0 after this many paid epochs.")
    ] = None,
    block_time: Annotated[float, typer.Option(min=0.1, help="Seconds between blocks.")] = 1.0,
    tempo: Annotated[int, typer.Option(min=2, help="Blocks between epochs.")] = 20,
    only: Annotated[
        list[str] | None, typer.Option(help="Run only this subnet; may be repeated.")
    ] = None,
    rpc_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the node's RPC.")] = 9944,
    gateway_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of the gateway.")
    ] = 8080,
    monitor_port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Port of /metrics and /health; 0 takes a free one."),
    ] = 0,
) -> None:
    """Run a whole network on this machine: real models, real pay, a live view."""
    from mycelia.cli.up.plan import Options
    from mycelia.cli.up.run import run
    from mycelia.subnets import REGISTRY

    options = Options(
        folder=directory.resolve(),
        fresh=fresh,
        seed=seed,
        headless=headless,
        until_epochs=until_epochs,
        block_time_s=block_time,
        tempo_blocks=tempo,
        only=frozenset(only or ()),
        rpc_port=rpc_port,
        gateway_port=gateway_port,
        monitor_port=monitor_port,
    )
    raise typer.Exit(run(options, REGISTRY))


@app.command()
def mine(
    subnet: Annotated[str, typer.Argument(help="A subnet's file, or a built-in one's name.")],
    netuid: Annotated[
        int, typer.Option(min=0, max=65535, help="The subnet's number on the chain.")
    ],
    wallet: Wallet,
    variant: Annotated[
        str | None, typer.Option("--miner", help="Which of its miners; the first if absent.")
    ] = None,
    hotkey: Hotkey = "default",
    wallets: Wallets = _USER_WALLETS,
    endpoint: Endpoint = _ENDPOINT,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    public_host: Annotated[
        str | None, typer.Option(help="Address to publish, if it is another one.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to serve on; 0 takes a free one.")
    ] = 0,
    gateway: Annotated[
        list[str] | None, typer.Option(help="Hotkey of a gateway to serve, besides validators.")
    ] = None,
    price_rao: Annotated[
        int, typer.Option(min=0, help="Rao asked for a million tokens; told in the manifest.")
    ] = 0,
    log: Log = None,
    status: Status = None,
    monitor_port: Monitor = None,
    models: Models = None,
) -> None:
    """Serve a subnet's work, on any Bittensor-compatible chain on which the hotkey is registered."""
    from mycelia.cli.processes import Serving, Station, run_miner

    station = Station(wallet, endpoint, wallets, wallet, log, status, models, hotkey, monitor_port)
    serving = Serving(netuid, host, port, public_host, frozenset(gateway or ()), price_rao)
    run_miner(station, subnet, variant, serving)


@app.command()
def validate(
    subnets: Annotated[
        list[str], typer.Argument(help="A subnet's file or name; several as NAME=NETUID.")
    ],
    wallet: Wallet,
    netuid: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="The subnet's number on the chain, if there is one subnet."
        ),
    ] = None,
    hotkey: Hotkey = "default",
    wallets: Wallets = _USER_WALLETS,
    endpoint: Endpoint = _ENDPOINT,
    ledger: Annotated[Path, typer.Option(help="SQLite file of samples.")] = Path("ledger.sqlite"),
    round_seconds: Annotated[
        float, typer.Option(min=0.1, help="Between two rounds of a subnet.")
    ] = 5.0,
    log: Log = None,
    status: Status = None,
    monitor_port: Monitor = None,
    models: Models = None,
) -> None:
    """Judge the miners of subnets and set their weights, on any Bittensor-compatible chain."""
    from mycelia.cli.processes import Station, run_validator

    station = Station(wallet, endpoint, wallets, wallet, log, status, models, hotkey, monitor_port)
    words = subnets if netuid is None else [f"{subnet}={netuid}" for subnet in subnets]
    run_validator(station, netuids(words), ledger, round_seconds)


@gateway.callback()
def serve(
    context: typer.Context,
    subnet: Subnets = None,
    wallet: Annotated[
        list[str] | None,
        typer.Option(help="Wallet whose hotkey asks; of several, one by chance each time."),
    ] = None,
    wallets: Wallets = _WALLETS,
    endpoint: Endpoint = _ENDPOINT,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8080,
    keys: Annotated[
        Path | None, typer.Option(help="File of API keys; without it everybody is served.")
    ] = None,
    receipts: Annotated[
        Path | None, typer.Option(help="SQLite file of receipts and usage; else none are kept.")
    ] = None,
    claims: Annotated[
        bool, typer.Option("--claims", help="Offer only models that validators attest.")
    ] = False,
    audits: Annotated[
        list[Path] | None,
        typer.Option(help="A validator's LEDGER.audits: it judges a few answers; repeatable."),
    ] = None,
    log: Log = None,
    status: Status = None,
) -> None:
    """Offer the subnets to consumers: OpenAI's forms, and a typed call for each subnet."""
    from mycelia.cli.processes import Door, Station, run_gateway

    if context.invoked_subcommand is not None:
        return
    if not subnet or not wallet:
        raise AppError(
            "missing_option",
            "A gateway needs subnets to offer and a wallet that asks.",
            "Give both: mycelia gateway --subnet text=1 --wallet NAME.",
        )
    station = Station("gateway", endpoint, wallets, wallet[0], log, status)
    door = Door(host, port, keys, receipts, claims=claims, audits=tuple(audits or ()))
    run_gateway(station, wallet, netuids(subnet), door)


def netuids(words: list[str]) -> dict[str, int]:
    """Parse NAME=NETUID words. Raises AppError on any other form."""
    pairs = [word.rpartition("=") for word in words]
    if len(words) == 1 and "=" not in words[0]:
        raise AppError(
            "no_netuid",
            f"{words[0]} comes without its number on the chain.",
            f"Write {words[0]}=N, its netuid for N.",
        )
    if any(not name or not number.isdigit() for name, _, number in pairs):
        raise AppError(
            "bad_subnet",
            f"{' '.join(words)!r} is not a list of NAME=NETUID.",
            "Try text=1 vision=2.",
        )
    return {name: int(number) for name, _, number in pairs}


@app.command()
def score(
    miner: Annotated[str, typer.Argument(help="A miner's hotkey, or its name in the folder.")],
    directory: Annotated[Path, typer.Option("--dir", help="Folder of a network.")] = Path(
        ".mycelia"
    ),
    ledger: Annotated[
        list[Path] | None, typer.Option(help="A validator's ledger; those of the folder if absent.")
    ] = None,
) -> None:
    """Say how validators score a miner: which checks, which scores, what would change it."""
    from mycelia.cli.score import hotkey_of, lines, views

    ledgers = ledger or sorted((directory / "ledgers").glob("*.sqlite"))
    if not ledgers:
        raise AppError(
            "no_ledger",
            f"There is no ledger of a validator in {directory / 'ledgers'}.",
            "Name the network's folder with --dir, or a validator's ledger with --ledger.",
        )
    found = list(views(hotkey_of(miner, directory), ledgers))
    if not found:
        raise AppError(
            "never_sampled",
            f"No validator has sampled {miner}.",
            "Check its name, and that it is registered and serves.",
        )
    for view in found:
        typer.echo("\n".join(lines(view)))


@app.command()
def explain(
    netuid: Annotated[int, typer.Argument(help="The subnet.")],
    neuron: Annotated[str, typer.Argument(help="A uid, or a hotkey's address.")],
    block: Annotated[
        int | None, typer.Option(help="The epoch's block; the newest if absent.")
    ] = None,
    endpoint: Endpoint = _ENDPOINT,
) -> None:
    """Say why a neuron was paid what it was paid: one epoch, from stake and weights to the last rao."""
    from mycelia.cli.explain import asked, lines

    typer.echo("\n".join(lines(asked(endpoint, netuid, neuron, block))))


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def node(context: typer.Context) -> None:
    """Run the chain alone; its own flags are shown by `mycelia node --help`."""
    from mycelia.node import main

    raise typer.Exit(main(context.args))


@app.command()
def replay(
    directory: Annotated[Path, typer.Argument(help="Folder of a network, or of a node.")],
) -> None:
    """Execute all recorded blocks again and check that they give the same roots."""
    from mycelia.node.replay import replay_folder

    inner = directory / "node"
    found = replay_folder(inner if inner.is_dir() else directory)
    typer.echo(f"{found.blocks} blocks give the recorded roots; the last is 0x{found.root.hex()}.")
