import json
import time

import pytest
from typer.testing import CliRunner

from mycelia.cli.app import app
from mycelia.neuron.book import AUDITED, Identity, Sample, Verdict
from mycelia.neuron.ledger import Claimed, Ledger

MINER = Identity(4, "5Miner", 1)


def network(tmp_path):
    (tmp_path / "ledgers").mkdir()
    for name, score in (("validator-1", 0.5), ("validator-2", 0.75)):
        ledger = Ledger(tmp_path / "ledgers" / f"{name}.sqlite")
        sample = Sample(MINER, 1, Verdict.SCORED, score, checks={"exact": 0.25})
        ledger.add_round(
            "vision", 1, b"seed", 7, [sample, Sample(MINER, 1, Verdict.FAILED, 0.0, "timeout")]
        )
        ledger.close()
    keys = tmp_path / "wallets" / "vision-x" / "hotkeys"
    keys.mkdir(parents=True)
    (keys / "default").write_text(json.dumps({"ss58Address": "5Miner"}))


def test_every_validators_view_is_told(tmp_path):
    network(tmp_path)
    for name in ("vision-x", "5Miner"):
        shown = CliRunner().invoke(app, ["score", name, "--dir", str(tmp_path)])
        assert shown.exit_code == 0, shown.output
        assert "validator-1 on vision, uid 4:" in shown.output
        assert "validator-2 on vision, uid 4:" in shown.output
        assert "quality 0.250, rank 1 of 1" in shown.output
        assert "1 scored, 1 timeout" in shown.output
        assert "checks: exact 0.250" in shown.output
        assert "had no sample failed, quality 0.500" in shown.output
        assert "not yet known" in shown.output
        assert shown.output.count("no claim seen so far") == 2


def test_bad_answers_to_consumers_are_told_as_such(tmp_path):
    network(tmp_path)
    ledger = Ledger(tmp_path / "ledgers" / "validator-1.sqlite")
    ledger.add_round("vision", 2, b"s", 8, [Sample(MINER, 2, Verdict.SCORED, 0.0, AUDITED)])
    ledger.close()
    shown = CliRunner().invoke(app, ["score", "vision-x", "--dir", str(tmp_path)])
    assert "1 scored, 1 timeout, 1 bad answers to consumers" in shown.output


@pytest.mark.parametrize(
    ("state", "left_s", "said"),
    [
        ("attested", 100, "abcdef0123456789: attested until "),
        ("attested", -100, "abcdef0123456789: attested last until "),
        ("answers_differ", -100, "not attested, its answers are not those of the model"),
        ("answers_differ", 100, "; an earlier word holds until "),
        ("unknown_route", -100, "not attested, unknown_route"),
    ],
)
def test_a_claim_is_told_with_its_attestation(tmp_path, state, left_s, said):
    network(tmp_path)
    ledger = Ledger(tmp_path / "ledgers" / "validator-1.sqlite")
    until_ms = int((time.time() + left_s) * 1000)
    about = "digits-network (float32) by onnxruntime==1.32.0"
    ledger.set_claim("vision", Claimed("5Miner", "abcdef0123456789ff", about, state, until_ms))
    ledger.close()
    shown = CliRunner().invoke(app, ["score", "vision-x", "--dir", str(tmp_path)])
    assert f"claims {about}" in shown.output
    assert said in shown.output
    assert shown.output.count("no claim seen so far") == 1


def test_a_miner_that_nobody_sampled_is_said(tmp_path):
    network(tmp_path)
    shown = CliRunner().invoke(app, ["score", "5Other", "--dir", str(tmp_path)])
    assert shown.exception.code == "never_sampled"


def test_where_there_is_no_ledger_that_is_said(tmp_path):
    shown = CliRunner().invoke(app, ["score", "5Other", "--dir", str(tmp_path / "none")])
    assert shown.exception.code == "no_ledger"
    assert "--dir" in shown.exception.remedy
