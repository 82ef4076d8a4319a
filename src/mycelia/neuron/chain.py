"""The chain as neurons see it, through the official SDK and nothing else.

`Chain` adds three things to the SDK's client: a time limit on every question, a fresh connection
after a broken one, and typed answers in integers. So the same neurons run against any
Bittensor-compatible chain by changing the endpoint.

Terms: *rao* - 10^-9 TAO or alpha; *permit* - the right to set weights, given by stake at an epoch.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import bittensor
from bittensor.intents import normalize
from bittensor.settings import resolve_endpoint

from mycelia.neuron.book import Identity
from mycelia.neuron.sealing import COMMIT_VERSION, Beacon, own_beacon, sealed_row
from mycelia.primitives.errors import AppError

T = TypeVar("T")

_ANSWER_S = 15.0
_INCLUSION_S = 60.0


class ChainAway(AppError):
    """The node does not answer. Whoever asked keeps its state and asks again later."""


class CallFailed(AppError):
    """The chain refused a call, or took it and it failed; `code` is the SDK's error code."""


@dataclass(frozen=True)
class Neuron:
    """One uid of a subnet at one height. Amounts are rao; scores are 0..1."""

    uid: int
    hotkey: str
    coldkey: str
    registered_at: int
    permit: bool
    stake_rao: int
    incentive: float
    dividends: float
    emission_rao: int
    """Alpha per epoch, from the last one."""
    host: str | None
    """Where it serves; None if it does not."""
    port: int = 0

    @property
    def identity(self) -> Identity:
        """Who holds the uid."""
        return Identity(self.uid, self.hotkey, self.registered_at)


@dataclass(frozen=True)
class Metagraph:
    """A subnet at one height."""

    netuid: int
    name: str
    height: int
    tempo_blocks: int
    last_step: int
    """Height of the last epoch."""
    tao_emission_rao: int
    """TAO that one block puts into the subnet's pool."""
    alpha_emission_rao: int
    """Alpha that one block mints for owner, validators and miners."""
    alpha_price: float
    """TAO per alpha on the pool; for display."""
    neurons: tuple[Neuron, ...]

    def neuron(self, hotkey: str) -> Neuron | None:
        """The neuron of a hotkey, if it is registered."""
        return next((neuron for neuron in self.neurons if neuron.hotkey == hotkey), None)

    def permitted(self) -> frozenset[str]:
        """Hotkeys that may set weights."""
        return frozenset(neuron.hotkey for neuron in self.neurons if neuron.permit)


class ChainPort(Protocol):
    """What the kit needs of a chain; `Chain` is the real one."""

    async def metagraph(self, netuid: int) -> Metagraph: ...
    async def set_weights(self, netuid: int, weights: Mapping[int, float]) -> None: ...
    async def serve_axon(self, netuid: int, host: str, port: int) -> None: ...


def sdk_environment(folder: Path) -> dict[str, str]:
    """Environment that keeps everything the SDK writes inside a folder, never in the home."""
    files = {
        "BTCLI_CONFIG": "config.json",
        "BTCLI_PROXIES_PATH": "proxies.json",
        "BTCLI_ADDRESSES_PATH": "addresses.json",
        "BTCLI_MULTISIGS_PATH": "multisigs.json",
        "BTCLI_MULTISIG_CACHE": "multisig_cache.json",
        "BTCLI_SUBNET_NAMES_CACHE": "subnet_names.json",
        "BTCLI_TOKEN_SYMBOLS_CACHE": "token_symbols.json",
        "BITTENSOR_RUNTIME_CACHE_DIR": "runtime",
    }
    return {name: str(folder / file) for name, file in files.items()}


