"""The documents say what is so: paths exist, commands exist, examples parse, nothing is left out."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

from tools.lints import docs_paths
from tools.lints.tree import Tree

FENCE = re.compile(r"```python\n(.*?)```", re.DOTALL)
REQUIREMENT = re.compile(r"^([A-Za-z0-9_.-]+)==\S+ \\$", re.MULTILINE)
NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_.-]*")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(lines: list[str]) -> set[str]:
    """Package names of requirement lines; options and comments have none."""
    return {normal(match.group()) for line in lines if (match := NAME.match(line))}


@pytest.fixture(scope="module")
def project(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text())


def test_every_path_in_the_documents_exists(root: Path) -> None:
    assert [str(finding) for finding in docs_paths.check(Tree(root))] == []


def test_the_map_names_every_package(root: Path) -> None:
    text = (root / "docs" / "map.md").read_text()
    packages = [path.parent.name for path in (root / "src/mycelia").glob("*/__init__.py")]
    missing = [name for name in packages if f"src/mycelia/{name}" not in text]
    assert missing == []


def test_every_make_command_in_the_documents_is_a_target(root: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.MULTILINE))
    for document in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        used = set(
            re.findall(r"^(?: {4})?make ([a-z-]+)", (root / document).read_text(), re.MULTILINE)
        )
        assert used, document
        assert used <= targets, document


def test_python_examples_in_the_documents_parse(root: Path) -> None:
    blocks = [
        block
        for path in [root / "README.md", *root.glob("docs/**/*.md")]
        for block in FENCE.findall(path.read_text())
    ]
    assert blocks
    for block in blocks:
        ast.parse(block)


def test_every_dependency_says_why(root: Path, project: dict) -> None:
    first_cells = re.findall(
        r"^\| ([a-z0-9, -]+) \|", (root / "docs" / "dependencies.md").read_text(), re.MULTILINE
    )
    told = {normal(name) for cell in first_cells for name in cell.split(", ")} - {"package"}
    developer = names((root / "requirements" / "dev.in").read_text().splitlines())
    needed = names(project["project"]["dependencies"]) | developer | {"flit-core"}
    assert told == needed


IMPORTED_AS = {
    "pycryptodome": "Crypto",
    "scikit-learn": "sklearn",
    "bittensor-core": "bittensor_core",
    "py-sr25519-bindings": "sr25519",
}
DISTRIBUTED_AS = {module: name for name, module in IMPORTED_AS.items()}
OURS = {"mycelia", "tests", "tools"}
LOADED_BY_NAME = {"xllamacpp"}  # a library opened as a file
BROUGHT_ALONG = {
    "benchmarks",
    "mycelia",
    "psutil",
    "pytest",
    "pytest_asyncio",
}  # for those who test


def imported(paths: Iterable[Path]) -> set[str]:
    """Top-level names that these modules import, the standard library's left out."""
    found = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").partition(".")[0])
    return found - set(sys.stdlib_module_names)


def test_dependencies_are_what_the_code_imports(root: Path, project: dict) -> None:
    needed = {re.split(r"[>=<]", line)[0] for line in project["project"]["dependencies"]}
    expected = {IMPORTED_AS.get(name, name.replace("-", "_")) for name in needed - LOADED_BY_NAME}
    files = [*(root / "src").rglob("*.py"), *(root / "benchmarks").glob("*.py")]
    code = imported(path for path in files if path.parent.name != "adapters")  # optional frameworks
    assert code - BROUGHT_ALONG == expected


def test_what_tests_import_is_locked(root: Path) -> None:
    texts = [(root / "requirements" / lock).read_text() for lock in ("runtime.txt", "dev.txt")]
    locked = {normal(name) for text in texts for name in REQUIREMENT.findall(text)}
    files = [*(root / "tests").rglob("*.py"), *(root / "tools").rglob("*.py")]
    code = imported(path for path in files if path.parent.parent.name != "compat")  # run elsewhere
    packages = {DISTRIBUTED_AS.get(name, normal(name)) for name in code}
    assert packages - locked - {"benchmarks"} == OURS


@pytest.mark.parametrize("lock", ["runtime.txt", "dev.txt"])
def test_a_lock_has_hashes_and_no_address(root: Path, lock: str) -> None:
    text = (root / "requirements" / lock).read_text()
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", text)[1:]
    assert len(blocks) > 10
    for block in blocks:
        assert REQUIREMENT.match(block), block[:80]
        assert "--hash=sha256:" in block, block[:80]
    assert "://" not in text


def test_the_runtime_lock_holds_every_dependency(root: Path, project: dict) -> None:
    text = (root / "requirements" / "runtime.txt").read_text()
    locked = {normal(name) for name in REQUIREMENT.findall(text)}
    assert names(project["project"]["dependencies"]) | {"flit-core"} <= locked


def test_the_locks_agree(root: Path) -> None:
    pins = [
        dict(
            re.findall(
                r"^([A-Za-z0-9_.-]+)==(\S+) \\$",
                (root / "requirements" / lock).read_text(),
                re.MULTILINE,
            )
        )
        for lock in ("runtime.txt", "dev.txt")
    ]
    shared = pins[0].keys() & pins[1].keys()
    assert {name: pins[0][name] for name in shared} == {name: pins[1][name] for name in shared}


def test_each_law_has_code_and_a_test(root: Path) -> None:
    rows = re.findall(
        r"^\| (?!law|-)(.+?) \| (.+?) \| (.+?) \|$",
        (root / "docs" / "invariants.md").read_text(),
        re.MULTILINE,
    )
    assert rows
    for law, code, test in rows:
        assert "`src/mycelia/" in code, law
        assert "`tests/" in test, law


def test_the_example_subnet_pays_merit(root: Path) -> None:
    command = [sys.executable, str(root / "examples" / "anagram.py")]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    scores = {
        name: float(score) for name, score in (line.split() for line in run.stdout.splitlines())
    }
    assert scores["honest"] == 1.0
    assert scores["lazy"] < 0.5
