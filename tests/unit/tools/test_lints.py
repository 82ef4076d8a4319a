"""Each lint is shown a violation and refuses it, and is shown the cure and accepts it."""

from pathlib import Path

import pytest

from tools.lints import broad_except
from tools.lints.__main__ import rules
from tools.lints.tree import Finding, Tree

PALLET = "src/mycelia/pallets/faucet/pallet.py"
KERNEL = "src/mycelia/pallets/faucet/kernel.py"
NODE = "src/mycelia/node/service.py"
CLI = "src/mycelia/cli/app.py"
LOW = "src/mycelia/pallets/subtensor/low/pallet.py"
HIGH = "src/mycelia/pallets/subtensor/high/pallet.py"
AROUND = {  # what stands in the tree before a violation is planted
    "src/mycelia/runtime/compose.py": """
from mycelia.pallets.subtensor.low.pallet import Low
from mycelia.pallets.subtensor.high.pallet import High
SUBTENSOR: tuple[type, ...] = (Low, High)
""",
    "src/mycelia/pallets/subtensor/low/pallet.py": "",
    "src/mycelia/pallets/subtensor/high/pallet.py": "",
    "src/mycelia/pallets/subtensor/high/kernel.py": "from mycelia.pallets.subtensor.high import pallet\npallet",
    "src/mycelia/pallets/faucet/errors.py": "class Dry(Error, index=9): ...\nDry()\n",
    "docs/units.md": "",
}

# lint, file, its text, a word of the remedy, the text that is accepted
CASES = [
    ("no_floats", PALLET, "fee = 0.1", "integer with its unit", "fee_ppm = 100_000"),
    ("no_floats", PALLET, "a = 3\nb = a / 2", "floor_div", "a = 3\nb = a // 2"),
    ("no_floats", PALLET, "a = 3\na /= 2", "floor_div", "a = 3\na //= 2"),
    ("no_floats", PALLET, "a = float(3)", "integer", "a = int(3)"),
    ("no_floats", PALLET, "a = round(3)", "round_half_even", "a = abs(3)"),
    ("no_floats", PALLET, "from math import sqrt", "isqrt", "from math import isqrt"),
    ("no_floats", PALLET, "import math\nmath.log(2)", "isqrt", "import math\nmath.gcd(2, 4)"),
    ("no_floats", KERNEL, "np.float64", "integer dtypes", "np.uint64"),
    ("no_floats", KERNEL, "np.random.rand()", "comes in as a value", "np.zeros(3, np.uint64)"),
    ("no_floats", PALLET, "a = 0.5", "integer", "a = 0.5  # pure: never stored"),
    ("determinism", PALLET, "for x in {1, 2}: ...", "sorted", "for x in sorted({1, 2}): ..."),
    ("determinism", PALLET, "a = set([1])\n[x for x in a]", "sorted", "a = set([1])\n1 in a"),
    ("determinism", PALLET, "f = lambda: [*{1} | g]", "sorted", "f = lambda: [*sorted({1} | g)]"),
    ("determinism", PALLET, "def f(a: set[int]): list(a)", "sorted", "def f(a: set[int]): len(a)"),
    ("determinism", PALLET, "b''.join({b'x'})", "sorted", "b''.join([b'x'])"),
    ("determinism", PALLET, "hash('a')", "mycelia.crypto", "len('a')"),
    ("determinism", PALLET, "a.sort(key=id)", "by value", "a.sort(key=len)"),
    ("determinism", PALLET, "print(1)", "event", "print(1)  # pure: shown to nobody"),
    ("determinism", PALLET, "print('a')", "event", "self.deposit(a)"),
    ("determinism", PALLET, "open('a')", "argument", "a.open"),
    ("determinism", PALLET, "async def f(): ...", "plain function", "def f(): ..."),
    ("determinism", PALLET, "def f():\n    global a", "storage", "def f(): ..."),
    ("determinism", PALLET, "CACHE = {}", "one expression", "TABLE = {1: 2}"),
    ("determinism", PALLET, "SEEN: set[int] = set()", "one expression", "SEEN = frozenset()"),
    ("explicit_indices", PALLET, "class A(Event): ...", "index=N", "class A(Event, index=0): ..."),
    (
        "explicit_indices",
        PALLET,
        "@call(pays=True)\ndef f(): ...",
        "index=N",
        "@call(index=1)\ndef f(): ...",
    ),
    ("explicit_indices", PALLET, "@call\ndef f(): ...", "index=N", "@view\ndef f(): ..."),
    (
        "explicit_indices",
        PALLET,
        "class A(Error, index=NEXT): ...",
        "never used",
        "class A(Error, index=8): ...",
    ),
    (
        "kernel_sources",
        KERNEL,
        "def price(): ...",
        "`Source:`",
        'def price():\n    """Source: a::b"""',
    ),
    (
        "kernel_sources",
        KERNEL,
        "def price(): ...",
        "`Source:`",
        '"""Differs: a."""\ndef price(): ...',
    ),
    ("sizes", PALLET, "a = 1\n" * 801, "by subject", "a = 1\n" * 800),
    ("sizes", PALLET, "def f():" + "\n  1" * 100, "names of their own", "def f():" + "\n  1" * 99),
    (
        "broad_except",
        NODE,
        "try: ...\nexcept Exception: ...",
        "narrowest",
        "try: ...\nexcept KeyError: ...",
    ),
    ("broad_except", NODE, "try: ...\nexcept: ...", "narrowest", "try: ...\nfinally: ..."),
    (
        "broad_except",
        NODE,
        "try: ...\nexcept (A, BaseException): ...",
        "narrowest",
        "try: ...\nexcept (A, B): ...",
    ),
    (
        "broad_except",
        NODE,
        "try: ...\nexcept Exception: raise_()",
        "narrowest",
        "try: ...\nexcept Exception: raise",
    ),
    ("dead_code", NODE, "def gone(): ...", "remove it", "def used(): ...\nused()"),
    ("dead_code", NODE, "import json", "remove it", "class A(Enumeration, index=1): ..."),
    ("dead_code", NODE, "class A:\n  def gone(self): ...\nA()", "remove it", "@view\ndef f(): ..."),
    ("docs_paths", "docs/map.md", "`src/gone.py`", "correct the path", "`docs/units.md`"),
    (
        "docs_paths",
        "README.md",
        "[u](docs/gone.md)",
        "correct the path",
        "[u](docs/units.md#money)",
    ),
    (
        "docs_paths",
        "README.md",
        "`src/mycelia/gone/`",
        "correct the path",
        "`src/mycelia/pallets/*/errors.py::Dry`",
    ),
    ("docs_paths", "README.md", "`docs/units.md::gone`", "correct the path", "`docs/<name>.md`"),
    ("addresses", "requirements/a.txt", "--inde" + "x-url x", "pip configuration", "a==1"),
    ("addresses", "pyproject.toml", "py" + "pi.org", "pip configuration", "example.org"),
    ("addresses", NODE, "a = '/ho" + "me/me'", "relative", "a = 'me'"),
    (
        "lazy_node",
        CLI,
        "from mycelia.node import run",
        "inside the",
        "def f():\n  from mycelia.node import run",
    ),
    (
        "lazy_node",
        CLI,
        "if a:\n  import mycelia.node.main",
        "inside the command",
        "import mycelia.neuron",
    ),
    ("names", "src/mycelia/wire/utils.py", "", "what it is about", None),
    ("names", "src/mycelia/helpers/receipt.py", "", "what it is about", None),
    (
        "parts_downward",
        LOW,
        "from mycelia.pallets.subtensor.high.pallet import High",
        "Protocol",
        "",
    ),
    ("parts_downward", LOW, "from mycelia.pallets.subtensor.high import pallet", "Protocol", ""),
    ("parts_downward", LOW, "import mycelia.pallets.subtensor.high.kernel", "Protocol", ""),
]


