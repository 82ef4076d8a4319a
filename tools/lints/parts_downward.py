"""Parts of one chain pallet import each other downward only, in the order their package lists them."""

import ast
from collections.abc import Iterator

from tools.lints.tree import Finding, Tree

_PACKAGE = "mycelia.pallets.subtensor."
_FOLDER = "src/mycelia/pallets/subtensor/"


def check(tree: Tree) -> Iterator[Finding]:
    """Findings in `pallets/subtensor/`: an import of a part that `PARTS` lists after the importer.

    Files beside the parts (`types.py`, `events.py`) lie below all of them.
    """
    if not tree.files(f"{_FOLDER}__init__.py"):
        return
    order = _parts(tree.parse(f"{_FOLDER}__init__.py"))
    for path in tree.files(f"{_FOLDER}**/*.py"):
        part = path.removeprefix(_FOLDER).partition("/")[0].removesuffix(".py")
        is_part = path.count("/") > _FOLDER.count("/")
        if is_part and part not in order:
            yield Finding(path, 1, f"{part} has no place in the order: add it to PARTS")
            continue
        for line, other in _imports(tree.parse(path)):
            below = order[: order.index(part)] if is_part else []
            if other in order and other != part and other not in below and part != "__init__":
                remedy = "declare a Protocol, or move the shared rule down"
                yield Finding(path, line, f"{part} imports {other}, which lies above it: {remedy}")


def _parts(package: ast.Module) -> list[str]:
    for node in package.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Tuple):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id == "PARTS":
                return [str(ast.literal_eval(element)) for element in node.value.elts]
    return []


def _imports(module: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            if name.startswith(_PACKAGE):
                yield node.lineno, name.removeprefix(_PACKAGE).partition(".")[0]
