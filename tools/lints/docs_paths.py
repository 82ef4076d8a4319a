"""A path named in the documents exists."""

import re
from collections.abc import Iterator

from tools.lints.tree import Finding, Tree

_CODE = re.compile(r"`([^`\s<>{}]+)`")
_LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
_ROOTS = ("src/", "tests/", "docs/", "tools/", "benchmarks/", "examples/", "requirements/", ".ci/")


def check(tree: Tree) -> Iterator[Finding]:
    """Findings in the Markdown files: a backticked path from the root, or a link, that leads nowhere."""
    for path in [*tree.files("*.md"), *tree.files("docs/**/*.md")]:
        folder = (tree.root / path).parent
        for number, line in enumerate(tree.lines(path), start=1):
            named = [name for name in _CODE.findall(line) if name.startswith(_ROOTS)]
            broken = [name for name in named if not _exists(tree, name)]
            linked = [link for link in _LINK.findall(line) if "://" not in link]
            broken += [link for link in linked if not (folder / link).exists()]
            for name in broken:
                yield Finding(path, number, f"{name} does not exist: correct the path or the line")


def _exists(tree: Tree, name: str) -> bool:
    """Whether a path, or a pattern with `*`, names something; `path::name` also needs the name in it."""
    path, _, symbol = name.partition("::")
    found = sorted(tree.root.glob(path.rstrip("/")))
    if symbol:
        return any(file.is_file() and symbol in file.read_text(encoding="utf-8") for file in found)
    return bool(found)
