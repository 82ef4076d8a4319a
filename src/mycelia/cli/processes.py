"""The bodies of the neuron processes: assemble the kit from flags, run until told to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mycelia.models import ModelStore
from mycelia.neuron.events import EventLog, StatusFile
from mycelia.neuron.subnet import Spec, Subnet
from mycelia.primitives.errors import AppError

if TYPE_CHECKING:
    import bittensor


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
    hotkey: str = "default"
    monitor_port: int | None = None

    def event_log(self) -> EventLog:
        """Where this process writes its events: the terminal, where no file is named."""
        return EventLog(self.log, self.name, sys.stderr)

    def wallet_keys(self) -> bittensor.Wallet:
        """The wallet, its hotkey unlocked. Raises WalletError."""
        from mycelia.neuron.wallets import open_wallet

        return open_wallet(self.wallets, self.wallet, self.hotkey)

    def status_file(self) -> StatusFile:
        """Where this process writes its newest state."""
        return StatusFile(self.status)

    def store(self) -> ModelStore:
        """The models on this machine."""
        return ModelStore(self.models)


def until_signalled(body: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run a body with an event that SIGINT and SIGTERM set."""
    import uvloop

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await body(stop)

    uvloop.run(run())


def spec_named(name: str) -> Spec:
    """A subnet by its file or, built in, by its name. Raises AppError with the names there are."""
    if name.endswith(".py"):
        from mycelia.neuron.authoring import load_subnet

        return load_subnet(Path(name))
    from mycelia.subnets import REGISTRY

    try:
        return REGISTRY[name]
    except KeyError:
        file = Path(f"{name}.py")
        known = f"Name a file, or one of: {', '.join(REGISTRY)}."
        raise AppError(
            "unknown_subnet",
            f"There is no subnet {name}.",
            f"{file} is here: name it so." if file.is_file() else known,
        ) from None


@dataclass(frozen=True)
class Serving:
    """Where a miner listens, and for whom."""

    netuid: int
    host: str
    port: int
    public_host: str | None = None
    gateways: frozenset[str] = frozenset()
    price_rao: int = 0


def run_miner(station: Station, subnet: str, variant: str | None, serving: Serving) -> None:
    """Serve one variant of a subnet's miners, the first honest one if none is named."""
    # The SDK and the registry take a second to import: not before `mycelia --help` needs to.
    from mycelia.neuron.chain import Chain
    from mycelia.neuron.claims import Claim, ClaimDesk, OnChain
    from mycelia.neuron.declared import manifest_of
    from mycelia.neuron.miner import MinerConfig, MinerProcess

    spec = spec_named(subnet)
    chosen = variant or next(v.name for v in spec.miners.values() if v.honest)
    if chosen not in spec.miners:
        raise AppError(
            "unknown_variant",
            f"The subnet {subnet} has no miner {chosen}.",
            f"Known are: {', '.join(spec.miners)}.",
        )
    wallet, store = station.wallet_keys(), station.store()
    hotkey = wallet.hotkey.ss58_address
    kind = spec.miners[chosen]
    manifest = manifest_of(spec.subnet, kind, store, hotkey, serving.price_rao)
    function = kind.make(store)

    async def body(stop: asyncio.Event) -> None:
        chain = Chain(station.endpoint, wallet)
        config = MinerConfig(
            serving.netuid,
            serving.host,
            serving.port,
            public_host=serving.public_host,
            gateways=serving.gateways,
            monitor_port=station.monitor_port,
        )
        claim = None
        if manifest is not None:
            commitments = OnChain(chain, serving.netuid, hotkey)
            claim = Claim(ClaimDesk(wallet.hotkey, manifest), commitments)
        process = MinerProcess(
            spec.subnet,
            function,
            wallet.hotkey,
            chain,
            config,
            claim=claim,
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
    """Validate the given subnets, netuid by name or file."""
    from mycelia.neuron.audits import Tray
    from mycelia.neuron.chain import Chain
    from mycelia.neuron.claims import Attester, publish_root, published
    from mycelia.neuron.ledger import Ledger
    from mycelia.neuron.receipts import ReceiptBook
    from mycelia.neuron.validator import Seat, Validator, ValidatorConfig
    from mycelia.neuron.vouching import Voucher
    from mycelia.wire.client import WireClient

    wallet = station.wallet_keys()
    store = station.store()
    judges = {netuid: spec_named(name).subnet(store) for name, netuid in netuids.items()}
    book = Ledger(ledger)
    receipts = ReceiptBook.open(ledger.with_suffix(".receipts"), wallet.hotkey)
    tray = Tray(ledger.with_suffix(".audits"))

    async def body(stop: asyncio.Event) -> None:
        chain, log = Chain(station.endpoint, wallet), station.event_log()
        async with WireClient(wallet.hotkey) as caller:

            def seat(netuid: int, subnet: Subnet) -> Seat:
                voucher = Voucher(
                    netuid,
                    subnet.floor,
                    Attester(wallet.hotkey, netuid, chain.genesis, caller, subnet.knows),
                    partial(published, chain),
                    partial(book.set_claim, subnet.name),
                    log,
                )
                root_of = partial(publish_root, chain, netuid, wallet.hotkey.ss58_address)
                return Seat(netuid, subnet, receipts, voucher, tray, root_of)

            seats = [seat(netuid, subnet) for netuid, subnet in judges.items()]
            validator = Validator(
                wallet.hotkey.ss58_address,
                seats,
                chain,
                caller,
                book,
                ValidatorConfig(round_s=round_s, monitor_port=station.monitor_port),
                log=log,
                status=station.status_file(),
            )
            try:
                await validator.run(stop)
            finally:
                await chain.close()
                book.close()
                receipts.close()

    until_signalled(body)


@dataclass(frozen=True)
class Door:
    """Where a gateway listens, whom it admits, and what it keeps and offers."""

    host: str
    port: int
    keys: Path | None = None
    receipts: Path | None = None
    claims: bool = False
    audits: tuple[Path, ...] = ()


def run_gateway(
    station: Station, wallets: Sequence[str], netuids: Mapping[str, int], door: Door
) -> None:
    """Offer the given subnets, netuid by name, asking miners with the wallets' hotkeys."""
    from mycelia.gateway import GatewayConfig, GatewayProcess
    from mycelia.neuron.chain import Chain
    from mycelia.neuron.claims import published
    from mycelia.neuron.voices import Voices
    from mycelia.wire.client import WireClient

    keys = [replace(station, wallet=name).wallet_keys() for name in wallets]
    specs = [spec_named(name) for name in netuids]
    config = GatewayConfig(
        {spec.subnet.name: netuid for spec, netuid in zip(specs, netuids.values(), strict=True)},
        door.host,
        door.port,
        keys=door.keys,
        journal=door.receipts,
        claims_required=door.claims,
        audits=door.audits,
    )

    async def body(stop: asyncio.Event) -> None:
        chain = Chain(station.endpoint, keys[0])
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(WireClient(key.hotkey)) for key in keys]
            process = GatewayProcess(
                specs,
                chain,
                Voices(clients),
                config,
                signers=[key.hotkey for key in keys],
                published=lambda netuid: published(chain, netuid),
                log=station.event_log(),
                status=station.status_file(),
            )
            try:
                await process.run(stop)
            finally:
                await chain.close()

    until_signalled(body)
