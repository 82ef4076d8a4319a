"""Runs every lint over the checkout in the current folder; exits 1 when one finds something."""

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tools import lints
from tools.lints.tree import Finding, Tree

NOT_LINTS = {"__main__", "tree"}


def rules() -> dict[str, Callable[[Tree], Iterator[Finding]]]:
    """Every lint by its module's name."""
    names = sorted({module.name for module in pkgutil.iter_modules(lints.__path__)} - NOT_LINTS)
    return {name: importlib.import_module(f"tools.lints.{name}").check for name in names}


def main() -> int:
    """Print the findings in order; return the exit status."""
    tree = Tree(Path.cwd())
    found = rules()
    findings = sorted(finding for check in found.values() for finding in check(tree))
    for finding in findings:
        print(finding)
    print(f"own lints: {len(found)} rules, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
