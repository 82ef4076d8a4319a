"""Consensus code computes the same thing on every machine and in every run.

Import contracts keep clocks, sockets and threads out; this lint refuses what needs no import: the order
of a set, hash(), sorting by id(), files, printing, async, and tables that fill while the program runs. A line
that needs an exception says why: `# pure: <reason>`.
"""

import ast
from collections.abc import Iterator

from tools.lints.tree import Finding, Tree, dotted

_BUILTINS = {
    "hash": "it is salted per process; use mycelia.crypto",
    "print": "deposit an event",
    "input": "take it as an argument",
    "open": "take the bytes as an argument",
    "eval": "write the code",
    "exec": "write the code",
    "breakpoint": "remove it",
}
_ORDERED = {
    "list",
    "tuple",
    "enumerate",
    "iter",
    "next",
    "zip",
    "map",
    "filter",
    "reversed",
    "dict",
}
_ORDERED_METHODS = {"join", "extend", "fromkeys"}
_SET_METHODS = {"union", "intersection", "difference", "symmetric_difference", "copy"}
_SET_OPERATORS = (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)
_MUTABLE = {"list", "dict", "set", "defaultdict", "deque", "Counter", "OrderedDict", "bytearray"}
_ASYNC = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)


def check(tree: Tree) -> Iterator[Finding]:
    """Findings in the consensus packages."""
    for path in tree.pure_files():
        for line, message in _broken(tree.parse(path)):
            if not tree.is_excused(path, line):
                yield Finding(path, line, message)


def _broken(module: ast.Module) -> Iterator[tuple[int, str]]:
    yield from _filling_tables(module)
    sets = _set_names(module)
    for node in ast.walk(module):
        if isinstance(node, _ASYNC):
            yield (
                node.lineno,
                "async: the engine calls the rules in order; make it a plain function",
            )
        elif isinstance(node, ast.Global):
            yield node.lineno, "global: keep the value in storage, or hand it in"
        elif isinstance(node, ast.Call):
            yield from _call(node, sets)
        elif isinstance(node, ast.keyword) and node.arg == "key" and dotted(node.value) == "id":
            yield node.lineno, "addresses differ from run to run: order by value"
        for walked in _walked(node):
            if _is_set(walked, sets):
                yield walked.lineno, "a set has no order: walk sorted(...), or keep a dict"


def _call(node: ast.Call, sets: set[str]) -> Iterator[tuple[int, str]]:
    name = dotted(node.func)
    if name in _BUILTINS:
        yield node.lineno, f"{name}() in consensus code: {_BUILTINS[name]}"
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    ordered = name in _ORDERED or method in _ORDERED_METHODS
    if ordered and any(_is_set(argument, sets) for argument in node.args):
        yield node.lineno, "a set has no order: hand over sorted(...)"


def _walked(node: ast.AST) -> Iterator[ast.expr]:
    """What this node goes through in order. A set made from a set has no order to lose."""
    if isinstance(node, ast.For):
        yield node.iter
    elif isinstance(node, ast.ListComp | ast.DictComp | ast.GeneratorExp):
        yield from (generator.iter for generator in node.generators)
    elif isinstance(node, ast.Starred):
        yield node.value


def _set_names(module: ast.Module) -> set[str]:
    """Names bound to a set somewhere in the module: coarse, and errs on the safe side."""
    names: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            note = node.annotation
            kind = dotted(note.value if isinstance(note, ast.Subscript) else note)
            if kind in {"set", "frozenset"}:
                names.add(node.arg if isinstance(node, ast.arg) else dotted(node.target))
        elif isinstance(node, ast.Assign) and _is_set(node.value, names):
            names.update(dotted(target) for target in node.targets)
    return names - {""}


def _is_set(node: ast.expr, names: set[str]) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in _SET_METHODS:
            return _is_set(node.func.value, names)
        return dotted(node.func) in {"set", "frozenset"}
    if isinstance(node, ast.BinOp) and isinstance(node.op, _SET_OPERATORS):
        return _is_set(node.left, names) or _is_set(node.right, names)
    return dotted(node) in names


def _filling_tables(module: ast.Module) -> Iterator[tuple[int, str]]:
    for node in module.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        empty_list = isinstance(value, ast.List) and not value.elts
        empty_dict = isinstance(value, ast.Dict) and not value.keys
        made = isinstance(value, ast.Call) and dotted(value.func) in _MUTABLE and not value.args
        if empty_list or empty_dict or made:
            yield node.lineno, "a table that fills at run time: build it in one expression"
