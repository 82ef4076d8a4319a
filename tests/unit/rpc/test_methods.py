"""What each method answers, asked through the dispatcher."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from mycelia.crypto import blake2_256
from mycelia.rpc.dispatch import Dispatcher
from mycelia.rpc.session import Session
from mycelia.state import MemoryStore
from mycelia.testing.blocks import ALICE, BOB, DAVE, grow, new_chain, transfer
from mycelia.testing.oracle import oracle
from mycelia.testing.rpc import InstantSealer, rpc_node

UNKNOWN = "0x" + "77" * 32
BLOCK_NUMBER = "0x26aa394eea5630e07c48ae0c9558cef702a5c1b19ab7a04f536c519aca4983ac"
ACCOUNTS = "0x26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9"


def closed() -> None:
    raise AssertionError("the session was closed")


@dataclass
class Desk:
    """A node with a session to ask on and to hear from."""

    dispatcher: Dispatcher
    sealer: InstantSealer
    session: Session = field(default_factory=lambda: Session(closed))

    async def ask(self, method: str, *params: Any) -> Any:
        reply = await self.reply(method, *params)
        assert "error" not in reply, reply
        return reply["result"]

    async def refusal(self, method: str, *params: Any) -> dict[str, Any]:
        reply = await self.reply(method, *params)
        assert "error" in reply, reply
        error: dict[str, Any] = reply["error"]
        return error

    async def reply(self, method: str, *params: Any) -> dict[str, Any]:
        request = orjson.dumps({"id": 1, "method": method, "params": params})
        reply = self.dispatcher.handle(request, self.session)
        raw = await reply if isinstance(reply, asyncio.Future) else reply
        assert raw is not None
        answer: dict[str, Any] = orjson.loads(raw)
        return answer

    def heard(self) -> list[Any]:
        """Results told since the last call."""
        frames = [orjson.loads(frame) for frame in self.session._frames]
        self.session._frames.clear()
        return [frame["params"]["result"] for frame in frames]


@pytest.fixture
def desk() -> Desk:
    node, sealer = rpc_node()
    return Desk(Dispatcher(node), sealer)


def signed(desk: Desk, nonce: int = 0, **terms: Any) -> str:
    return "0x" + transfer(desk.sealer.chain, terms.pop("who", ALICE), nonce, **terms).hex()


# --- chain ---


async def test_heads_hashes_and_headers_agree(desk: Desk) -> None:
    grow(desk.sealer.chain, blocks=2)
    head = await desk.ask("chain_getHead")
    assert head == await desk.ask("chain_getFinalizedHead")
    assert head == await desk.ask("chain_getBlockHash", 2)
    assert head == await desk.ask("chain_getBlockHash", None)
    header = await desk.ask("chain_getHeader", head)
    assert header["number"] == "0x2"
    assert header["parentHash"] == await desk.ask("chain_getBlockHash", "0x1")
    assert header == await desk.ask("chain_getHeader")
    assert all(entry.startswith("0x06") for entry in header["digest"]["logs"])


async def test_genesis_has_no_parent_and_no_extrinsics(desk: Desk) -> None:
    genesis = await desk.ask("chain_getBlockHash", 0)
    block = (await desk.ask("chain_getBlock", genesis))["block"]
    assert block["header"]["parentHash"] == "0x" + "00" * 32
    assert block["header"]["number"] == "0x0"
    assert block["extrinsics"] == []


async def test_unknown_heights_and_hashes_are_null(desk: Desk) -> None:
    assert await desk.ask("chain_getBlockHash", 9) is None
    assert await desk.ask("chain_getBlockHash", [0, 9]) == [
        await desk.ask("chain_getBlockHash", 0),
        None,
    ]
    assert await desk.ask("chain_getHeader", UNKNOWN) is None
    assert await desk.ask("chain_getBlock", UNKNOWN) is None


async def test_hashes_are_asked_for_by_the_thousand_at_most(desk: Desk) -> None:
    assert len(await desk.ask("chain_getBlockHash", [0] * 1_000)) == 1_000
    refused = await desk.refusal("chain_getBlockHash", [0] * 1_001)
    assert "at most 1000 heights" in refused["data"]


async def test_a_block_lists_its_extrinsics_time_first(desk: Desk) -> None:
    raw = transfer(desk.sealer.chain, ALICE, 0)
    grow(desk.sealer.chain, raw)
    answer = await desk.ask("chain_getBlock")
    assert answer["justifications"] is None
    first, second = answer["block"]["extrinsics"]
    assert second == "0x" + raw.hex()
    call = oracle().decode_extrinsic(bytes.fromhex(first[2:]), True)["call"]
    assert (call["call_module"], call["call_function"]) == ("Timestamp", "set")


@pytest.mark.parametrize("kind", ["NewHeads", "FinalizedHeads", "AllHeads"])
async def test_heads_are_told_beginning_with_the_newest(desk: Desk, kind: str) -> None:
    id_ = await desk.ask(f"chain_subscribe{kind}")
    await desk.ask("mycelia_seal", 2)
    assert [head["number"] for head in desk.heard()] == ["0x0", "0x1", "0x2"]
    assert await desk.ask(f"chain_unsubscribe{kind}", id_) is True
    assert await desk.ask(f"chain_unsubscribe{kind}", id_) is False
    await desk.ask("mycelia_seal")
    assert desk.heard() == []


# --- state ---


async def test_storage_by_key_height_and_absence(desk: Desk) -> None:
    genesis = await desk.ask("chain_getHead")
    key = (await desk.ask("state_getKeys", ACCOUNTS))[0]
    before = await desk.ask("state_getStorage", key)
    grow(
        desk.sealer.chain,
        transfer(desk.sealer.chain, ALICE, 0),
        transfer(desk.sealer.chain, BOB, 0),
    )
    assert await desk.ask("state_getStorageAt", key) != before
    assert await desk.ask("state_getStorageAt", key, genesis) == before
    assert await desk.ask("state_getStorageAt", "0x00") is None
    assert await desk.ask("state_getStorageSize", key) == len(before) // 2 - 1


async def test_pages_start_after_the_start_key_and_end_short(desk: Desk) -> None:
    every = await desk.ask("state_getKeys", ACCOUNTS)
    assert len(every) == 2
    assert every == sorted(every)
    page = await desk.ask("state_getKeysPaged", ACCOUNTS, 1, ACCOUNTS, None)
    assert page == every[:1]
    page = await desk.ask("state_getKeysPaged", ACCOUNTS, 5, page[-1], None)
    assert page == every[1:]
    assert await desk.ask("state_getKeysPaged", ACCOUNTS, 5, every[-1]) == []
    assert await desk.ask("state_getKeysPaged", ACCOUNTS, 5) == every


async def test_a_page_begun_with_its_prefix_leaves_out_a_key_that_is_the_prefix(desk: Desk) -> None:
    number = "0x26aa394eea5630e07c48ae0c9558cef702a5c1b19ab7a04f536c519aca4983ac"
    grow(desk.sealer.chain)
    assert await desk.ask("state_getKeysPaged", number, 5) == [number]
    assert await desk.ask("state_getKeysPaged", number, 5, number) == []


async def test_many_values_come_in_the_order_asked(desk: Desk) -> None:
    first, second = await desk.ask("state_getKeys", ACCOUNTS)
    head = await desk.ask("chain_getHead")
    (answer,) = await desk.ask("state_queryStorageAt", [second, "0x00", first], head)
    assert answer["block"] == head
    assert [key for key, _ in answer["changes"]] == [second, "0x00", first]
    assert answer["changes"][1][1] is None
    assert answer["changes"][0][1] == await desk.ask("state_getStorage", second)


async def test_states_of_unknown_and_discarded_blocks_are_told_apart(desk: Desk) -> None:
    error = await desk.refusal("state_getStorage", "0x00", UNKNOWN)
    assert error["message"].startswith("Client error: UnknownBlock: Header was not found")


async def test_a_discarded_state_reads_as_clients_match_it() -> None:
    chain = new_chain(MemoryStore(history=2))
    grow(chain, blocks=5)
    node, sealer = rpc_node(chain)
    desk = Desk(Dispatcher(node), sealer)
    old = await desk.ask("chain_getBlockHash", 1)
    for method in ("state_getStorage", "state_getKeys"):
        error = await desk.refusal(method, "0x00", old)
        assert error["message"] == (
            f"Client error: Api called for an unknown Block: State already discarded for {old}"
        )
    error = await desk.refusal("state_call", "Core_version", "0x", old)
    assert "State already discarded for 0x" in error["message"]


async def test_runtime_calls_take_hex_with_and_without_prefix(desk: Desk) -> None:
    account = ALICE.account.hex()
    assert await desk.ask("state_call", "AccountNonceApi_account_nonce", account) == "0x00000000"
    grow(desk.sealer.chain, transfer(desk.sealer.chain, ALICE, 0))
    after = await desk.ask("state_call", "AccountNonceApi_account_nonce", "0x" + account)
    assert after == "0x01000000"


async def test_metadata_in_both_versions(desk: Desk) -> None:
    assert (await desk.ask("state_getMetadata")).startswith("0x6d6574610e")
    fifteen = await desk.ask("state_call", "Metadata_metadata_at_version", "0x0f000000")
    assert fifteen.startswith("0x01")
    assert "6d6574610f" in fifteen[:30]
    assert await desk.ask("state_call", "Metadata_metadata_at_version", "0x63000000") == "0x00"


async def test_a_view_that_looks_up_too_much_is_refused_and_others_are_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mycelia.rpc.metered.MOST_LOOKUPS", 20)
    many = "StakeInfoRuntimeApi_get_stake_info_for_coldkeys"
    account = ALICE.account.hex()
    for _ in range(21):  # each begins anew
        await desk.ask("state_call", "AccountNonceApi_account_nonce", account)
    assert await desk.ask("state_call", many, "0x04" + account)
    error = await desk.refusal("state_call", many, "0x50" + account * 20)
    assert error["code"] == 4003
    assert "Ask for less at a time" in error["message"]
    assert await desk.ask("state_call", many, "0x04" + account)


async def test_an_unknown_api_reads_as_clients_match_it(desk: Desk) -> None:
    error = await desk.refusal("state_call", "Metadata_nothing", "0x")
    assert error["message"] == (
        "Client error: Execution failed: Other: Exported method Metadata_nothing is not found"
    )
    error = await desk.refusal("state_call", "AccountNonceApi_account_nonce", "0x00")
    assert "Bad input data provided to AccountNonceApi_account_nonce" in error["message"]


async def test_the_runtime_version_has_what_clients_refuse_to_miss(desk: Desk) -> None:
    version = await desk.ask("state_getRuntimeVersion", None)
    assert version["specName"] == "node-subtensor"
    assert version["specVersion"] == desk.sealer.chain.runtime.version.spec_version
    assert version["transactionVersion"] == 1
    assert version == await desk.ask(
        "state_getRuntimeVersion", await desk.ask("chain_getBlockHash", 0)
    )
    await desk.ask("state_subscribeRuntimeVersion")
    assert desk.heard() == [version]


async def test_storage_is_followed_only_where_it_changes(desk: Desk) -> None:
    alice, _ = await desk.ask("state_getKeys", ACCOUNTS)
    nothing = "0x1234"
    id_ = await desk.ask("state_subscribeStorage", [alice, nothing])
    (first,) = desk.heard()
    assert [key for key, _ in first["changes"]] == [alice, nothing]
    await desk.ask("mycelia_seal")
    assert desk.heard() == []
    for who in (ALICE, BOB):
        await desk.ask("author_submitExtrinsic", signed(desk, who=who))
    await desk.ask("mycelia_seal")
    (told,) = desk.heard()
    assert [key for key, _ in told["changes"]] == [alice]
    assert told["block"] == await desk.ask("chain_getHead")
    assert await desk.ask("state_unsubscribeStorage", id_) is True


# --- author ---


async def test_a_submitted_extrinsic_is_known_by_its_hash_and_waits(desk: Desk) -> None:
    raw = signed(desk)
    assert await desk.ask("author_submitExtrinsic", raw) == (
        "0x" + blake2_256(bytes.fromhex(raw[2:])).hex()
    )
    assert await desk.ask("author_pendingExtrinsics") == [raw]
    await desk.ask("mycelia_seal")
    assert await desk.ask("author_pendingExtrinsics") == []


async def test_what_waits_is_listed_for_one_at_a_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(desk.sealer, "pending", lambda: asked)
    first = asyncio.create_task(desk.ask("author_pendingExtrinsics"))
    await asyncio.sleep(0)  # it has asked, and waits
    async with asyncio.timeout(30):
        assert (await desk.refusal("author_pendingExtrinsics"))["code"] == -32000
    asked.set_result([b"\1"])
    assert await first == ["0x01"]
    assert await desk.ask("author_pendingExtrinsics") == ["0x01"]


async def test_the_next_index_counts_what_waits_and_the_api_does_not(desk: Desk) -> None:
    for nonce in (0, 1, 5):
        await desk.ask("author_submitExtrinsic", signed(desk, nonce))
    assert await desk.ask("account_nextIndex", ALICE.address) == 2
    assert await desk.ask("system_accountNextIndex", DAVE.address) == 0
    on_chain = await desk.ask("state_call", "AccountNonceApi_account_nonce", ALICE.account.hex())
    assert on_chain == "0x00000000"
    error = await desk.refusal("account_nextIndex", "no address")
    assert error["code"] == -32602


def forged(raw: str) -> str:
    at = 2 + 2 * 45
    return raw[:at] + f"{int(raw[at : at + 2], 16) ^ 1:02x}" + raw[at + 2 :]


async def test_refusals_read_as_clients_match_them(desk: Desk) -> None:
    raw = signed(desk, tip=5)
    error = await desk.refusal("author_submitExtrinsic", forged(raw))
    assert (error["code"], error["message"]) == (1010, "Invalid Transaction")
    assert error["data"] == "Transaction has a bad signature"
    await desk.ask("author_submitExtrinsic", raw)
    error = await desk.refusal("author_submitExtrinsic", raw)
    assert (error["code"], error["message"]) == (1013, "Transaction Already Imported")
    error = await desk.refusal("author_submitExtrinsic", signed(desk, tip=4))
    assert error["code"] == 1014
    assert "priority is too low" in error["message"].lower()
    await desk.ask("mycelia_seal")
    error = await desk.refusal("author_submitExtrinsic", raw)
    assert (error["code"], error["data"]) == (1010, "Transaction is outdated")
    error = await desk.refusal("author_submitExtrinsic", signed(desk, who=DAVE, tip=10**18))
    assert "Inability to pay some fees" in error["data"]
    assert all(isinstance(error["data"], str) for error in [error])


async def test_an_extrinsic_may_name_a_block_that_was_read_before_it_was_told(desk: Desk) -> None:
    """News may be late on a busy machine, while the store that clients read from is ahead by blocks."""
    grow(desk.sealer.chain, blocks=3)
    await desk.ask("mycelia_seal")
    grow(desk.sealer.chain, blocks=2)
    head = bytes.fromhex((await desk.ask("chain_getFinalizedHead"))[2:])
    raw = signed(desk, era={"period": 4, "current": 6}, era_hash=head)
    assert await desk.ask("author_submitExtrinsic", raw)


@pytest.mark.parametrize("raw", ["0x", "0x00", "0x1004", "0x0404", "0x28" + "84" * 10])
async def test_bytes_that_are_no_extrinsic_are_refused(desk: Desk, raw: str) -> None:
    error = await desk.refusal("author_submitExtrinsic", raw)
    assert error["code"] == 1001
    assert isinstance(error["data"], str)


async def test_an_inherent_from_outside_is_refused(desk: Desk) -> None:
    raw = "0x" + desk.sealer.chain.runtime.inherent(10**6).hex()
    assert (await desk.refusal("author_submitExtrinsic", raw))["code"] == 1001


async def test_a_watched_extrinsic_is_followed_to_its_block(desk: Desk) -> None:
    await desk.ask("author_submitAndWatchExtrinsic", signed(desk))
    await desk.ask("mycelia_seal")
    head = await desk.ask("chain_getHead")
    assert desk.heard() == ["ready", {"inBlock": head}, {"finalized": head}]
    assert desk.session.subscriptions == {}


async def test_a_refused_extrinsic_is_not_watched(desk: Desk) -> None:
    await desk.ask("author_submitExtrinsic", signed(desk))
    error = await desk.refusal("author_submitAndWatchExtrinsic", signed(desk, tip=0))
    assert error["code"] in (1013, 1014)
    await asyncio.sleep(0)
    assert desk.session.subscriptions == {}
    assert desk.dispatcher._node.hub.counters()["watched_extrinsics"] == 0


async def test_unwatching_ends_the_news_not_the_extrinsic(desk: Desk) -> None:
    id_ = await desk.ask("author_submitAndWatchExtrinsic", signed(desk))
    assert await desk.ask("author_unwatchExtrinsic", id_) is True
    desk.heard()
    await desk.ask("mycelia_seal")
    assert desk.heard() == []
    assert desk.sealer.chain.next_nonce(ALICE.account) == 1


async def test_a_session_ends_only_its_own_subscriptions(desk: Desk) -> None:
    id_ = await desk.ask("chain_subscribeNewHeads")
    desk.session, own = Session(closed), desk.session
    assert await desk.ask("chain_unsubscribeNewHeads", id_) is False
    assert id_ in own.subscriptions


# --- system, mycelia ---


async def test_what_the_node_says_of_itself(desk: Desk) -> None:
    assert await desk.ask("system_chain") == "test"
    assert await desk.ask("system_name") == "mycelia"
    assert await desk.ask("system_properties") == {
        "ss58Format": 42,
        "tokenDecimals": 9,
        "tokenSymbol": "TAO",
    }
    assert (await desk.ask("system_health"))["isSyncing"] is False
    methods = (await desk.ask("rpc_methods"))["methods"]
    assert {"state_call", "state_getStorageAt", "account_nextIndex", "state_getKeysPaged"} <= {
        *methods
    }


async def test_orders_to_seal_are_bounded(desk: Desk) -> None:
    assert len(await desk.ask("mycelia_seal", 3)) == 3
    for blocks in (0, -1, 10**9):
        assert (await desk.refusal("mycelia_seal", blocks))["code"] == -32602


async def test_orders_to_time_reach_the_sealer_and_heads_are_told_anew(desk: Desk) -> None:
    (then,) = await desk.ask("mycelia_seal")
    assert await desk.ask("mycelia_snapshot") == then
    await desk.ask("author_submitExtrinsic", signed(desk))
    await desk.ask("mycelia_seal", 2)
    assert await desk.ask("account_nextIndex", ALICE.address) == 1
    gone = await desk.ask("chain_getBlockHash", 2)
    await desk.ask("chain_subscribeNewHeads")
    key = ACCOUNTS + "00" * 16
    await desk.ask("state_subscribeStorage", [key, BLOCK_NUMBER])
    desk.heard()
    assert await desk.ask("mycelia_revert", then) is True
    assert await desk.ask("chain_getHead") == then
    assert await desk.ask("chain_getBlockHash", 2) is None
    assert await desk.ask("chain_getHeader", gone) is None
    assert (await desk.refusal("state_getStorage", key, gone))["message"].startswith(
        "Client error: UnknownBlock"
    )
    head, storage = desk.heard()
    assert head["number"] == "0x1"
    assert storage == {"block": then, "changes": [[BLOCK_NUMBER, "0x01000000"]]}
    await desk.ask("author_submitExtrinsic", signed(desk))
    assert await desk.ask("mycelia_sealEpoch", 1) != [gone]
    assert await desk.ask("mycelia_setTime", 1_800_000_000_000) is True
    assert desk.sealer.times_ms == [1_800_000_000_000]
    assert (await desk.refusal("mycelia_setTime", -1))["code"] == -32602
    assert (await desk.refusal("mycelia_sealEpoch", 70_000))["code"] == -32602
    assert (await desk.refusal("mycelia_revert", "0x12"))["code"] == -32602


# --- payment ---


async def test_what_an_extrinsic_costs_is_what_the_runtime_says(desk: Desk) -> None:
    raw = signed(desk)
    info = await desk.ask("payment_queryInfo", raw)
    size = len(raw) // 2 - 1
    by_api = await desk.ask(
        "state_call", "TransactionPaymentApi_query_info", raw + size.to_bytes(4, "little").hex()
    )
    assert int(info["partialFee"]) == int.from_bytes(bytes.fromhex(by_api[2:])[-8:], "little")
    assert info["class"] == "normal"
    assert info["weight"]["ref_time"] > 0
    parts = (await desk.ask("payment_queryFeeDetails", raw, None))["inclusionFee"]
    assert sum(map(int, parts.values())) == int(info["partialFee"])
    assert "code" in await desk.refusal("payment_queryInfo", "0x1004")
    assert "code" in await desk.refusal("payment_queryInfo", "0x")


async def test_a_range_of_blocks_tells_each_change(desk: Desk) -> None:
    hashes = await desk.ask("mycelia_seal", 3)
    absent = ACCOUNTS + "00" * 16
    found = await desk.ask("state_queryStorage", [BLOCK_NUMBER, absent], hashes[0], hashes[2])
    assert found == [
        {"block": hashes[0], "changes": [[BLOCK_NUMBER, "0x01000000"], [absent, None]]},
        {"block": hashes[1], "changes": [[BLOCK_NUMBER, "0x02000000"]]},
        {"block": hashes[2], "changes": [[BLOCK_NUMBER, "0x03000000"]]},
    ]
    many = await desk.ask("mycelia_seal", 33)
    error = await desk.refusal("state_queryStorage", [absent] * 1_000, many[0])
    assert "fewer keys or blocks" in error["data"]
    assert await desk.ask("state_queryStorage", [absent] * 1_000, many[1])
    assert (await desk.refusal("state_queryStorage", [absent], hashes[2], hashes[0]))[
        "code"
    ] == -32602
