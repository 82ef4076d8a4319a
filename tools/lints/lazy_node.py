"""The command line starts a node but does not load one: client commands and `--help` stay quick."""

import ast
from collections.abc import Iterator

from tools.lints.tree import Finding, Tree


def check(tree: Tree) -> Iterator[Finding]:
    """Findings in `cli/`: an import of `mycelia.node` outside a function."""
    for path in tree.files("src/mycelia/cli/**/*.py"):
        for node in _at_import_time(tree.parse(path)):
            if any(name.startswith("mycelia.node") for name in _imported(node)):
                message = "mycelia.node loads with the command line: import it inside the command"
                yield Finding(path, node.lineno, message)


def _at_import_time(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _at_import_time(child)


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names]
