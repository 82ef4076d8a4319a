"""What the clients ask when they connect and submit, in their order, over the socket library that they use."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import bittensor_core
import pytest
from websockets.asyncio.client import ClientConnection, connect

from mycelia.testing.blocks import ALICE, DAVE
from mycelia.testing.live import LiveNode
from mycelia.testing.oracle import compose

pytestmark = pytest.mark.slow

METADATA_15 = "0f000000"
SYSTEM_EVENTS = "0x26aa394eea5630e07c48ae0c9558cef780d41e5e16056765bc8461851072c9d7"


class Client:
    """Asks as the 10.x line does: short text ids, and a KeyError for frames it can't place."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.ids = count()
        self.news: list[Any] = []

    async def ask(self, method: str, params: list[Any]) -> Any:
        id_ = f"a{next(self.ids)}"
        request = {"jsonrpc": "2.0", "method": method, "params": params, "id": id_}
        await self.socket.send(json.dumps(request))
        while True:
            reply = json.loads(await self.socket.recv())
            if reply.get("id") == id_:
                return reply.get("result", reply.get("error"))
            self.news.append(reply["params"])


@pytest.fixture
async def client(node: LiveNode) -> AsyncIterator[Client]:
    async with connect(node.url, max_size=2**32, write_limit=2**16) as socket:
        yield Client(socket)


def metadata_of(option: str) -> bytes:
    """The bytes inside Option<OpaqueMetadata>."""
    data = bytes.fromhex(option[2:])
    assert data[0] == 1
    return data[5:] if data[1] & 3 == 2 else data[3:]


async def test_the_11_line_connects(client: Client) -> None:
    version = await client.ask("state_getRuntimeVersion", [None])
    assert {"specVersion", "transactionVersion", "specName"} <= version.keys()
    assert len(await client.ask("chain_getBlockHash", [0])) == 66
    blob = metadata_of(
        await client.ask("state_call", ["Metadata_metadata_at_version", METADATA_15, None])
    )
    runtime = bittensor_core.Runtime(blob, version["specVersion"], version["transactionVersion"])
    assert runtime.is_v15
    head = await client.ask("chain_getHead", [])
    parent = (await client.ask("chain_getHeader", [head]))["parentHash"]
    assert await client.ask("state_getRuntimeVersion", [parent]) == version
    prefix = "0x" + bytes(runtime.storage_key("SubtensorModule", "TokenSymbol", [])).hex()
    assert isinstance(await client.ask("state_getKeysPaged", [prefix, 100, prefix, head]), list)


async def test_the_10_line_connects(client: Client) -> None:
    head = await client.ask("chain_getHead", [])
    header = await client.ask("chain_getHeader", [head])
    assert int(header["number"], 16) > 0
    version = await client.ask("state_getRuntimeVersion", [header["parentHash"]])
    blob = bytes.fromhex((await client.ask("state_getMetadata", [head]))[2:])
    assert blob[:5] == b"meta\x0e"
    fourteen = bittensor_core.Runtime(blob, version["specVersion"], version["transactionVersion"])
    assert not fourteen.is_v15
    methods = (await client.ask("rpc_methods", []))["methods"]
    assert {"state_call", "state_getStorageAt", "account_nextIndex", "state_getKeysPaged"} <= {
        *methods
    }


async def test_a_transfer_as_both_lines_submit_and_read_it_back(client: Client) -> None:
    genesis = await client.ask("chain_getBlockHash", [0])
    finalized = await client.ask("chain_getFinalizedHead", [])
    birth = int((await client.ask("chain_getHeader", [finalized]))["number"], 16)
    nonce = await client.ask("account_nextIndex", [ALICE.address])
    raw = ALICE.sign(
        compose("Balances", "transfer_keep_alive", dest=DAVE.address, value=7),
        nonce=nonce,
        genesis_hash=bytes.fromhex(genesis[2:]),
        era={"period": 128, "current": birth},
        era_hash=bytes.fromhex(finalized[2:]),
    )
    fee_input = raw.hex() + len(raw).to_bytes(4, "little").hex()
    info = await client.ask("state_call", ["TransactionPaymentApi_query_info", fee_input, None])
    assert int.from_bytes(bytes.fromhex(info[2:])[-8:], "little") > 0

    id_ = await client.ask("author_submitAndWatchExtrinsic", ["0x" + raw.hex()])
    while not any(
        isinstance(n["result"], dict) and "finalized" in n["result"] for n in client.news
    ):
        client.news.append(json.loads(await client.socket.recv())["params"])
    assert {news["subscription"] for news in client.news} == {id_}
    statuses = [news["result"] for news in client.news]
    block = statuses[-1]["finalized"]
    assert statuses == ["ready", {"inBlock": block}, {"finalized": block}]
    assert await client.ask("author_unwatchExtrinsic", [id_]) is False

    found = (await client.ask("chain_getBlock", [block]))["block"]
    index = found["extrinsics"].index("0x" + raw.hex())
    events = await client.ask("state_getStorageAt", [SYSTEM_EVENTS, block])
    blob = bytes.fromhex((await client.ask("state_getMetadata", [block]))[2:])
    runtime = bittensor_core.Runtime(blob, 1, 1)
    entry = runtime.storage_entry("System", "Events")
    told = runtime.decode(entry.value_type, bytes.fromhex(events[2:]), True)
    ours = [event["event_id"] for event in told if event["extrinsic_idx"] == index]
    assert ours[-1] == "ExtrinsicSuccess"
    assert {"Transfer", "TransactionFeePaid"} <= {*ours}


async def test_an_absent_metadata_version_is_an_option_without_value(client: Client) -> None:
    answer = await client.ask("state_call", ["Metadata_metadata_at_version", "0x10000000", None])
    assert answer == "0x00"


async def test_an_unknown_export_has_the_text_that_the_10_line_compares(client: Client) -> None:
    error = await client.ask("state_call", ["Metadata_metadata_at_versions", "0x", None])
    assert error["message"] == (
        "Client error: Execution failed: Other: "
        "Exported method Metadata_metadata_at_versions is not found"
    )
