import subprocess
import sys

import pytest

from mycelia.cli.app import netuids
from mycelia.primitives.errors import AppError


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "mycelia.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


def test_netuids_are_parsed():
    assert netuids(["text=1", "vision=2"]) == {"text": 1, "vision": 2}


@pytest.mark.parametrize("word", ["text", "=1", "text=", "text=one", "text=-1", "echo.py"])
def test_bad_netuids_are_refused(word):
    with pytest.raises(AppError) as refused:
        netuids([word])
    assert refused.value.code == ("bad_subnet" if "=" in word else "no_netuid")
    assert "=N" in refused.value.remedy or "text=1" in refused.value.remedy


def test_help_names_every_command():
    shown = run("--help")
    assert shown.returncode == 0
    for command in ("up", "node", "mine", "validate", "gateway", "replay", "subnet"):
        assert command in shown.stdout


def test_help_loads_no_sdk():
    code = (
        "import sys, mycelia.cli.app;"
        "sys.exit(any(m in sys.modules for m in ('bittensor', 'mycelia.node', 'numpy', 'rich.live')))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=250, check=False).returncode == 0


def test_error_is_two_lines_and_status_one(tmp_path):
    shown = run("up", "--dir", str(tmp_path), "--only", "nonsense")
    assert shown.returncode == 1
    assert shown.stderr.splitlines()[0].startswith("error[unknown_subnet]:")
    assert shown.stderr.splitlines()[1].startswith("  remedy:")
    assert "Traceback" not in shown.stderr


def test_unknown_variant_names_the_known(tmp_path):
    shown = run("mine", "vision", "--miner", "nonsense", "--netuid", "1", "--wallet", "x")
    assert shown.returncode == 1
    assert shown.stderr.startswith("error[unknown_variant]")
    assert "honest-a" in shown.stderr


def test_missing_wallet_is_an_error_with_a_remedy(tmp_path):
    wallets = ("--wallets", str(tmp_path), "--wallet", "nobody")
    shown = run("validate", "vision=1", *wallets)
    assert shown.returncode == 1
    assert shown.stderr.startswith("error[wallet_unusable]")
    assert "remedy:" in shown.stderr


def test_replay_of_a_folder_without_a_chain_is_an_error_with_a_remedy(tmp_path):
    shown = run("replay", str(tmp_path))
    assert shown.returncode == 1
    assert shown.stderr.startswith("error[")
    assert "Traceback" not in shown.stderr


def test_a_gateway_says_what_it_needs():
    shown = run("gateway", "--port", "0")
    assert shown.returncode == 1
    assert shown.stderr.startswith("error[missing_option]")
    assert "--subnet text=1 --wallet NAME" in shown.stderr


def test_a_key_is_printed_once_listed_and_revoked(tmp_path):
    keys = ("--keys", str(tmp_path / "keys.json"))
    made = run("gateway", "key", "new", "alice", "--per-minute", "30", *keys)
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert key.startswith("myc-")
    assert key not in (tmp_path / "keys.json").read_text()
    listed = run("gateway", "key", "list", *keys)
    assert listed.stdout == "alice, 30 requests a minute\n"
    assert run("gateway", "key", "revoke", "alice", *keys).returncode == 0
    assert not run("gateway", "key", "list", *keys).stdout
    again = run("gateway", "key", "revoke", "alice", *keys)
    assert again.returncode == 1
    assert again.stderr.startswith("error[key_unknown]")
