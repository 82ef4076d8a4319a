"""The command line: parses, formats, and calls the library that does the work."""

from __future__ import annotations

import os
import sys

from mycelia.cli.environment import LEAN


def main() -> None:
    """Run the command line; turn an error that a person can act on into two lines and status 1."""
    for name, value in LEAN.items():
        os.environ.setdefault(name, value)
    from mycelia.cli.app import app
    from mycelia.primitives.errors import AppError

    try:
        app()
    except AppError as error:
        print(f"error[{error.code}]: {error.message}", file=sys.stderr)
        if error.remedy:
            print(f"  remedy: {error.remedy}", file=sys.stderr)
        sys.exit(1)
