"""`system_*` and `rpc_methods`: what this node is."""

from __future__ import annotations

from typing import Any

from mycelia.rpc.node import Node
from mycelia.rpc.registry import METHODS, method


@method("rpc_methods")
def methods(_node: Node) -> dict[str, Any]:
    """Every method this node answers."""
    return {"methods": sorted(METHODS)}


@method("system_chain")
def chain(node: Node) -> str:
    """Name of the network."""
    return node.info.name


@method("system_chainType")
def chain_type(node: Node) -> str:
    """Development, Local or Live."""
    return node.info.kind


@method("system_name")
def name(_node: Node) -> str:
    """Name of the program."""
    return "mycelia"


@method("system_version")
def version(node: Node) -> str:
    """Version of the program."""
    return node.info.version


@method("system_properties")
def properties(_node: Node) -> dict[str, Any]:
    """How people write amounts and addresses."""
    return {"ss58Format": 42, "tokenDecimals": 9, "tokenSymbol": "TAO"}


@method("system_health")
def health(_node: Node) -> dict[str, Any]:
    """Whether the node is in step; alone, it is."""
    return {"peers": 0, "isSyncing": False, "shouldHavePeers": False}


@method("system_nodeRoles")
def roles(_node: Node) -> list[str]:
    """What the node does in the network."""
    return ["Authority"]
