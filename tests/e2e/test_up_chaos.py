"""A bad day: kills, hangs, half-open sockets, a full disk, the node away. Everything comes back.

The short form runs with the other slow tests. `MYCELIA_CHAOS=50` makes it the long one: that many
kills, a miner that drips bytes all the time, and the node away for a minute.
"""

import asyncio
import base64
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import bittensor
import pytest
from bittensor import calls

from mycelia.cli.up.plan import VALIDATORS
from mycelia.neuron.book import Verdict
from mycelia.neuron.chain import CallFailed, Chain, ChainAway, sdk_environment
from mycelia.neuron.ledger import Ledger
from mycelia.neuron.receipts import merkle_root
from mycelia.neuron.wallets import make_wallet, open_wallet
from tests.e2e.up import Up

KILLS = int(os.environ.get("MYCELIA_CHAOS", "0"))
IS_LONG = KILLS > 0
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000 if IS_LONG else 1500)]

QUICK = ("--only", "vision", "--block-time", "0.5", "--tempo", "6")
MINERS = ("vision-honest-a", "vision-honest-b", "vision-honest-c", "vision-lookup")
RPC = "rpc"  # the node's own child
PROCESSES = ("node", RPC, "gateway", *VALIDATORS, *MINERS)
SINK = "5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM"  # an account that nobody uses
RAO = 10**9


@pytest.fixture
def network(tmp_path):
    up = Up(tmp_path / "net", tmp_path / "home")
    up.start("--seed", "chaos", *QUICK)
    try:
        up.until(lambda: up.happened("first_paid_epoch"), 300)
        yield up
    finally:
        status = up.interrupt()
    assert status == 0
    assert up.left_running() == []


