"""`mycelia_*`: what Substrate has no method for."""

from __future__ import annotations

from asyncio import Future
from typing import Any, Final

from mycelia.rpc.errors import invalid_params
from mycelia.rpc.futures import then
from mycelia.rpc.node import Node
from mycelia.rpc.registry import method
from mycelia.rpc.render import to_hex

_BLOCKS: Final = 10_000


@method("mycelia_seal")
def seal(node: Node, blocks: int = 1) -> Future[list[str]]:
    """Seal blocks now, each a slot after the one before; their hashes. Development networks only."""
    if not 0 < blocks <= _BLOCKS:
        raise invalid_params(f"blocks must be 1 to {_BLOCKS}, found {blocks}.")
    return then(node.sealer.seal(blocks), lambda hashes: [to_hex(hash_) for hash_ in hashes])


@method("mycelia_stats")
def stats(node: Node) -> Future[dict[str, Any]]:
    """Counters of pool, engine and this RPC process."""
    return then(
        node.sealer.stats(),
        lambda sealer: {"sealer": sealer, "rpc": {**node.hub.counters(), **node.counters()}},
    )
