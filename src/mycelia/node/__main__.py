"""`python -m mycelia.node`."""

import sys

from mycelia.node.command import main

sys.exit(main(sys.argv[1:]))