@dataclass
class Chain:
    """A connection that heals. Use it from one event loop; `close` it at the end."""

    endpoint: str
    wallet: bittensor.Wallet | None = None
    """Signs; None for a reader."""
    sdk_folder: Path | None = None
    """Where the SDK caches; None leaves it to the environment."""
    answer_s: float = _ANSWER_S
    _client: bittensor.Client | None = field(default=None, init=False, repr=False)
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)
    _genesis: str = field(default="", init=False, repr=False)

    def __post_init__(self) -> None:
        """Raises AppError for an endpoint that no wait will turn into a node."""
        try:
            resolve_endpoint(self.endpoint)
        except ValueError as error:
            raise AppError(
                "bad_endpoint",
                f"{self.endpoint!r} is no node's WebSocket.",
                "Write --endpoint ws://HOST:PORT, or wss:// with a certificate.",
            ) from error

    async def client(self) -> bittensor.Client:
        """The SDK's client, connected. Raises ChainAway."""
        async with self._opening:
            if self._client is None:
                self._client = await self._connected()
            return self._client

    async def ask(
        self, question: Callable[[bittensor.Client], Awaitable[T]], limit_s: float | None = None
    ) -> T:
        """Put a question to the SDK's client. Raises ChainAway after `limit_s` seconds, CallFailed."""
        client = await self.client()
        try:
            async with asyncio.timeout(limit_s or self.answer_s):
                return await question(client)
        except (
            TimeoutError,
            OSError,
            bittensor.RpcConnectionError,
            bittensor.ConnectionNotReady,
        ) as error:
            await self._forget(client)
            raise self._away(error) from error
        except bittensor.BittensorError as error:
            raise _refusal(error) from error
        except ValueError as error:
            # What the SDK raises for a storage item or API that the metadata lacks.
            raise CallFailed(
                "incompatible_node",
                f"The node at {self.endpoint} does not offer what was asked: {error}.",
                "Run a node and neurons of the same version.",
            ) from error

    async def genesis(self) -> str:
        """Hash of the first block, in hex: which network this is. Asked once per connection."""
        if not self._genesis:
            # A node may keep no state of that block, so nothing of it but its hash is asked for,
            # and for that the SDK has no public name.
            found = await self.ask(lambda client: client._substrate.block_hash(0))  # noqa: SLF001
            self._genesis = found.removeprefix("0x")
        return self._genesis

    async def height(self) -> int:
        """Number of the newest block."""
        return await self.ask(lambda client: client.block())

    async def metagraph(self, netuid: int) -> Metagraph:
        """The subnet at the newest block. Raises CallFailed if there is none."""
        found = await self.ask(lambda client: client.subnets.metagraph(netuid, commitments=False))
        if found is None:
            raise CallFailed(
                "subnet_not_found",
                f"There is no subnet {netuid} at {self.endpoint}.",
                "Check the netuid and the endpoint.",
            )
        return _metagraph(found)

    async def set_weights(self, netuid: int, weights: Mapping[int, float]) -> None:
        """Set weights with the wallet's hotkey and wait until a block has them.

        Where weights are committed first, they are sealed until the epoch that is to count them: by the
        SDK for the public beacon, by the kit where the chain believes one of its own.
        Raises CallFailed when the chain refuses, with the SDK's code such as `rate_limited`.
        """
        beacon = await self.ask(lambda client: own_beacon(client, netuid))
        if beacon is not None:
            await self._commit_weights(netuid, weights, beacon)
            return
        await self.execute(bittensor.SetWeights(netuid=netuid, weights=dict(weights)), retries=1)

    async def _commit_weights(
        self, netuid: int, weights: Mapping[int, float], beacon: Beacon
    ) -> None:
        signer: Any = self.wallet
        row = normalize(list(weights), list(weights.values()))
        hotkey = bytes(signer.hotkey.public_key)
        sealed = await self.ask(lambda client: sealed_row(client, netuid, beacon, hotkey, row))
        call = bittensor.calls.SubtensorModule.commit_timelocked_weights(
            netuid=netuid,
            commit=sealed.ciphertext,
            reveal_round=sealed.reveal_round,
            commit_reveal_version=COMMIT_VERSION,
        )
        await self.submit_call(call, self.wallet, signer="hotkey")

    async def serve_axon(self, netuid: int, host: str, port: int) -> None:
        """Publish where the wallet's hotkey serves."""
        await self.execute(bittensor.ServeAxon(netuid=netuid, ip=host, port=port), retries=1)

    async def execute(
        self, intent: Any, wallet: Any = None, *, retries: int = 0
    ) -> bittensor.ExtrinsicResult:
        """Submit an intent of the SDK and wait until it is in a block. Raises CallFailed."""
        signer: Any = wallet or self.wallet
        return await self._submitted(
            lambda client: client.execute(
                intent, signer, retries=retries, wait_for_finalization=False
            )
        )

    async def submit_call(
        self, call: Any, wallet: Any, *, signer: str = "coldkey"
    ) -> bittensor.ExtrinsicResult:
        """Submit a raw call for which the SDK has no (usable) intent. Raises CallFailed."""
        return await self._submitted(
            lambda client: client.submit_call(
                call, wallet, signer=signer, wait_for_finalization=False
            )
        )

    async def close(self) -> None:
        """Close the connection."""
        if self._client:
            await self._forget(self._client)

    async def _submitted(
        self, submission: Callable[[bittensor.Client], Awaitable[bittensor.ExtrinsicResult]]
    ) -> bittensor.ExtrinsicResult:
        result = await self.ask(submission, _INCLUSION_S)
        try:
            return result.raise_for_failure()
        except bittensor.BittensorError as error:
            raise _refusal(error) from error

    async def _connected(self) -> bittensor.Client:
        if self.sdk_folder:
            os.environ.update(sdk_environment(self.sdk_folder))
        client = bittensor.Client(self.endpoint, fallback_endpoints=[], archive_endpoints=[])
        try:
            async with asyncio.timeout(self.answer_s):
                await client.connect()
        except (TimeoutError, OSError, bittensor.BittensorError) as error:
            with suppress(bittensor.BittensorError, OSError):
                await client.close()
            raise self._away(error) from error
        return client

    async def _forget(self, client: bittensor.Client) -> None:
        if self._client is client:
            self._client = None
            self._genesis = ""
        # The socket library asserts something untrue of a peer that vanished.
        with suppress(bittensor.BittensorError, OSError, TimeoutError, AssertionError):
            async with asyncio.timeout(2.0):
                await client.close()

    def _away(self, error: BaseException) -> ChainAway:
        return ChainAway(
            "chain_away",
            f"The node at {self.endpoint} does not answer: {str(error) or type(error).__name__}.",
            "Check that it runs; this process keeps trying.",
        )


