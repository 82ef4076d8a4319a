"""A newcomer's tour with the unmodified `btcli` 11.3, by its real command line, against a live node.

Each command is a process with a home folder of its own; what it did is checked by asking the chain again, over the RPC
or with another command. The tests are one story, in order.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mycelia.testing.live import LiveNode

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # each command imports for seconds
BTCLI = Path(sys.executable).with_name("btcli")
COMMAND_S = 240
ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
ALICE_SEED = "0xe5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a"


class Newcomer:
    """A person with a fresh home folder, a terminal, and the address of a node."""

    def __init__(self, home: Path, url: str) -> None:
        self.netuid = 0
        self.addresses: dict[str, str] = {}
        self._home = home
        self._url = url.replace("ws://", "http://")
        self._env = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "BT_NETWORK": url,
            "BT_FALLBACK_ENDPOINTS": "none",
            "BT_ARCHIVE_ENDPOINTS": "none",
            "BITTENSOR_RUNTIME_CACHE_DIR": str(home / "cache"),
            "COLUMNS": "200",
            "NO_COLOR": "1",
        }

    def types(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `btcli` with these words; nothing is typed after that."""
        return subprocess.run(
            [str(BTCLI), *words],
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=self._home,
            env=self._env,
        )

    def asks(self, *words: str) -> Any:
        """The JSON answer of a command that must succeed."""
        result = self.types(*words, "--json")
        assert result.returncode == 0, (words, result.stdout, result.stderr)
        return json.loads(result.stdout)

    def does(self, *words: str) -> Any:
        """As `asks`, of a command that changes the chain."""
        answer = self.asks(*words, "--yes")
        assert answer["success"], answer
        return answer

    def waits(self, blocks: int) -> None:
        """Let this many blocks pass, as a person does who is told of a rate limit."""
        until, ends_at = self._height() + blocks, time.monotonic() + 5 * blocks
        while self._height() < until:
            assert time.monotonic() < ends_at, "the node makes no blocks"
            time.sleep(0.2)

    def _height(self) -> int:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "chain_getHeader"}).encode()
        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(json.load(answer)["result"]["number"], 16)

    def free(self, wallet: str) -> float:
        """Free TAO of a wallet."""
        return float(self.asks("wallet", "balance", "-w", wallet)["free_tao"])


def neuron_of(rows: Any, uid: int) -> Any:
    """The neuron with a uid."""
    return next(row for row in rows if row["uid"] == uid)


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    if not BTCLI.exists():
        pytest.fail(f"{BTCLI} is missing: it comes with bittensor, a dependency")
    with LiveNode(tmp_path_factory.mktemp("node")) as node:
        yield Newcomer(tmp_path_factory.mktemp("home"), node.url)


def test_wallets_are_made_in_the_home_folder(newcomer: Newcomer) -> None:
    made = newcomer.asks("wallet", "create", "-w", "new", "-H", "hot", "--no-password")
    newcomer.addresses["new"] = made["coldkey_ss58"]
    assert len(made["coldkey_mnemonic"].split()) == 12
    rich = newcomer.asks(
        "wallet", "regen-coldkey", "-w", "alice", "--seed", ALICE_SEED, "--no-password"
    )
    assert rich["ss58"] == ALICE
    newcomer.asks("wallet", "new-hotkey", "-w", "alice", "-H", "hot")
    shown = newcomer.asks("wallet", "show", "-w", "alice", "-H", "hot")
    newcomer.addresses["alice_hot"] = shown["hotkey_ss58"]
    listed = json.dumps(newcomer.asks("wallet", "list"))
    assert made["coldkey_ss58"] in listed
    assert ALICE in listed


def test_balances_and_a_transfer(newcomer: Newcomer) -> None:
    assert newcomer.free("new") == 0
    before = newcomer.free("alice")
    dest = newcomer.addresses["new"]
    sent = newcomer.does("wallet", "transfer", "-w", "alice", "--dest", dest, "--amount", "250")
    assert newcomer.free("new") == 250
    assert before - newcomer.free("alice") == pytest.approx(250 + sent["fee_tao"], abs=1e-8)
    assert newcomer.asks("query", "existential-deposit") == "τ0.000000500"


def test_a_dry_run_changes_nothing(newcomer: Newcomer) -> None:
    dest = newcomer.addresses["new"]
    newcomer.asks("wallet", "transfer", "-w", "alice", "--dest", dest, "--amount", "9", "--dry-run")
    assert newcomer.free("new") == 250


def test_a_subnet_is_created_at_its_price(newcomer: Newcomer) -> None:
    price = newcomer.asks("subnets", "create-cost")["tao"]
    before = newcomer.free("alice")
    made = newcomer.does("subnets", "create", "-w", "alice", "-H", "hot")
    newcomer.netuid = made["data"]["netuid"]
    spent = before - newcomer.free("alice") - made["fee_tao"]
    assert 0.9 * price <= spent <= price
    shown = newcomer.asks("subnets", "show", str(newcomer.netuid))
    assert (shown["owner_coldkey"], shown["neurons"]) == (ALICE, 1)
    assert newcomer.netuid in [row["netuid"] for row in newcomer.asks("subnets", "list")]
    table = newcomer.types("subnets", "list")
    assert table.returncode == 0
    assert "0 (root)" in table.stdout


