"""A node as an operator runs it: processes, configuration, logs, signals."""

from mycelia.node.command import main
from mycelia.node.config import NodeConfig
from mycelia.node.run import run_node, serve

__all__ = ["NodeConfig", "main", "run_node", "serve"]
