"""A network of one subnet lives: is paid, survives kills, stops clean, resumes, replays."""

import json
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import urllib.request

import pytest

from mycelia.cli.up.plan import VALIDATORS
from mycelia.models import CATALOG
from mycelia.neuron.book import current, replayed, weigh
from mycelia.neuron.ledger import Ledger
from tests.e2e.up import PYTHON, Up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1000)]

QUICK = ("--only", "vision", "--block-time", "0.5", "--tempo", "6")
MINERS = ("vision-honest-a", "vision-honest-b", "vision-honest-c", "vision-lookup")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network that has had three paid epochs and has ended by itself."""
    base = tmp_path_factory.mktemp("up")
    up = Up(base / "net", base / "home")
    status, output = up.run("--seed", "e2e", "--until-epochs", "3", *QUICK)
    assert status == 0, up.story()
    up.output = output
    yield up
    up.end()


def test_it_says_what_happened_and_how_to_ask(network):
    assert "first paid epoch after" in network.output
    assert "3 paid epochs reached" in network.output
    assert f"curl http://127.0.0.1:{network.gateway_port}/v1/models" in network.output
    assert "Traceback" not in network.output


def test_nothing_is_left_running(network):
    assert network.left_running() == []


def test_the_users_home_is_not_touched(network):
    assert [path.name for path in network.home.rglob("*") if path.is_file()] == []


def test_keys_are_for_the_owner_only(network):
    files = [path for path in (network.folder / "wallets").rglob("*") if path.is_file()]
    assert len(files) == 4 * (2 + len(VALIDATORS) + len(MINERS))
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_no_key_is_in_any_log(network):
    keys = [
        json.loads(path.read_text())["secretSeed"].removeprefix("0x")
        for path in (network.folder / "wallets").rglob("*")
        if path.is_file() and "pub" not in path.name
    ]
    logs = "".join(path.read_text() for path in (network.folder / "logs").iterdir())
    assert keys
    assert not any(key in logs for key in keys)


@pytest.mark.parametrize("validator", VALIDATORS)
def test_weights_follow_from_the_samples(network, validator):
    ledger = Ledger(network.folder / "ledgers" / f"{validator}.sqlite")
    try:
        taken = ledger.weights("vision")
        assert taken
        for vector in taken:
            book = replayed(ledger.samples("vision", up_to=vector.last_sample))
            holders = [book[uid].miner for uid in vector.weights]
            assert weigh(current(book, holders)) == dict(vector.weights)
    finally:
        ledger.close()


def test_the_cheat_gets_nothing_and_quality_is_paid(network):
    (last,) = [line for line in network.output.splitlines() if "paid epoch 3;" in line]
    incentive = dict(pair.rsplit(" ", 1) for pair in last.split("incentive: ")[1].split(", "))
    paid = [float(incentive[name]) for name in MINERS]
    assert paid[3] == 0.0
    assert min(paid[:3]) > 0.0


def test_replay_gives_the_same_roots(network):
    shown = subprocess.run(
        [*PYTHON, "replay", str(network.folder)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert "give the recorded roots" in shown.stdout


def read(url):
    """A page, or nothing where nobody serves yet."""
    try:
        with urllib.request.urlopen(url, timeout=30) as reply:
            return reply.read().decode()
    except OSError:
        return ""


def test_it_resumes_survives_kills_and_stops_in_time(network):
    before = len(network.events())
    network.start(*QUICK)

    def happened(event, **fields):
        return [
            found
            for found in network.events()[before:]
            if found["event"] == event and fields.items() <= found.items()
        ]

    network.until(lambda: happened("first_paid_epoch"))
    assert not happened("subnet_created")

    # Everything that runs shows its measures where `up` says.
    (found,) = re.findall(r"http://127.0.0.1:\d+/targets", network.printed())
    network.until(lambda: len(json.loads(read(found) or "[]")) == 2 + len(VALIDATORS) + len(MINERS))
    for target in json.loads(read(found)):
        page = f"http://{target['targets'][0]}/metrics"
        network.until(lambda page=page: "# TYPE mycelia_" in read(page))
    network.until(lambda: '"well": true' in read(found.replace("targets", "health")))

    victims = {name: network.pid(name) for name in ("node", "validator-1", "vision-honest-a")}
    for pid in victims.values():
        os.kill(pid, signal.SIGKILL)
    network.until(lambda: all(network.pid(name) != pid for name, pid in victims.items()))
    rounds = len(network.happened("round", "validator-1"))
    network.until(lambda: len(network.happened("round", "validator-1")) > rounds + 1)

    assert network.interrupt() == 0
    assert network.left_running() == []


def test_fresh_starts_anew_and_another_seed_needs_it(network):
    status, output = network.run("--seed", "other", *QUICK, limit_s=300)
    assert status == 1
    assert "error[seed_differs]" in output
    assert "--fresh" in output


def test_ledger_of_a_newer_program_stops_the_network_with_its_reason(network):
    path = network.folder / "ledgers" / "validator-1.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    try:
        status, output = network.run(*QUICK, limit_s=300)
    finally:
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA user_version = 3")
    assert status == 1
    assert "error[process_failed]: validator-1 ended:" in output
    assert "has format 99" in output
    assert "remedy: " in output
    assert network.left_running() == []


def test_corrupt_chain_stops_the_network_with_the_nodes_reason(network, tmp_path):
    (path,) = (network.folder / "node").rglob("data.mdb")
    kept = path.read_bytes()
    path.write_bytes(b"garbage" * 10_000)
    try:
        status, output = network.run(*QUICK, limit_s=300)
    finally:
        path.write_bytes(kept)
    assert status == 1
    assert "error[process_failed]: node ended:" in output
    assert "remedy: " in output
    assert "Traceback" not in output
    assert network.left_running() == []


def test_corrupt_model_is_said_before_anything_starts(tmp_path, monkeypatch):
    models = tmp_path / "models"
    models.mkdir()
    (models / CATALOG["digits"].file).write_bytes(b"garbage")
    up = Up(tmp_path / "net", tmp_path / "home", models=models)
    status, output = up.run(*QUICK, limit_s=300)
    assert status == 1
    assert "error[model_corrupt]" in output
    assert not up.happened("process_started")


@pytest.mark.parametrize(
    ("attribute", "flag"), [("rpc_port", "--rpc-port"), ("gateway_port", "--gateway-port")]
)
def test_port_in_use_is_said_before_anything_starts(tmp_path, attribute, flag):
    up = Up(tmp_path / "net", tmp_path / "home")
    with socket.socket() as held:
        held.bind(("127.0.0.1", getattr(up, attribute)))
        held.listen()
        status, output = up.run(*QUICK, limit_s=300)
    assert status == 1
    assert "error[port_in_use]" in output
    assert flag in output
    assert not (tmp_path / "net" / "wallets").exists()


def test_interrupt_during_the_set_up_leaves_nothing(tmp_path):
    up = Up(tmp_path / "net", tmp_path / "home")
    up.start(*QUICK)
    up.until(lambda: up.happened("process_started", name="node"))
    assert up.interrupt() == 0
    assert up.left_running() == []
