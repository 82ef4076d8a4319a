import json

from typer.testing import CliRunner

from mycelia.cli.app import app
from mycelia.neuron.book import Identity, Sample, Verdict
from mycelia.neuron.ledger import Ledger

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


def test_a_miner_that_nobody_sampled_is_said(tmp_path):
    network(tmp_path)
    shown = CliRunner().invoke(app, ["score", "5Other", "--dir", str(tmp_path)])
    assert shown.exception.code == "never_sampled"
