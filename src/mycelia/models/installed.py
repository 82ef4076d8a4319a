"""Which build of a package is installed: its version, and a digest of all that its wheel brought."""

from __future__ import annotations

import functools
import hashlib
from importlib.metadata import distribution

from mycelia.primitives.errors import AppError

_BY_INSTALLERS = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json")
"""Files that an installer puts beside a wheel's own, each in its way."""


class NotFromWheel(AppError):
    """A package keeps no list of its files, so nothing tells which build it is."""

    def __init__(self, package: str) -> None:
        super().__init__(
            "not_from_wheel",
            f"{package} was not installed from a wheel: which build it is cannot be said.",
            f"Install it again with pip: `pip install --force-reinstall {package}`.",
        )


@functools.cache
def pinned(package: str) -> str:
    """Name an installed package with its version, as requirement files do."""
    return f"{package}=={distribution(package).version}"


@functools.cache
def wheel_digest(package: str) -> str:
    """SHA-256, in hex, over paths and digests of the files that came in an installed wheel.

    It is the same wherever the same wheel is installed, and differs between wheels of one version
    for different processors. What an installer adds is left out: its notes, compiled modules,
    scripts outside the package folders. The list is the installer's; files changed later are not
    noticed, since who could change them could change this program, too.

    Raises NotFromWheel if there is no such list.

    Source: PEP 376 and the wheel format, the file RECORD.
    """
    found = distribution(package)
    listed = found.read_text("RECORD")
    if not listed:
        raise NotFromWheel(package)
    rows = sorted(row for row in listed.splitlines() if _is_of_the_wheel(row))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _is_of_the_wheel(row: str) -> bool:
    path, _, rest = row.rpartition(",sha256=")
    added = path.startswith("..") or path.endswith(".pyc") or path.split("/")[-1] in _BY_INSTALLERS
    return bool(path and rest) and not added
