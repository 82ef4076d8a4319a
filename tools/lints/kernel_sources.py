"""Arithmetic says where it comes from: a place in the chain or a paper, or what differs and why."""

import ast
from collections.abc import Iterator

from tools.lints.tree import Finding, Tree

_TAGS = ("Source:", "Differs:")
_REMEDY = "write `Source:` path::function or paper and section, or `Differs:` and why"


def check(tree: Tree) -> Iterator[Finding]:
    """Public functions of every `kernel.py`, unless the module's own docstring names one source for all.

    A `kernel_fast.py` is held equal to its clear twin by a test instead.
    """
    for path in tree.files("src/mycelia/pallets/**/kernel.py"):
        module = tree.parse(path)
        if _is_sourced(module):
            continue
        for node in module.body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            if not _is_sourced(node):
                message = f"{node.name} does not say where it is from"
                yield Finding(path, node.lineno, f"{message}: {_REMEDY}")


def _is_sourced(node: ast.Module | ast.FunctionDef) -> bool:
    return any(tag in (ast.get_docstring(node) or "") for tag in _TAGS)
