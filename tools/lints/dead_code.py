"""What nothing uses goes: functions, methods, classes and imports that no file of the tree names.

Fields, constants and classes with an `index` (the variants of an enumeration) are left alone: here they are
declarations that metadata, pydantic and the wire read. `REACHED_BY_NAME` lists what is called without being named.
"""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch

from vulture import Vulture

from tools.lints.tree import Finding, Tree

DECORATORS = [
    "@*.callback*",
    "@*.command*",
    "@*_validator*",
    "@call",
    "@call(*",
    "@contextmanager",
    "@invariant",
    "@method",
    "@method(*",
    "@pytest.*",
    "@view",
    "@view(*",
]
REACHED_BY_NAME = {
    "src/mycelia/*": (  # asyncio.Protocol
        "connection_made",
        "connection_lost",
        "data_received",
        "pause_writing",
        "resume_writing",
    ),
    "src/mycelia/wire/pool.py": ("on_*",),  # httptools
    "src/mycelia/wire/connection.py": ("on_*",),  # httptools
}

_RECIPE = re.compile(r"\"mycelia(?:\.\w+)*:(\w+)\"")  # "module:function", imported when needed
_KINDS = {"class", "function", "import", "method", "property", "unreachable_code"}


def check(tree: Tree) -> Iterator[Finding]:
    """Findings in `src/`, `tools/` and `benchmarks/`; tests count as users and are not judged."""
    files = tree.files("**/*.py")
    recipes = {name for path in files for name in _RECIPE.findall(tree.text(path))}
    scan = Vulture(ignore_decorators=DECORATORS, ignore_names=["test_*", "__*__", *recipes])
    for path in files:
        scan.scan(tree.text(path), filename=tree.root / path)
    for item in scan.get_unused_code():
        path = item.filename.relative_to(tree.root).as_posix()
        if item.typ not in _KINDS or not path.startswith(("src/", "tools/", "benchmarks/")):
            continue
        if not _is_reached(path, str(item.name)) and not _is_variant(tree, path, str(item.name)):
            remedy = "remove it, or list it in REACHED_BY_NAME with who reaches it"
            yield Finding(
                path, item.first_lineno, f"{item.typ} {item.name} is used nowhere: {remedy}"
            )


def _is_reached(path: str, name: str) -> bool:
    return any(
        fnmatch(path, pattern) and any(fnmatch(name, known) for known in names)
        for pattern, names in REACHED_BY_NAME.items()
    )


def _is_variant(tree: Tree, path: str, name: str) -> bool:
    """Whether a class of this name is declared with the number it has on the wire."""
    classes = (node for node in ast.walk(tree.parse(path)) if isinstance(node, ast.ClassDef))
    keywords = [key.arg for node in classes if node.name == name for key in node.keywords]
    return "index" in keywords