def test_a_subnet_is_started_and_configured_by_its_owner(newcomer: Newcomer) -> None:
    netuid = str(newcomer.netuid)
    newcomer.does("tx", "start-call", "--netuid", netuid, "-w", "alice")
    parameters = newcomer.asks("subnets", "hyperparameters", netuid)
    assert parameters["max_allowed_uids"] == 256
    newcomer.does(
        *("tx", "set-hyperparameter", "--netuid", netuid, "-w", "alice"),
        *("--name", "min_allowed_weights", "--value", "3"),
    )
    changed = newcomer.asks("subnets", "hyperparameters", netuid)
    assert changed["min_allowed_weights"] == 3


def test_stake_is_added_and_listed(newcomer: Newcomer) -> None:
    netuid = str(newcomer.netuid)
    before = newcomer.free("alice")
    newcomer.does(
        *("stake", "add", "--netuid", netuid, "-w", "alice", "-H", "hot"),
        *("--amount", "10", "--no-mev-shield"),
    )
    assert before - newcomer.free("alice") == pytest.approx(10, abs=0.1)
    rows = newcomer.asks("stake", "list", "-w", "alice")
    assert [row for row in rows if row["netuid"] == newcomer.netuid]
    graph = newcomer.asks("subnets", "metagraph", netuid)
    assert newcomer.addresses["alice_hot"] in json.dumps(graph)


def test_a_neuron_registers_through_the_shield(newcomer: Newcomer) -> None:
    netuid = str(newcomer.netuid)
    price = newcomer.asks("subnets", "burn-cost", netuid)["tao"]
    before = newcomer.free("new")
    newcomer.does("subnets", "register", "--netuid", netuid, "-w", "new", "-H", "hot")
    assert 0 < before - newcomer.free("new") <= price + 0.1
    shown = newcomer.asks("wallet", "show", "-w", "new", "-H", "hot")
    graph = newcomer.asks("subnets", "metagraph", netuid)
    assert shown["hotkey_ss58"] in json.dumps(graph)
    assert newcomer.asks("subnets", "show", netuid)["neurons"] == 2


def test_a_neuron_says_where_it_answers(newcomer: Newcomer) -> None:
    netuid = str(newcomer.netuid)
    newcomer.does(
        *("axon", "set", "--netuid", netuid, "-w", "new", "-H", "hot"),
        *("--ip", "127.0.0.1", "--port", "8091"),
    )
    rows = newcomer.asks("query", "neurons", "--netuid", netuid)
    assert "8091" in json.dumps(neuron_of(rows, 1))
    newcomer.waits(50)  # ServingRateLimit
    newcomer.does("axon", "reset", "--netuid", netuid, "-w", "new", "-H", "hot")
    rows = newcomer.asks("query", "neurons", "--netuid", netuid)
    assert "8091" not in json.dumps(neuron_of(rows, 1))


def test_stake_is_taken_back(newcomer: Newcomer) -> None:
    netuid = str(newcomer.netuid)
    before = newcomer.free("alice")
    newcomer.does(
        *("stake", "remove", "--netuid", netuid, "-w", "alice", "-H", "hot"),
        *("--amount", "2", "--no-mev-shield"),
    )
    assert newcomer.free("alice") > before + 1


def test_a_subnet_is_named_and_its_token_gets_a_symbol(newcomer: Newcomer) -> None:
    netuid = str(newcomer.netuid)
    newcomer.does(
        *("tx", "set-subnet-identity", "--netuid", netuid, "-w", "alice"),
        *("--subnet-name", "mycelium", "--description", "grows"),
    )
    assert "mycelium" in json.dumps(newcomer.asks("query", "subnet-identity", "--netuid", netuid))
    newcomer.does("tx", "update-symbol", "--netuid", netuid, "-w", "alice", "--symbol", "ω")
    assert newcomer.asks("query", "token-symbols")[netuid] == "ω"


def test_a_delegate_joins_the_root_and_takes_less(newcomer: Newcomer) -> None:
    newcomer.does("tx", "root-register", "-w", "alice", "-H", "hot")
    hotkey = newcomer.addresses["alice_hot"]
    assert newcomer.asks("query", "uid", "--netuid", "0", "--hotkey", hotkey) == 0
    newcomer.does(
        *("tx", "set-take", "-w", "alice", "-H", "hot", "--hotkey", hotkey, "--take", "0.1")
    )
    assert "0.1" in json.dumps(newcomer.asks("query", "delegate-take", "--hotkey", hotkey))


def test_mistakes_are_told_in_words(newcomer: Newcomer) -> None:
    refused = newcomer.types(
        "tx", "start-call", "--netuid", "999", "-w", "alice", "--yes", "--json"
    )
    assert refused.returncode != 0
    assert "SubnetNotExists" in refused.stdout + refused.stderr
    poor = newcomer.types(
        *("wallet", "transfer", "-w", "new", "--dest", ALICE, "--amount", "9999", "--yes", "--json")
    )
    assert poor.returncode != 0
    assert "Traceback" not in poor.stdout + poor.stderr


def test_an_identity_is_set_and_read(newcomer: Newcomer) -> None:
    newcomer.does("wallet", "set-identity", "-w", "alice", "--name", "Alice of the forest")
    found = newcomer.asks("wallet", "get-identity", "-w", "alice")
    assert "Alice of the forest" in json.dumps(found)


def test_the_newcomer_sends_everything_back(newcomer: Newcomer) -> None:
    before, sent = newcomer.free("alice"), newcomer.free("new")
    newcomer.does("tx", "transfer-all", "-w", "new", "--dest", ALICE, "--no-keep-alive")
    assert newcomer.free("new") == 0
    assert newcomer.free("alice") - before == pytest.approx(sent, abs=0.01)
