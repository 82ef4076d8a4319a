"""A broad `except` is legal only at an edge, where a fault in one request must not end the process.

One that ends in `raise` cleans up or converts and hides nothing, so it is not counted. `ALLOWED` lists the
edges with how many each file holds. The number is exact: a handler that goes away takes its allowance with it.
"""

import ast
from collections.abc import Iterator

from tools.lints.tree import Finding, Tree, dotted

ALLOWED = {
    "src/mycelia/engine/solo.py": 1,  # a rule broke over one extrinsic: logged, the chain goes on without it
    "src/mycelia/gateway/app.py": 1,  # one request: logged, the consumer gets 500
    "src/mycelia/lab/loop_watch.py": 1,  # whatever an author's interrupted code made of it: the interruption is told
    "src/mycelia/models/worker.py": 1,  # a fault in the model's thread is raised in the consumer
    "src/mycelia/neuron/batching.py": 1,  # a miner author's function: every caller of the batch gets the fault
    "src/mycelia/neuron/journal.py": 1,  # one write: undone, whoever asked for it gets the fault
    "src/mycelia/neuron/sampler.py": 1,  # a subnet author's score: logged, the sample is void
    "src/mycelia/neuron/validator.py": 2,  # a subnet author's challenge or weights: logged, the next round tries again
    "src/mycelia/neuron/vouching.py": 1,  # a subnet author's `knows`: logged, the claim is not attested
    "src/mycelia/node/sealer.py": 1,  # one submitted extrinsic: logged, its sender is refused
    "src/mycelia/rpc/dispatch.py": 1,  # one request: the caller gets a JSON-RPC error
    "src/mycelia/wire/server.py": 1,  # one request: logged, the caller gets 500
}

_BROAD = {"Exception", "BaseException"}
_REMEDY = "catch the narrowest class; an edge that logs and converts goes into ALLOWED"


def check(tree: Tree) -> Iterator[Finding]:
    """Findings in `src/`: handlers beyond the list, and entries of the list that no longer hold."""
    for path in tree.files("src/**/*.py"):
        handlers = (n for n in ast.walk(tree.parse(path)) if isinstance(n, ast.ExceptHandler))
        lines = [handler.lineno for handler in handlers if _is_broad(handler)]
        allowed = ALLOWED.get(path, 0)
        for line in sorted(lines)[allowed:]:
            yield Finding(path, line, f"broad except, {allowed} allowed here: {_REMEDY}")
        if len(lines) < allowed:
            yield Finding(path, 1, f"{len(lines)} broad excepts, {allowed} allowed: lower ALLOWED")
    for path in sorted(set(ALLOWED).difference(tree.files("src/**/*.py"))):
        yield Finding(path, 1, "ALLOWED names a file that is gone: remove the entry")


def _is_broad(node: ast.ExceptHandler) -> bool:
    if isinstance(node.body[-1], ast.Raise):
        return False
    if node.type is None:
        return True
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(dotted(kind) in _BROAD for kind in kinds)
