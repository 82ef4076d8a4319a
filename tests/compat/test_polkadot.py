"""@polkadot/api, unmodified, against a live node: it connects, signs a transfer, decodes its block and follows heads.

The steps are in `polkadot/tour.cjs`; `make test-compat` installs what it runs from the lock file beside it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mycelia.testing.live import LiveNode

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
TOUR = Path(__file__).with_name("polkadot") / "tour.cjs"
TOUR_S = 300


@pytest.fixture(scope="module")
def modules(root: Path) -> Path:
    """Where npm put the packages."""
    if shutil.which("node") is None:
        pytest.skip("Node.js is not on this machine, so @polkadot/api is NOT tested: install node")
    found = root / os.environ.get("MYCELIA_COMPAT", "build/compat") / "polkadot/node_modules"
    if not (found / "@polkadot/api").is_dir():
        if "MYCELIA_COMPAT" in os.environ:
            pytest.fail(f"{found} has no @polkadot/api: make test-compat should have put it there")
        pytest.skip("`make test-compat` installs @polkadot/api and runs this")
    return found


@pytest.fixture(scope="module")
def found(modules: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the client says it saw."""
    with LiveNode(tmp_path_factory.mktemp("node")) as node:
        result = subprocess.run(
            ["node", str(TOUR), node.url],
            capture_output=True,
            text=True,
            timeout=TOUR_S,
            check=False,
            env={"NODE_PATH": str(modules), "PATH": os.environ["PATH"]},
        )
    assert result.returncode == 0, result.stderr
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


def test_it_connects_and_knows_the_network(found: dict[str, Any]) -> None:
    assert (found["chain"], found["name"], found["symbol"]) == ("mycelia", "mycelia", "TAO")
    assert (found["specName"], found["existentialDeposit"]) == ("node-subtensor", "500")
    assert found["isSyncing"] is False
    assert found["networks"][0] == 0


def test_it_signs_a_transfer_that_costs_what_was_quoted(found: dict[str, Any]) -> None:
    assert found["received"] == "3000000000"
    assert int(found["spent"]) == int(found["received"]) + int(found["fee"])
    # The quote is for the longest signature; the byte count may differ by a few.
    assert abs(int(found["quoted"]) - int(found["fee"])) < 10
    assert found["nonce"] == 2


def test_it_decodes_the_block_with_its_events(found: dict[str, Any]) -> None:
    assert found["calls"][0] == "timestamp.set"
    assert found["calls"][-1] == "balances.transferKeepAlive"
    assert found["parent"] == found["number"] - 1
    assert found["events"][-1] == "system.ExtrinsicSuccess"
    assert {"balances.Transfer", "transactionPayment.TransactionFeePaid"} <= {*found["events"]}


def test_it_tells_a_refusal_from_a_failure(found: dict[str, Any]) -> None:
    assert found["refused"].startswith("1010: Invalid Transaction: Inability to pay some fees")
    assert "FundsUnavailable" in found["failed"]


def test_it_follows_heads(found: dict[str, Any]) -> None:
    first, second, third = found["heads"]
    assert (second, third) == (first + 1, first + 2)
    assert found["all"] >= third