class Consumers(threading.Thread):
    """Asks the gateway all the time."""

    def __init__(self, up):
        super().__init__(daemon=True)
        self.up, self.ended, self.outcomes = up, threading.Event(), Counter()
        self.told = set()  # receipts of which the gateway said that they are safe
        sheet = b"P5 16 16 255\n" + bytes(256)
        self.body = json.dumps({"image": base64.b64encode(sheet).decode()}).encode()

    def run(self):
        url = f"http://127.0.0.1:{self.up.gateway_port}/v1/subnets/vision"
        while not self.ended.wait(0.1):
            request = urllib.request.Request(url, self.body, {"content-type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=60) as reply:
                    json.load(reply)
                    self.outcomes[reply.status] += 1
                    self.told |= {reply.headers["x-receipt-id"]} - {None}
            except urllib.error.HTTPError as error:
                self.outcomes[error.code] += 1
            except (OSError, ValueError) as error:
                self.outcomes[type(error).__name__] += 1


class Payer(threading.Thread):
    """Sends transfers all the time, and remembers those that the node called finalized."""

    def __init__(self, up):
        super().__init__(daemon=True)
        self.up, self.ended = up, threading.Event()
        self.sent = self.finalized = 0

    def run(self):
        asyncio.run(self._pay())

    async def _pay(self):
        wallet = open_wallet(self.up.folder / "wallets", "sudo")
        chain = Chain(f"ws://127.0.0.1:{self.up.rpc_port}", wallet, answer_s=10.0)
        intent = bittensor.Transfer(dest_ss58=SINK, amount_tao=1)
        while not self.ended.is_set():
            self.sent += 1
            with contextlib.suppress(ChainAway, CallFailed):
                result = await chain.ask(
                    lambda client: client.execute(intent, wallet, wait_for_finalization=True), 30.0
                )
                self.finalized += bool(result.success)
            await asyncio.sleep(0.2)
        await chain.close()


def free_rao(up, address):
    async def ask():
        chain = Chain(f"ws://127.0.0.1:{up.rpc_port}")
        try:
            account = await chain.ask(lambda client: client.query(("System", "Account"), [address]))
        finally:
            await chain.close()
        return int(account["data"]["free"])

    return asyncio.run(ask())


DRIPPER = """
import asyncio, contextlib

async def drip(reader, writer):
    with contextlib.suppress(OSError, EOFError):
        await reader.readuntil(b"\\r\\n\\r\\n")
        print("asked", flush=True)
        head = b"HTTP/1.1 200 OK\\r\\nContent-Length: 100000\\r\\n\\r\\n"
        for byte in head + bytes(100_000):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.5)
    writer.close()

async def main():
    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


@contextlib.contextmanager
def dripping_miner(up, folder):
    """A registered miner that answers everybody, two bytes a second. Yields how often it was asked."""
    log = folder / "dripper.out"
    with log.open("w") as output:
        process = subprocess.Popen([sys.executable, "-c", DRIPPER], stdout=output)
    try:
        up.until(log.read_text, 60)
        asyncio.run(_register(up, folder, int(log.read_text().split()[0])))
        yield lambda: log.read_text().count("asked")
    finally:
        process.kill()
        process.wait()


async def _register(up, folder, port):
    wallet = make_wallet(folder, "dripper", "drip")
    bank = open_wallet(up.folder / "wallets", "sudo")
    netuid = json.loads((up.folder / "network.json").read_text())["netuids"]["vision"]
    chain = Chain(f"ws://127.0.0.1:{up.rpc_port}", wallet)
    try:
        address = wallet.coldkey.ss58_address
        await chain.execute(bittensor.Transfer(dest_ss58=address, amount_tao=1_000), bank)
        hotkey = wallet.hotkey.ss58_address
        await chain.submit_call(calls.SubtensorModule.burned_register(netuid, hotkey), wallet)
        await chain.serve_axon(netuid, "127.0.0.1", port)
    finally:
        await chain.close()


def half_open(up):
    """Connections that begin a request and never go on with it."""
    ports = json.loads((up.folder / "network.json").read_text())["ports"].values()
    held = []
    for port in (*ports, up.gateway_port, up.rpc_port):
        for _ in range(20):
            with contextlib.suppress(OSError):
                connection = socket.create_connection(("127.0.0.1", port), timeout=2)
                connection.sendall(b"POST /vision/1 HTTP/1.1\r\nhost: x\r\n")
                held.append(connection)
    return held


def pid(up, name):
    """Of the newest life of a process; of the node's child while there is one."""
    if name != RPC:
        return up.pid(name)
    node = up.pid("node")
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{node}/task/{node}/children").read_text().split()
        return int(children[0]) if children else None
    return None


def weights_since(up, began_ms):
    return {
        name
        for name in VALIDATORS
        if any(event["at_ms"] > began_ms for event in up.happened("weights", name))
    }


def recovered(up, limit_s=240.0):
    """Wait until every validator sets weights anew and epochs go on; seconds it took."""
    began_ms = time.time_ns() // 1_000_000
    up.until(lambda: weights_since(up, began_ms) == set(VALIDATORS), limit_s)
    return time.time() - began_ms / 1000


def held_rounds(up):
    """Rounds by validator: what the ledgers hold, and what was said to be kept."""
    held = {}
    for name in VALIDATORS:
        ledger = Ledger(up.folder / "ledgers" / f"{name}.sqlite")
        held[name] = {sample.round for sample in ledger.samples("vision")}
        ledger.close()
    return held


def scored(up, name):
    """Samples that rest on a signed answer."""
    ledger = Ledger(up.folder / "ledgers" / f"{name}.sqlite")
    found = sum(s.verdict is Verdict.SCORED for s in ledger.samples("vision"))
    ledger.close()
    return found


def receipts(up, name):
    """Leaves in a caller's book, with their epochs."""
    path = up.folder / "ledgers" / f"{name}.receipts"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return dict(database.execute("SELECT leaf, epoch FROM receipts"))


def assert_no_receipt_was_lost(up, told):
    """What a consumer was told of is in the gateway's book, and what was sealed is in its book still."""
    assert told
    assert {bytes.fromhex(leaf) for leaf in told} <= receipts(up, "gateway").keys()
    for name, event in [*((name, "receipts_sealed") for name in VALIDATORS), ("gateway", "sealed")]:
        roots = up.happened(event, name)
        book = receipts(up, name)
        assert sum(sealed["count"] for sealed in roots) > 0, name
        for sealed in roots:
            leaves = sorted(leaf for leaf, epoch in book.items() if epoch == sealed["epoch"])
            assert merkle_root(leaves).hex() == sealed["root"], (name, sealed)


@pytest.fixture
def stack():
    with contextlib.ExitStack() as made:
        yield made


def test_kills_half_open_sockets_and_a_node_that_is_away(network, stack, tmp_path):
    up, rng = network, random.Random(7)
    os.environ.update(sdk_environment(up.folder / "sdk"))
    consumers, payer = Consumers(up), Payer(up)
    before_rao = free_rao(up, SINK)
    consumers.start()
    payer.start()
    up.until(lambda: payer.finalized and consumers.outcomes[200], 300)
    held = half_open(up)
    dripper = dripping_miner(up, tmp_path) if IS_LONG else contextlib.nullcontext(lambda: 1)
    was_asked = stack.enter_context(dripper)

    kills = Counter()
    for number in range(KILLS or 10):
        if number % len(PROCESSES) == len(PROCESSES) - 1:
            held += half_open(up)  # of the new processes, too
        name = PROCESSES[number] if number < len(PROCESSES) else rng.choice(PROCESSES)
        up.until(lambda name=name: pid(up, name), 180)
        victim = pid(up, name)
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
            kills[name] += 1
        up.until(lambda name=name, victim=victim: pid(up, name) not in {victim, None}, 180)
        time.sleep(rng.uniform(0.2, 1.5))
    after_kills_s = recovered(up)

    node = up.pid("node")
    os.kill(node, signal.SIGSTOP)
    time.sleep(60 if IS_LONG else 8)
    os.kill(node, signal.SIGCONT)
    after_away_s = recovered(up)

    assert was_asked()
    asked, paid = consumers.outcomes[200], payer.finalized
    up.until(lambda: consumers.outcomes[200] > asked and payer.finalized > paid, 300)
    consumers.ended.set()
    payer.ended.set()
    payer.join(180)
    for connection in held:
        connection.close()

    sys.stderr.write(
        f"\nkills {sum(kills.values())} {dict(kills)}; weights again after {after_kills_s:.1f} s,"
        f" and after the node came back {after_away_s:.1f} s; transfers {payer.finalized} final of"
        f" {payer.sent}; consumers {dict(consumers.outcomes)}\n"
    )
    # What was called finalized is there; what was not may be there, too.
    moved = (free_rao(up, SINK) - before_rao) // RAO
    assert payer.finalized <= moved <= payer.sent
    # A receipt is safe before its sample is: count samples first, as both still grow.
    told = {name: {e["round"] for e in up.happened("round", name)} for name in VALIDATORS}
    for name, rounds in held_rounds(up).items():
        assert told[name] <= rounds, f"{name} lost rounds"
        judged = scored(up, name)
        assert len(receipts(up, name)) >= judged > 0, f"{name} lost receipts"
    assert_no_receipt_was_lost(up, consumers.told)
    assert not up.happened("given_up")


@pytest.mark.skipif(not IS_LONG, reason="a hang takes a minute to be sure of")
def test_a_validator_that_hangs_is_replaced(network):
    up = network
    victim = up.pid("validator-2")
    os.kill(victim, signal.SIGSTOP)
    # Meanwhile the others set weights.
    began_ms = time.time_ns() // 1_000_000
    up.until(lambda: {"validator-1", "validator-3"} <= weights_since(up, began_ms), 180)
    up.until(lambda: up.pid("validator-2") != victim, 300)
    assert up.happened("process_hangs", name="validator-2")
    recovered(up)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, which can be filled without harm to anybody."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if not made or made.returncode:
        pytest.skip("no right to mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_stops_nothing_for_good(small_disk, tmp_path):
    up = Up(small_disk / "net", tmp_path / "home")
    up.start("--seed", "disk", *QUICK)
    try:
        up.until(lambda: up.happened("first_paid_epoch"), 300)
        filler = small_disk / "filler"
        began = time.monotonic()
        while time.monotonic() < began + 10 or "the disk is full: free space" not in up.printed():
            # Again and again: a file that somebody cuts or removes makes room for a moment.
            with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))
            up.runs()
            assert time.monotonic() < began + 120, up.printed()
            time.sleep(0.2)
        filler.unlink()
        recovered(up)
        up.until(lambda: "there is room on the disk again" in up.printed())
        assert not up.happened("given_up")
    finally:
        status = up.interrupt()
    assert status == 0
    assert up.left_running() == []
