"""The bodies of the neuron processes: assemble the kit from flags, run until told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mycelia.models import ModelStore
from mycelia.neuron.events import EventLog, StatusFile
from mycelia.neuron.subnet import Spec
from mycelia.primitives.errors import AppError


@dataclass(frozen=True)
class Station:
    """What every neuron process needs, whichever it is."""

    name: str
    endpoint: str
    wallets: Path
    wallet: str
    log: Path | None = None
    status: Path | None = None
    models: Path | None = None

    def event_log(self) -> EventLog:
        """Where this process writes its events."""
        return EventLog(self.log, self.name)

    def status_file(self) -> StatusFile:
        """Where this process writes its newest state."""
        return StatusFile(self.status)

    def store(self) -> ModelStore:
        """The models on this machine."""
        return ModelStore(self.models)


def until_signalled(body: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run a body with an event that SIGINT and SIGTERM set."""

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await body(stop)

    asyncio.run(run())


def spec_of(registry: Mapping[str, Spec], name: str) -> Spec:
    """The subnet `name`. Raises AppError with the names there are."""
    try:
        return registry[name]
    except KeyError:
        raise AppError(
            "unknown_subnet", f"There is no subnet {name}.", f"Known are: {', '.join(registry)}."
        ) from None


def run_miner(
    station: Station,
    subnet: str,
    variant: str,
    netuid: int,
    address: tuple[str, int],
    gateways: frozenset[str],
) -> None:
    """Serve one variant of a subnet's miners."""
    # The SDK and the registry take a second to import: not before `mycelia --help` needs to.
    from mycelia.neuron.chain import Chain
    from mycelia.neuron.miner import MinerConfig, MinerProcess
    from mycelia.neuron.wallets import open_wallet
    from mycelia.subnets import REGISTRY

    spec = spec_of(REGISTRY, subnet)
    if variant not in spec.miners:
        raise AppError(
            "unknown_variant",
            f"The subnet {subnet} has no miner {variant}.",
            f"Known are: {', '.join(spec.miners)}.",
        )
    wallet = open_wallet(station.wallets, station.wallet)
    function = spec.miners[variant].make(station.store())

    async def body(stop: asyncio.Event) -> None:
        chain = Chain(station.endpoint, wallet)
        config = MinerConfig(netuid, *address, gateways=gateways)
        process = MinerProcess(
            spec.subnet,
            function,
            wallet.hotkey,
            chain,
            config,
            log=station.event_log(),
            status=station.status_file(),
        )
        try:
            await process.run(stop)
        finally:
            await chain.close()

    until_signalled(body)


def run_validator(
    station: Station, netuids: Mapping[str, int], ledger: Path, round_s: float
) -> None:
    """Validate the given subnets, netuid by name."""
    from mycelia.neuron.chain import Chain
    from mycelia.neuron.ledger import Ledger
    from mycelia.neuron.validator import Seat, Validator, ValidatorConfig
    from mycelia.neuron.wallets import open_wallet
    from mycelia.subnets import REGISTRY
    from mycelia.wire.client import WireClient

    wallet = open_wallet(station.wallets, station.wallet)
    store = station.store()
    seats = [
        Seat(netuid, spec_of(REGISTRY, name).subnet(store)) for name, netuid in netuids.items()
    ]
    book = Ledger(ledger)

    async def body(stop: asyncio.Event) -> None:
        chain = Chain(station.endpoint, wallet)
        async with WireClient(wallet.hotkey) as caller:
            validator = Validator(
                wallet.hotkey.ss58_address,
                seats,
                chain,
                caller,
                book,
                ValidatorConfig(round_s=round_s),
                log=station.event_log(),
                status=station.status_file(),
            )
            try:
                await validator.run(stop)
            finally:
                await chain.close()
                book.close()

    until_signalled(body)


def run_gateway(station: Station, netuids: Mapping[str, int], address: tuple[str, int]) -> None:
    """Offer the given subnets, netuid by name."""
    from mycelia.gateway import GatewayConfig, GatewayProcess
    from mycelia.neuron.chain import Chain
    from mycelia.neuron.wallets import open_wallet
    from mycelia.subnets import REGISTRY
    from mycelia.wire.client import WireClient

    wallet = open_wallet(station.wallets, station.wallet)
    specs = [spec_of(REGISTRY, name) for name in netuids]

    async def body(stop: asyncio.Event) -> None:
        chain = Chain(station.endpoint, wallet)
        async with WireClient(wallet.hotkey) as caller:
            process = GatewayProcess(
                specs,
                chain,
                caller,
                GatewayConfig(netuids, *address),
                log=station.event_log(),
                status=station.status_file(),
            )
            try:
                await process.run(stop)
            finally:
                await chain.close()

    until_signalled(body)
