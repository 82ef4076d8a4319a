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
    index: int | None


def check(tree: Tree) -> Iterator[Finding]:
    """Findings in `pallets/`: a missing number, and one used twice in the same pallet."""
    taken: dict[tuple[str, str, int], str] = {}
    for path in tree.files("src/mycelia/pallets/**/*.py"):
        pallet = path.split("/")[3]
        for found in _declarations(tree.parse(path)):
            if found.index is None:
                remedy = "write index=N, a number never used before"
                yield Finding(path, found.line, f"{found.kind} {found.name} has no index: {remedy}")
                continue
            place = f"{path}:{found.line}"
            first = taken.setdefault((pallet, found.kind, found.index), place)
            if first != place:
                message = f"{found.kind} index {found.index} of {found.name} is taken at {first}"
                yield Finding(path, found.line, f"{message}: choose one never used before")


def _declarations(module: ast.Module) -> Iterator[_Declared]:
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                kind = dotted(base).rpartition(".")[2]
                if kind in {"Event", "Error"}:
                    yield _Declared(kind.lower(), node.name, node.lineno, _index(node.keywords))
        elif isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                target, keywords = decorator, list[ast.keyword]()
                if isinstance(decorator, ast.Call):
                    target, keywords = decorator.func, decorator.keywords
                if dotted(target) == "call":
                    yield _Declared("call", node.name, node.lineno, _index(keywords))


def _index(keywords: list[ast.keyword]) -> int | None:
    for keyword in keywords:
        value = keyword.value
        if keyword.arg == "index" and isinstance(value, ast.Constant):
            return value.value if isinstance(value.value, int) else None
    return None
