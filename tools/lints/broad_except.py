"""A broad `except` is legal only at an edge, where a fault in one request must not end the process.

`ALLOWED` lists the edges with how many each file holds. The number is exact: a handler that goes away
takes its allowance with it.
"""

import ast
from collections.abc import Iterator

from tools.lints.tree import Finding, Tree, dotted

ALLOWED: dict[str, int] = {}

_BROAD = {"Exception", "BaseException"}
_REMEDY = "catch the narrowest class; an edge that logs and converts goes into ALLOWED"


def check(tree: Tree) -> Iterator[Finding]:
    """Findings in `src/`: handlers beyond the list, and entries of the list that no longer hold."""
    for path in tree.files("src/**/*.py"):
        handlers = (n for n in ast.walk(tree.parse(path)) if isinstance(n, ast.ExceptHandler))
        lines = [handler.lineno for handler in handlers if _is_broad(handler)]
        allowed = ALLOWED.get(path, 0)
        for line in sorted(lines)[allowed:]:
            yield Finding(path, line, f"broad except, {allowed} allowed here: {_REMEDY}")
        if len(lines) < allowed:
            yield Finding(path, 1, f"{len(lines)} broad excepts, {allowed} allowed: lower ALLOWED")
    for path in sorted(set(ALLOWED).difference(tree.files("src/**/*.py"))):
        yield Finding(path, 1, "ALLOWED names a file that is gone: remove the entry")


def _is_broad(node: ast.ExceptHandler) -> bool:
    if node.type is None:
        return True
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(dotted(kind) in _BROAD for kind in kinds)
