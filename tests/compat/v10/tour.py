"""The unmodified 10.x SDK, run by its own interpreter against a node: `python tour.py URL`.

Each step is asserted on its effect on the chain. A line of JSON per step: its name, and what went wrong, if anything
did. A step that needs what an earlier one made comes after it. Accounts, then subnets, then weights.
"""

from __future__ import annotations

import json
import sys
import traceback

import accounts  # noqa: F401 - steps are known once their modules are imported
import subnets  # noqa: F401
import weights  # noqa: F401
from kit import STEPS, chain


def main() -> int:
    """Run every step; the exit status is how many failed."""
    failed = 0
    for run in STEPS:
        error = ""
        try:
            run()
        except Exception:
            failed += 1
            error = traceback.format_exc(limit=-3)
        sys.stdout.write(json.dumps({"step": run.__name__, "error": error}) + "\n")
        sys.stdout.flush()
    chain.close()
    return failed


if __name__ == "__main__":
    sys.exit(main())