def _refusal(error: bittensor.BittensorError) -> CallFailed:
    code = getattr(error, "code", None)
    return CallFailed(
        str(getattr(code, "value", code) or "call_failed"),
        str(error),
        str(getattr(error, "remediation", "") or ""),
    )


def _metagraph(found: bittensor.Metagraph) -> Metagraph:
    raw = found.raw
    return Metagraph(
        netuid=found.netuid,
        name=found.name,
        height=found.block,
        tempo_blocks=found.tempo,
        last_step=found.last_step,
        tao_emission_rao=int(raw.get("tao_in_emission") or 0),
        alpha_emission_rao=int(raw.get("alpha_out_emission") or 0),
        alpha_price=found.price or 0.0,
        neurons=tuple(_neuron(neuron) for neuron in found.neurons),
    )


def _neuron(found: bittensor.MetagraphNeuron) -> Neuron:
    host, port = _address(found.axon)
    return Neuron(
        uid=found.uid,
        hotkey=found.hotkey,
        coldkey=found.coldkey,
        registered_at=found.block_at_registration,
        permit=found.validator_permit,
        stake_rao=found.total_stake.rao,
        incentive=found.incentive,
        dividends=found.dividends,
        emission_rao=found.emission.rao,
        host=host,
        port=port,
    )


def _address(axon: str | None) -> tuple[str | None, int]:
    if not axon:
        return None, 0
    host, _, port = axon.rpartition(":")
    return str(ipaddress.ip_address(host.strip("[]"))), int(port)
