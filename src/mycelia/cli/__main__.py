"""`python -m mycelia.cli`: how one process of the network starts another."""

from mycelia.cli import main

main()
