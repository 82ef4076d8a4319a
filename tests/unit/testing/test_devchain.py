"""The chain that tests get: fresh, quick, and with time in the test's hand."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from mycelia.primitives.errors import CannotPay
from mycelia.rpc.registry import METHODS
from mycelia.testing.devchain import START_MS, DevChain, DevNode
from mycelia.testing.network import rpc_client
from mycelia.testing.oracle import Person

pytest_plugins = ["mycelia.testing.plugin"]
TAO = 10**9
DAVE = Person("//Dave").address


def test_a_call_is_sealed_and_told(dev_chain: DevChain) -> None:
    before = dev_chain.free("//Dave")
    result = dev_chain.submit("//Bob", "Balances", "transfer_keep_alive", dest=DAVE, value=5 * TAO)
    assert result.succeeded
    assert dev_chain.free("//Dave") == before + 5 * TAO
    assert result.events("Transfer")[0].amount == 5 * TAO
    assert (dev_chain.height, dev_chain.chain.now_ms()) == (1, START_MS)


def test_a_failed_call_names_its_error_and_one_that_may_not_enter_seals_nothing(
    dev_chain: DevChain,
) -> None:
    assert dev_chain.submit("//Bob", "SubtensorModule", "start_call", netuid=9).error
    with pytest.raises(CannotPay):
        dev_chain.submit("//Nobody", "Balances", "transfer_keep_alive", dest=DAVE, value=1)
    assert dev_chain.height == 1
    dev_chain.seal()
    assert dev_chain.height == 2


def test_each_test_has_a_chain_of_its_own(dev_chain: DevChain) -> None:
    assert dev_chain.height == 0


def test_a_subnet_reaches_its_epoch_and_all_of_it_can_be_taken_back(dev_chain: DevChain) -> None:
    then = dev_chain.snapshot()
    root = dev_chain.chain.store.root()
    hotkey = Person("//Alice_hk").address
    netuid = 1
    assert dev_chain.submit(
        "//Alice", "SubtensorModule", "register_network", hotkey=hotkey
    ).succeeded
    epochs = dev_chain.pallets.schedule.index_of(netuid)
    due = dev_chain.pallets.schedule.next_epoch_start(netuid)
    assert dev_chain.seal_epoch(netuid) == due
    assert dev_chain.pallets.schedule.index_of(netuid) == epochs + 1
    dev_chain.revert(then)
    assert dev_chain.height == 0
    assert dev_chain.chain.store.root() == root
    dev_chain.seal()
    assert dev_chain.chain.now_ms() == START_MS


def test_time_can_be_set(dev_chain: DevChain) -> None:
    dev_chain.seal()
    dev_chain.set_time(START_MS + 86_400_000)
    dev_chain.seal(2)
    assert dev_chain.chain.now_ms() == START_MS + 86_400_000 + dev_chain.chain.slot_ms
    with pytest.raises(ValueError, match="not after"):
        dev_chain.set_time(START_MS)


def test_a_fresh_chain_takes_milliseconds() -> None:
    DevChain()
    times_ms = []
    for _ in range(5):
        started = time.process_time()
        DevChain()
        times_ms.append((time.process_time() - started) * 1e3)
    assert min(times_ms) < 100  # 2 ms on the machine on which it was written


async def test_a_node_in_process_takes_orders_over_its_socket(dev_node: DevNode) -> None:
    async with rpc_client(dev_node.url) as client:
        then = await client.call("mycelia_snapshot")
        hashes = await client.call("mycelia_seal", 20)
        assert await client.call("chain_getHeader", hashes[-1]) is not None
        assert await client.call("mycelia_revert", then) is True
        assert await client.call("chain_getHeader", hashes[-1]) is None
        assert await client.call("chain_getBlock", then) is not None


async def test_the_page_about_it_is_true(root: Path, dev_node: DevNode) -> None:
    text = (root / "docs/time-warp.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    page: dict[str, Any] = {}
    exec(block, page)
    page["test_an_epoch_can_be_waited_for_and_taken_back"](DevChain())
    await page["test_a_client_sees_it"](dev_node)
    for order in re.findall(r"`(mycelia_\w+)\(", text):
        assert order in METHODS
