"""The gateway's process: who asks and counter-signs, whom it admits, what it says of itself."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import bittensor_core
import pytest

from mycelia.gateway import GatewayConfig, GatewayProcess
from mycelia.gateway.keys import KeyFile
from mycelia.neuron.chain import ChainAway, Metagraph, Neuron
from mycelia.neuron.events import EventLog, StatusFile
from mycelia.neuron.receipts import CoSigned, ReceiptBook
from mycelia.neuron.routes import Traffic, routes
from mycelia.neuron.voices import Voices
from mycelia.primitives.errors import AppError
from mycelia.subnets.text import SPEC, Ask, Piece, Text
from mycelia.wire import AllowSet, Receipt, WireClient, WireServer

VOICES = [bittensor_core.Keypair.create_from_uri(f"//voice{n}") for n in range(2)]
MINER = bittensor_core.Keypair.create_from_uri("//miner")
NEURON = Neuron(
    uid=0, hotkey=MINER.ss58_address, coldkey="c", registered_at=0, permit=False, stake_rao=0,
    incentive=0.5, dividends=0.0, emission_rao=0, host="127.0.0.1", port=0,
)  # fmt: skip
ASK = {"model": SPEC.openai_model, "messages": [{"role": "user", "content": "my secret"}]}


@dataclass
class Network:
    """A chain of one subnet, one miner, and the gateway's process before it."""

    folder: Path
    port: int = 0
    """Of the miner."""
    last_step: int = 7
    away: bool = False
    committed: dict[str, bytes] = field(default_factory=dict)

    async def metagraph(self, netuid: int) -> Metagraph:
        if self.away:
            raise ChainAway("chain_away", "gone", "wait")
        neuron = replace(NEURON, port=self.port)
        return Metagraph(
            netuid=netuid, name="text", height=1, tempo_blocks=20, last_step=self.last_step,
            tao_emission_rao=0, alpha_emission_rao=0, alpha_price=0.0, neurons=(neuron,),
        )  # fmt: skip

    async def genesis(self) -> str:
        return "ab" * 32

    async def published(self, netuid: int) -> dict[str, bytes]:
        return self.committed

    @asynccontextmanager
    async def gateway(self, **config) -> AsyncIterator[GatewayProcess]:
        config = GatewayConfig({"text": 1}, port=0, **config)
        async with WireClient(VOICES[0]) as first, WireClient(VOICES[1]) as second:
            process = GatewayProcess(
                [SPEC],
                self,
                Voices([first, second]),
                config,
                signers=VOICES,
                published=self.published,
                log=EventLog(self.folder / "log", "gateway"),
                status=StatusFile(self.folder / "status"),
            )
            stop = asyncio.Event()
            task = asyncio.create_task(process.run(stop))
            try:
                await self.until(lambda: task.done() or process._directory.graphs)
                yield process
            finally:
                stop.set()
                await task

    def status(self) -> dict:
        path = self.folder / "status"
        return json.loads(path.read_text()) if path.exists() else {}

    def events(self, name: str) -> list[dict]:
        lines = (self.folder / "log").read_text().splitlines()
        return [event for line in lines if (event := json.loads(line))["event"] == name]

    async def until(self, what) -> None:
        async with asyncio.timeout(60.0):
            while not what():  # noqa: ASYNC110 - what is waited for tells nobody
                await asyncio.sleep(0.02)


@pytest.fixture
async def network(tmp_path) -> AsyncIterator[Network]:
    async def recite(ask: Ask) -> AsyncIterator[Piece]:
        yield Piece(text="so much", tokens=(1, 2), finish="stop", prompt_tokens=4)

    allowed = AllowSet([key.ss58_address for key in VOICES])
    server = WireServer(MINER, routes(Text, Text.miner(recite), Traffic()), allowed)
    yield Network(tmp_path, await server.start("127.0.0.1", 0))
    await server.stop()


async def _asked(process: GatewayProcess, path: str, body=None, key: str = ""):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    url = f"http://127.0.0.1:{process.port}{path}"
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request("POST" if body else "GET", url, json=body) as reply,
    ):
        return reply.status, await reply.json(), reply.headers


