"""`system_*` and `rpc_methods`: what this node is."""

from __future__ import annotations

from typing import Any

from mycelia.crypto import blake2_256
from mycelia.rpc.node import Node
from mycelia.rpc.registry import METHODS, method
from mycelia.rpc.render import to_hex


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


@method("system_syncState")
def sync_state(node: Node) -> dict[str, int]:
    """How far the node has come; alone, it is always there."""
    height = node.history.height()
    return {"startingBlock": 0, "currentBlock": height, "highestBlock": height}


@method("system_peers")
def peers(_node: Node) -> list[Any]:
    """Whom the node talks to; alone, nobody."""
    return []


@method("system_localListenAddresses")
def listen_addresses(_node: Node) -> list[str]:
    """Where other nodes reach this one; alone, nowhere."""
    return []


@method("system_localPeerId")
def peer_id(node: Node) -> str:
    """A name of this node among others, made from its network's."""
    return "mycelia-" + blake2_256(node.history.genesis_hash()).hex()[:16]


@method("chainSpec_v1_chainName")
def spec_name(node: Node) -> str:
    """Name of the network."""
    return node.info.name


@method("chainSpec_v1_genesisHash")
def spec_genesis_hash(node: Node) -> str:
    """Hash of block 0."""
    return to_hex(node.history.genesis_hash())


@method("chainSpec_v1_properties")
def spec_properties(node: Node) -> dict[str, Any]:
    """How people write amounts and addresses."""
    return properties(node)
