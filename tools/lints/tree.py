"""What every lint reads: the files of one checkout, parsed once."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PURE = ("primitives", "codec", "frame", "pallets", "runtime")
"""Packages whose code is consensus: the same bytes in must give the same bytes out, everywhere."""

_REASON = re.compile(r"#\s*pure:\s*\S+")
_SKIPPED = {"build", "dist", "bench-results", "__pycache__"}


@dataclass(frozen=True, order=True)
class Finding:
    """One broken rule."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass
class Tree:
    """A checkout rooted at `root`. Paths given out are relative to it, with forward slashes."""

    root: Path
    _parsed: dict[str, ast.Module] = field(default_factory=dict)

    def files(self, pattern: str) -> list[str]:
        """Files that match a glob, in order, without build and cache folders."""
        found = (path.relative_to(self.root) for path in self.root.glob(pattern) if path.is_file())
        return sorted(path.as_posix() for path in found if _is_ours(path))

    def pure_files(self) -> list[str]:
        """The consensus packages' modules."""
        return [path for package in PURE for path in self.files(f"src/mycelia/{package}/**/*.py")]

    def text(self, path: str) -> str:
        """One file's text. Bytes that are not UTF-8 become replacement signs."""
        return (self.root / path).read_text(encoding="utf-8", errors="replace")

    def lines(self, path: str) -> list[str]:
        return self.text(path).splitlines()

    def is_excused(self, path: str, line: int) -> bool:
        """Whether a line says why the rules for consensus code do not apply to it."""
        return bool(_REASON.search(self.lines(path)[line - 1]))

    def parse(self, path: str) -> ast.Module:
        """One module's syntax tree. Raises `SyntaxError` as the interpreter would."""
        if path not in self._parsed:
            self._parsed[path] = ast.parse(self.text(path), path)
        return self._parsed[path]


def _is_ours(path: Path) -> bool:
    """Whether a relative path is neither built nor cached nor hidden (`.ci` is not hidden)."""
    folders = set(path.parts[:-1]) - {".ci"}
    return not _SKIPPED & folders and not any(folder.startswith(".") for folder in folders)


def functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function, methods and nested ones included."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def dotted(node: ast.expr) -> str:
    """`a.b.c` for a chain of names, else an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (head := dotted(node.value)):
        return f"{head}.{node.attr}"
    return ""
