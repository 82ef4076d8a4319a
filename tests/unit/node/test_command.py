"""Flags, configuration and genesis files: what they give, and what is wrong with others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mycelia.node.command import DEFAULT_FOLDER, config_of, main
from mycelia.node.config import NodeConfig
from mycelia.node.genesis import development_genesis, load_genesis
from mycelia.primitives import AppError, Bug
from mycelia.testing.blocks import ALICE, BOB


def test_a_development_node() -> None:
    config, _ = config_of(["--dev", "--fast", "--ephemeral", "--rpc-port", "0"])
    assert config.base_path is None
    assert config.block_time_s == 0.25
    assert config.may_be_told
    assert config.host == "127.0.0.1"


def test_a_node_keeps_its_chain_unless_told_otherwise(tmp_path: Path) -> None:
    assert config_of(["--dev"])[0].base_path == DEFAULT_FOLDER
    config, _ = config_of(["--genesis", "g.json", "--base-path", str(tmp_path)])
    assert config.base_path == tmp_path
    assert not config.may_be_told


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ([], "no_genesis"),
        (["--genesis", "g.json", "--local-beacon"], "beacon_not_dev"),
        (["--dev", "--ephemeral", "--base-path", "x"], "ephemeral_folder"),
        (["--dev", "--block-time", "0"], "bad_block_time"),
        (["--dev", "--rpc-port", "70000"], "bad_port"),
    ],
)
def test_flags_that_make_no_sense_are_refused_with_a_remedy(flags: list[str], code: str) -> None:
    with pytest.raises(AppError) as refusal:
        config_of(flags)
    assert refusal.value.code == code
    assert refusal.value.remedy


def test_an_error_takes_two_lines_and_a_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("error[no_genesis]: ")
    assert second.startswith("  remedy: ")


def test_a_bug_stops_the_node_and_says_that_the_state_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(_config: NodeConfig) -> None:
        raise Bug("issuance is negative, but nothing takes more than there is")

    monkeypatch.setattr("mycelia.node.command.run_node", breaks)
    assert main(["--dev", "--ephemeral"]) == 70
    assert "bug: issuance is negative" in capsys.readouterr().err


def test_a_slot_is_a_block_time() -> None:
    assert NodeConfig(block_time_s=0.25).slot_ms == 250
    assert NodeConfig(block_time_s=12).build_ms == 9_600


def test_development_accounts_are_those_everyone_knows() -> None:
    genesis = development_genesis()
    assert genesis.balances[ALICE.account] == genesis.balances[BOB.account] == 10**15
    assert genesis.sudo == ALICE.account
    assert len(genesis.balances) == 9


def test_a_genesis_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "genesis.json"
    content = {"sudo": BOB.address, "balances_rao": {ALICE.address: "12345678901234567890"}}
    path.write_text(json.dumps(content))
    genesis = load_genesis(path)
    assert genesis.sudo == BOB.account
    assert genesis.balances == {ALICE.account: 12345678901234567890}


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"balances_rao": {"nobody": "1"}}', '{"balances_rao": []}', '{"sudo": 5}'],
)
def test_a_bad_genesis_file_says_what_to_write(tmp_path: Path, content: str) -> None:
    path = tmp_path / "genesis.json"
    path.write_text(content)
    with pytest.raises(AppError) as refusal:
        load_genesis(path)
    assert refusal.value.code == "genesis_invalid"


def test_a_missing_genesis_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AppError) as refusal:
        load_genesis(tmp_path / "none.json")
    assert refusal.value.code == "genesis_unreadable"
