"""Parts of one chain pallet know each other downward only, in the order that `SUBTENSOR` lists them."""

import ast
from collections.abc import Iterator

from tools.lints.tree import Finding, Tree

_COMPOSE = "src/mycelia/runtime/compose.py"
_PARTS = "SUBTENSOR"
_PACKAGE = "mycelia.pallets.subtensor"


def check(tree: Tree) -> Iterator[Finding]:
    """Findings in `pallets/subtensor/`: a part that reaches a part listed after it.

    Modules that define no part (kernels, types, errors) are looked through.
    """
    modules = {
        path.removeprefix("src/").removesuffix(".py").replace("/", "."): path
        for path in tree.files("src/mycelia/pallets/subtensor/**/*.py")
    }
    order = _order(tree.parse(_COMPOSE)) if tree.files(_COMPOSE) else {}
    for module, place in order.items():
        path = modules.get(module, "")
        for line, first in _imports(tree.parse(path), modules) if path else ():
            for other in _reached(tree, modules, first, order):
                if order[other] > place:
                    remedy = "declare a Protocol, or move the shared rule down"
                    message = f"{module} reaches {other}, which stands after it in {_PARTS}"
                    yield Finding(path, line, f"{message}: {remedy}")


def _order(compose: ast.Module) -> dict[str, int]:
    """Place of each module that defines a part, by its first class in the list."""
    homes = {
        alias.asname or alias.name: node.module or ""
        for node in compose.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in compose.body:
        target = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(target, ast.Name) and target.id == _PARTS and isinstance(node, ast.AnnAssign):
            parts = [
                name.id for name in ast.walk(node.value or target) if isinstance(name, ast.Name)
            ]
            places = [homes[name] for name in parts if homes.get(name, "").startswith(_PACKAGE)]
            return {module: places.index(module) for module in places}
    return {}


def _reached(tree: Tree, modules: dict[str, str], first: str, order: dict[str, int]) -> set[str]:
    """The parts that an import leads to, through modules that are none themselves."""
    found: set[str] = set()
    ahead, seen = [first], set[str]()
    while ahead:
        module = ahead.pop()
        if module in order:
            found.add(module)
        elif module not in seen:
            seen.add(module)
            ahead += [other for _, other in _imports(tree.parse(modules[module]), modules)]
    return found


def _imports(module: ast.Module, modules: dict[str, str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            if name in modules:
                yield node.lineno, name