def plant(root: Path, files: dict[str, str]) -> Tree:
    """A checkout of these files."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return Tree(root)


@pytest.mark.parametrize(("lint", "path", "planted", "remedy", "cured"), CASES)
def test_a_violation_is_refused_with_its_remedy_and_the_cure_is_accepted(
    tmp_path: Path, lint: str, path: str, planted: str, remedy: str, cured: str | None
) -> None:
    check = rules()[lint]
    findings = list(check(plant(tmp_path / "planted", AROUND | {path: planted})))
    assert findings
    assert all(finding.path in {path, *AROUND} for finding in findings)
    assert any(remedy in finding.message for finding in findings)
    assert (
        list(check(plant(tmp_path / "cured", AROUND | ({} if cured is None else {path: cured}))))
        == []
    )


@pytest.fixture(autouse=True)
def nothing_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broad_except, "ALLOWED", {})


def test_a_part_may_import_a_lower_one(tmp_path: Path) -> None:
    below = {HIGH: "import mycelia.pallets.subtensor.low.pallet\nimport mycelia.frame\n"}
    assert list(rules()["parts_downward"](plant(tmp_path, AROUND | below))) == []


def test_every_lint_has_a_planted_violation() -> None:
    assert set(rules()) == {lint for lint, *_ in CASES}


def test_an_allowance_must_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = "src/mycelia/node/edge.py"
    monkeypatch.setattr(broad_except, "ALLOWED", {path: 1, "src/mycelia/gone.py": 1})
    handler = "try:\n    1\nexcept Exception:\n    2\n"
    gone = Finding("src/mycelia/gone.py", 1, "ALLOWED names a file that is gone: remove the entry")
    assert list(broad_except.check(plant(tmp_path / "one", {path: handler}))) == [gone]
    none = list(broad_except.check(plant(tmp_path / "none", {path: ""})))
    assert [finding.message for finding in none] == [
        "0 broad excepts, 1 allowed: lower ALLOWED",
        gone.message,
    ]
    two = list(broad_except.check(plant(tmp_path / "two", {path: handler * 2})))
    assert [finding.line for finding in two] == [7, 1]


def test_a_finding_reads_as_editors_expect() -> None:
    assert str(Finding("a.py", 3, "what: remedy")) == "a.py:3: what: remedy"
