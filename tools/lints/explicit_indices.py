"""Every call, event and error says its number: what goes over the wire never follows from line order."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tools.lints.tree import Finding, Tree, dotted


@dataclass(frozen=True)
class _Declared:
    kind: str
    name: str
    line: int
    has_index: bool


def check(tree: Tree) -> Iterator[Finding]:
    """Findings in `pallets/`. That no number is used twice is checked where pallets are composed."""
    for path in tree.files("src/mycelia/pallets/**/*.py"):
        for found in _declarations(tree.parse(path)):
            if not found.has_index:
                message = f"{found.kind} {found.name} has no literal index"
                yield Finding(path, found.line, f"{message}: write index=N, never used before")


def _declarations(module: ast.Module) -> Iterator[_Declared]:
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                kind = dotted(base).rpartition(".")[2]
                if kind in {"Event", "Error"}:
                    yield _Declared(kind.lower(), node.name, node.lineno, _has_index(node.keywords))
        elif isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                target, keywords = decorator, list[ast.keyword]()
                if isinstance(decorator, ast.Call):
                    target, keywords = decorator.func, decorator.keywords
                if dotted(target) == "call":
                    yield _Declared("call", node.name, node.lineno, _has_index(keywords))


def _has_index(keywords: list[ast.keyword]) -> bool:
    values = [keyword.value for keyword in keywords if keyword.arg == "index"]
    return any(isinstance(value, ast.Constant) and type(value.value) is int for value in values)
