"""`python -m mycelia.node`."""

import sys

from mycelia.node.main import main

sys.exit(main(sys.argv[1:]))
