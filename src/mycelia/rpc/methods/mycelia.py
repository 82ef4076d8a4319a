"""`mycelia_*`: what Substrate has no method for. All here but `mycelia_stats` are orders to a development node."""

from __future__ import annotations

from asyncio import Future
from typing import Any, Final

from mycelia.rpc.errors import invalid_params
from mycelia.rpc.futures import then
from mycelia.rpc.node import Node
from mycelia.rpc.registry import Hash, method
from mycelia.rpc.render import to_hex

_BLOCKS: Final = 10_000
_NETUIDS: Final = 65_535
_TIME_MS: Final = 1 << 53
"""As far as every JSON reader counts."""


@method("mycelia_seal")
def seal(node: Node, blocks: int = 1) -> Future[list[str]]:
    """Seal blocks now, each a slot after the one before; their hashes."""
    if not 0 < blocks <= _BLOCKS:
        raise invalid_params(f"blocks must be 1 to {_BLOCKS}, found {blocks}.")
    return then(node.sealer.seal(blocks), lambda hashes: [to_hex(hash_) for hash_ in hashes])


@method("mycelia_sealEpoch")
def seal_epoch(node: Node, netuid: int) -> Future[list[str]]:
    """Seal up to the block in which a subnet's next epoch runs; the hashes, that block's last."""
    if not 0 <= netuid <= _NETUIDS:
        raise invalid_params(f"netuid must be 0 to {_NETUIDS}, found {netuid}.")
    return then(node.sealer.seal_epoch(netuid), lambda hashes: [to_hex(hash_) for hash_ in hashes])


@method("mycelia_snapshot")
def snapshot(node: Node) -> Future[str]:
    """A name for the chain as it is now, for `mycelia_revert`: the hash of its head."""
    return then(node.sealer.snapshot(), to_hex)


@method("mycelia_revert")
def revert(node: Node, block: Hash) -> Future[bool]:
    """Go back to a block as if nothing had happened since; what waits in the pool is dropped."""
    return then(node.sealer.revert(block), lambda _: True)


@method("mycelia_setTime")
def set_time(node: Node, now_ms: int) -> Future[bool]:
    """Set the clock of blocks, in milliseconds since 1970; it must lie after the newest block's time."""
    if not 0 <= now_ms <= _TIME_MS:
        raise invalid_params(f"now_ms must be 0 to {_TIME_MS}, found {now_ms}.")
    return then(node.sealer.set_time(now_ms), lambda _: True)


@method("mycelia_stats")
def stats(node: Node) -> Future[dict[str, Any]]:
    """Counters of pool, engine and this RPC process."""
    return then(
        node.sealer.stats(),
        lambda sealer: {"sealer": sealer, "rpc": {**node.hub.counters(), **node.counters()}},
    )
