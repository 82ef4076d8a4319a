"""JSON-RPC as Substrate's clients speak it, over WebSocket and HTTP on one port, in a process of its own.

It reads the store, runs views, verifies signatures and hands extrinsics to the sealer. It decides nothing.
"""

from mycelia.rpc.node import ChainInfo, Node
from mycelia.rpc.ports import Fate, Listener, Sealed, Sealer
from mycelia.rpc.server import RpcServer, ServerLimits

__all__ = [
    "ChainInfo",
    "Fate",
    "Listener",
    "Node",
    "RpcServer",
    "Sealed",
    "Sealer",
    "ServerLimits",
]
