"""Files and functions stay short enough to read: the aim is 400 and 40 lines."""

from collections.abc import Iterator

from tools.lints.tree import Finding, Tree, functions

FILE_LINES = 800
FUNCTION_LINES = 100


def check(tree: Tree) -> Iterator[Finding]:
    """Findings in every Python file of the tree."""
    for path in tree.files("**/*.py"):
        count = len(tree.lines(path))
        if count > FILE_LINES:
            remedy = "split it by subject"
            yield Finding(path, 1, f"{count} lines in a file, {FILE_LINES} at most: {remedy}")
        for function in functions(tree.parse(path)):
            length = (function.end_lineno or function.lineno) - function.lineno + 1
            if length > FUNCTION_LINES:
                message = f"{function.name} has {length} lines, {FUNCTION_LINES} at most"
                yield Finding(
                    path, function.lineno, f"{message}: give its steps names of their own"
                )
