"""What a real node wrote to its folder, executed again by another process, gives the same roots."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from mycelia.chain import History
from mycelia.chain.header import decode_body
from mycelia.codec import Bytes, scale
from mycelia.state.lmdb import _TIP, _TIP_KEY, LmdbStore
from mycelia.state.lmdb_file import seal, unseal
from mycelia.testing.live import LiveNode
from mycelia.testing.oracle import Person, compose
from tests.properties.steps import RUNNING, Say, Seal, Step, Sudo, address

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

REPLAY_S = 300
BODY = scale(tuple[Bytes, ...])
FAILING = Say(
    "//Dave",
    "Balances",
    "transfer_keep_alive",
    {"dest": address("//Bob"), "value": 10**18},
)


class Operator:
    """Talks JSON-RPC to a node over HTTP, and signs for everybody."""

    def __init__(self, node: LiveNode) -> None:
        self._url = f"http://127.0.0.1:{node.port}"
        self._genesis_hash = bytes.fromhex(self.ask("chain_getBlockHash", 0)[2:])

    def ask(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request) as response:
            reply = json.load(response)
        assert "error" not in reply, reply["error"]
        return reply["result"]

    def take(self, step: Step) -> None:
        match step:
            case Seal(blocks):
                self.ask("mycelia_seal", blocks)
            case Say(uri, pallet, call, params):
                self.say(uri, compose(pallet, call, **params))
            case Sudo(call, params):
                self.say(
                    "//Alice", compose("Sudo", "sudo", call=compose("AdminUtils", call, **params))
                )

    def say(self, uri: str, call: bytes) -> None:
        """Hand in a signed call and have it sealed, so that the next one finds its effect."""
        who = Person(uri)
        nonce = self.ask("account_nextIndex", who.address)
        raw = who.sign(call, nonce=nonce, genesis_hash=self._genesis_hash)
        self.ask("author_submitExtrinsic", "0x" + raw.hex())
        self.ask("mycelia_seal", 1)


def replay(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mycelia.node", "--replay", "--base-path", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=REPLAY_S, check=False)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """A stopped node's folder, its height and its last root: subnets, epochs, a failed call, a restart."""
    folder = tmp_path_factory.mktemp("node")
    arguments = ("--dev", "--fast", "--base-path", str(folder / "chain"))
    with LiveNode(folder, arguments) as node:
        operator = Operator(node)
        for step in (*RUNNING, FAILING):
            operator.take(step)
    with LiveNode(folder, arguments) as node:
        operator = Operator(node)
        operator.take(Seal(30))
        operator.take(FAILING)
    log = (folder / "node.log").read_text()
    assert "node_stopped" in log
    height, root = _recorded_head(folder / "chain")
    return folder / "chain", height, root


def _recorded_head(folder: Path) -> tuple[int, str]:
    """Height and state root of the newest header, read as another program would."""
    store = LmdbStore(folder / "db", readonly=True)
    try:
        head = History(store).head()
        return head.number, bytes(head.state_root).hex()
    finally:
        store.close()


def test_the_recorded_blocks_give_the_same_roots(recorded: tuple[Path, int, str]) -> None:
    folder, height, root = recorded
    assert height > 60
    done = replay(folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Replayed {height} blocks; state root 0x{root} as recorded.\n"


def test_a_replay_only_reads(recorded: tuple[Path, int, str]) -> None:
    folder, _, _ = recorded
    before = (folder / "db" / "data.mdb").read_bytes()
    assert replay(folder).returncode == 0
    assert (folder / "db" / "data.mdb").read_bytes() == before


def test_a_history_that_was_rewritten_is_named_by_its_block(
    recorded: tuple[Path, int, str], tmp_path: Path
) -> None:
    folder = tmp_path / "chain"
    shutil.copytree(recorded[0], folder)
    height = _drop_an_extrinsic(folder / "db")
    done = replay(folder)
    assert done.returncode == 1
    assert "error[replay_differs]" in done.stderr
    assert f"Block {height}: expected state_root 0x" in done.stderr
    assert "remedy:" in done.stderr


def _drop_an_extrinsic(path: Path) -> int:
    """Rewrite the first block that holds a signed extrinsic, as a forger who knows the format; its height."""
    store = LmdbStore(path)
    records, meta = store._tables.records, store._tables.meta
    try:
        with store._env.begin(write=True) as txn:
            for height in range(1, 1_000):
                key = b"block/body/" + height.to_bytes(4, "big")
                extrinsics = decode_body(unseal(path, key, txn.get(key, db=records)))
                if len(extrinsics) > 1:
                    break
            txn.put(key, seal(key, BODY.encode(extrinsics[:-1])), db=records)
            _, *rest = store._stored_tip(txn)
            txn.put(_TIP_KEY, seal(_TIP_KEY, _TIP.pack(txn.id(), *rest)), db=meta)
    finally:
        store.close()
    return height
