"""No file carries the address of a package registry, or a path of one machine.

Lock files hold hashes; where packages come from is the reader's own pip configuration.
"""

import re
from collections.abc import Iterator

from tools.lints.tree import Finding, Tree

# Character classes keep this file from matching itself.
_HOST = re.compile(
    r"py[p]i\.org|python[h]osted\.org|crate[s]\.io|npm[j]s\.(?:org|com)|mave[n]\.org"
)
_OPTION = re.compile(r"^\s*--(?:(?:extra-)?inde[x]-url|find-link[s]|truste[d]-host)\b")
_MACHINE = re.compile(r"(?<![\w./~}$-])/(?:hom[e]|roo[t]|User[s]|wor[k])/\w")
_BINARY = (".gguf", ".npz", ".onnx", ".png", ".bin", ".pyc", ".so")


def check(tree: Tree) -> Iterator[Finding]:
    """Findings in every text file of the tree."""
    for path in tree.files("**/*"):
        if path.endswith(_BINARY):
            continue
        for number, line in enumerate(tree.lines(path), start=1):
            if _HOST.search(line) or _OPTION.search(line):
                message = "a registry's address: leave it to the reader's pip configuration"
                yield Finding(path, number, message)
            if _MACHINE.search(line):
                yield Finding(
                    path, number, "a path of one machine: make it relative or an argument"
                )
