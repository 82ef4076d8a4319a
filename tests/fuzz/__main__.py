"""`python -m tests.fuzz TARGET [--seconds 600] [--seed 1] [--case N]`: fuzz, or repeat one case.

A case is made by its number and the seed alone, but a target that keeps state needs those before it.
"""

import argparse
import sys

from tests.fuzz.run import Failure, run
from tests.fuzz.targets import TARGETS

flags = argparse.ArgumentParser(prog="python -m tests.fuzz")
flags.add_argument("target", choices=TARGETS)
flags.add_argument("--seconds", type=float, default=600)
flags.add_argument("--seed", type=int, default=1)
flags.add_argument("--case", type=int, help="run this one alone")
chosen = flags.parse_args()
try:
    if chosen.case is None:
        found = run(chosen.target, seed=chosen.seed, seconds=chosen.seconds)
    else:
        found = run(chosen.target, seed=chosen.seed, first=chosen.case, cases=1)
except Failure as failure:
    sys.exit(str(failure))
sys.stdout.write(f"{found}\n")