async def test_each_hotkey_counter_signs_what_it_asked(network):
    callers = set()
    async with network.gateway(journal=network.folder / "receipts") as process:
        while len(callers) < 2:
            _, _, headers = await _asked(process, "/v1/chat/completions", ASK)
            _, shown, _ = await _asked(process, f"/v1/receipts/{headers['x-receipt-id']}")
            receipt = Receipt.from_json(shown["receipt"])
            signature = bytes.fromhex(shown["counter_signature"][2:])
            CoSigned(receipt, shown["counter_scheme"], signature).verify()
            callers.add(receipt.caller)
    assert callers == {key.ss58_address for key in VOICES}


async def test_an_epoch_is_sealed_at_its_end_and_stays_in_the_book(network):
    path = network.folder / "receipts"
    async with network.gateway(journal=path) as process:
        _, _, headers = await _asked(process, "/v1/chat/completions", ASK)
        network.last_step = 27
        await network.until(lambda: network.events("sealed"))
    (sealed,) = network.events("sealed")
    assert (sealed["subnet"], sealed["epoch"], sealed["count"]) == ("text", 7, 1)
    book = ReceiptBook.open(path, VOICES[0])
    proof, root = book.proof(bytes.fromhex(headers["x-receipt-id"]))
    book.close()
    assert (proof.count, root.root.hex()) == (1, sealed["root"])


async def test_keys_are_read_again_when_they_change(network):
    file = KeyFile(network.folder / "keys.json")
    alice = file.add("alice")
    async with network.gateway(keys=file.path) as process:
        assert (await _asked(process, "/v1/models", key=alice))[0] == 200
        assert (await _asked(process, "/v1/models"))[0] == 401
        bob = file.add("bob")
        file.revoke("alice")
        await network.until(lambda: network.events("keys_read"))
        assert (await _asked(process, "/v1/models", key=bob))[0] == 200
        assert (await _asked(process, "/v1/models", key=alice))[0] == 401
        # A file that is damaged, or gone, neither opens the door nor closes it.
        file.path.write_text("{")
        await network.until(lambda: network.events("key_trouble"))
        file.path.unlink()
        assert (await _asked(process, "/v1/models", key=bob))[0] == 200
        assert (await _asked(process, "/v1/models"))[0] == 401
    log = (network.folder / "log").read_text()
    assert not any(key in log for key in (alice, bob))


async def test_where_claims_are_required_nothing_is_offered_before_they_hold(network):
    async with network.gateway(claims_required=True) as process:
        await network.until(lambda: network.status().get("waiting") == ["text"])
        await network.until(lambda: process._directory.withheld("text") == 1)
        status, body, headers = await _asked(process, "/v1/chat/completions", ASK)
        assert (status, body["error"]["code"]) == (503, "not_attested")
        assert headers["retry-after"] == "5"
        status, health, _ = await _asked(process, "/health")
        assert (status, health) == (503, {"miners": {"text": 0}, "not_attested": {"text": 1}})
    assert "secret" not in (network.folder / "log").read_text()


async def test_it_outlives_the_chain(network):
    async with network.gateway() as process:
        await network.until(lambda: network.status().get("waiting") == [])
        network.away = True
        await network.until(lambda: network.events("chain_trouble"))
        assert (await _asked(process, "/v1/chat/completions", ASK))[0] == 200


async def test_a_fault_ends_it_and_is_told(network):
    async def broken(netuid: int) -> Metagraph:
        raise ZeroDivisionError

    network.metagraph = broken
    with pytest.raises(ZeroDivisionError):
        async with network.gateway():
            pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1"])
def test_without_keys_it_listens_to_its_own_machine_only(network, host):
    with pytest.raises(AppError) as refused:
        GatewayProcess([SPEC], network, None, GatewayConfig({"text": 1}, host=host))
    assert refused.value.code == "open_door"


@pytest.mark.parametrize("option", ["keys", "journal"])
def test_a_file_that_cannot_be_used_is_named(network, option):
    path = network.folder / "file"
    path.write_text("garbage" * 1000)
    config = GatewayConfig({"text": 1}, **{option: path})
    with pytest.raises(AppError) as refused:
        GatewayProcess([SPEC], network, None, config, signers=VOICES)
    assert str(path) in refused.value.message
    assert refused.value.remedy
