"""Consensus numbers are integers: a float rounds differently from one machine to the next.

A line that needs an exception says why: `# pure: <reason>`.
"""

import ast
from collections.abc import Iterator

from tools.lints.tree import Finding, Tree, dotted

_BUILTINS = {
    "float": "use an integer with its unit in the name",
    "complex": "use integers",
    "round": "name the rounding: floor_div, round_half_even",
}
_INTEGER_MATH = {"isqrt", "gcd", "lcm", "comb", "perm", "prod", "factorial"}
_NUMPY = ("np", "numpy")
_FLOAT_DTYPES = {"float16", "float32", "float64", "half", "double", "inf", "nan", "pi"}
_FLOAT_RESULTS = {"mean", "average", "median", "std", "var", "sqrt", "exp", "log", "log2", "log10"}
_FLOAT_RESULTS |= {"linspace", "true_divide", "divide"}


def check(tree: Tree) -> Iterator[Finding]:
    """Findings in the consensus packages."""
    for path in tree.pure_files():
        for node in ast.walk(tree.parse(path)):
            message = _message(node)
            if message and not tree.is_excused(path, line := getattr(node, "lineno", 0)):
                yield Finding(path, line, message)


def _message(node: ast.AST) -> str:
    """What is wrong with this node and what to write instead; empty when nothing is."""
    if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
        return f"float literal {node.value!r}: use an integer with its unit in the name"
    if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
        return "true division makes a float: use //, or floor_div which names the rounding"
    if isinstance(node, ast.Call) and (remedy := _BUILTINS.get(dotted(node.func))):
        return f"{dotted(node.func)}() in consensus code: {remedy}"
    if isinstance(node, ast.ImportFrom) and node.module == "math":
        floats = [alias.name for alias in node.names if alias.name not in _INTEGER_MATH]
        return _math(floats[0]) if floats else ""
    if isinstance(node, ast.Attribute):
        return _attribute(dotted(node.value), node.attr)
    return ""


def _attribute(owner: str, name: str) -> str:
    if owner == "math" and name not in _INTEGER_MATH:
        return _math(name)
    if owner in _NUMPY and name in _FLOAT_DTYPES | _FLOAT_RESULTS:
        return f"{owner}.{name} is float arithmetic: use integer dtypes and name the rounding"
    if owner in _NUMPY and name == "random":
        return f"{owner}.random: randomness comes in as a value"
    return ""


def _math(name: str) -> str:
    return f"math.{name} works on floats: use one of {', '.join(sorted(_INTEGER_MATH))}"
