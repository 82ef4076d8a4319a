"""Each import contract is broken on purpose in a copy of the tree and seen to refuse it."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

# contract, the module that gets one more line, that line
PLANTED = [
    ("chain-layers", "mycelia/frame/planted.py", "import mycelia.runtime"),
    ("chain-layers", "mycelia/rpc/planted.py", "import mycelia.engine"),
    (
        "chain-layers",
        "mycelia/novel/__init__.py",
        "NEW = 'a package without a place in the layers'",
    ),
    ("people-layers", "mycelia/wire/planted.py", "import mycelia.neuron"),
    ("people-layers", "mycelia/subnets/planted.py", "import mycelia.gateway"),
    ("people-not-chain", "mycelia/neuron/planted.py", "import mycelia.state"),
    ("people-not-chain", "mycelia/cli/planted.py", "import mycelia.chain"),
    ("chain-not-people", "mycelia/node/planted.py", "import mycelia.wire"),
    ("chain-not-people", "mycelia/engine/planted.py", "import bittensor"),
    ("pure", "mycelia/pallets/planted.py", "import time"),
    ("pure", "mycelia/runtime/planted.py", "import random"),
    ("pure", "mycelia/codec/planted.py", "import logging"),
    ("pallets-apart", "mycelia/pallets/balances/planted.py", "import mycelia.pallets.swap"),
    ("testing-last", "mycelia/gateway/planted.py", "import mycelia.testing"),
]


def broken(root: Path, checkout: Path, contract: str) -> tuple[int, str]:
    """Exit status and report of one contract over the sources in `checkout`."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache", "--contract", contract]
    command += ["--config", str(root / "pyproject.toml")]
    environment = {"PYTHONPATH": str(checkout), "PATH": ""}
    run = subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    return run.returncode, run.stdout + run.stderr


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    """A copy of the sources that a test may spoil."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / "src" / "mycelia", tmp_path / "mycelia", ignore=ignored)
    return tmp_path


@pytest.mark.parametrize(("contract", "module", "line"), PLANTED)
def test_a_planted_import_is_refused(
    root: Path, checkout: Path, contract: str, module: str, line: str
) -> None:
    (checkout / module).parent.mkdir(exist_ok=True)
    (checkout / module).write_text(f'"""Planted."""\n\n{line}\n')
    status, report = broken(root, checkout, contract)
    assert status == 1, report
    assert "BROKEN" in report
    assert Path(module).stem in report or Path(module).parent.name in report


def test_every_contract_holds_here_and_has_a_planted_violation(root: Path, checkout: Path) -> None:
    options = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]
    contracts = [contract["id"] for contract in options["contracts"]]
    assert {contract for contract, *_ in PLANTED} == set(contracts)
    for contract in contracts:
        status, report = broken(root, checkout, contract)
        assert status == 0, report


def test_the_side_contracts_name_every_package(root: Path) -> None:
    """A package left out of a `forbidden` contract would be free to import anything."""
    options = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]
    named = {contract["id"]: contract for contract in options["contracts"]}
    packages = {
        f"mycelia.{path.parent.name}" for path in (root / "src/mycelia").glob("*/__init__.py")
    }
    people = set(named["people-not-chain"]["source_modules"])
    chain = set(named["chain-not-people"]["source_modules"])
    assert people | chain | {"mycelia.testing"} == packages
    assert set(named["testing-last"]["source_modules"]) == people | chain
    assert people | {"bittensor"} == set(named["chain-not-people"]["forbidden_modules"])
    shared = {f"mycelia.{name}" for name in ("codec", "crypto", "monitor", "primitives")}
    assert chain - shared == set(named["people-not-chain"]["forbidden_modules"])
