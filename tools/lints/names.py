"""A module is named after its subject: `utils` and its kin say nothing and collect everything."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from tools.lints.tree import Finding, Tree

_EMPTY_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "misc",
    "common",
    "manager",
    "managers",
    "stuff",
    "lib",
}


def check(tree: Tree) -> Iterator[Finding]:
    """Findings among the files and folders of `src/`."""
    for path in tree.files("src/**/*.py"):
        for part in PurePosixPath(path).with_suffix("").parts:
            if part in _EMPTY_NAMES:
                yield Finding(
                    path, 1, f"`{part}` is no subject: name the module after what it is about"
                )
