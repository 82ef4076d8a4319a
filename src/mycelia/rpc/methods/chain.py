"""`chain_*`: blocks and headers."""

from __future__ import annotations

from typing import Any, Final

from mycelia.rpc import hub
from mycelia.rpc.errors import invalid_params
from mycelia.rpc.node import Node
from mycelia.rpc.registry import Hash, method
from mycelia.rpc.render import block_json, header_json, to_hex
from mycelia.rpc.session import Session

_HEIGHTS: Final = 1_000


@method("chain_getHead", "chain_getFinalizedHead", "chain_getFinalisedHead")
def head(node: Node) -> str:
    """Hash of the newest block, which is final."""
    return to_hex(node.hash_at(node.history.height()))


@method("chain_getBlockHash")
def block_hash(node: Node, number: int | list[int] | None = None) -> str | list[str | None] | None:
    """Hash at a height, or at each of several; of the newest block for null."""
    if isinstance(number, list):
        if len(number) > _HEIGHTS:
            raise invalid_params(f"at most {_HEIGHTS} heights at a time.")
        return [_hash_or_none(node, height) for height in number]
    return _hash_or_none(node, node.history.height() if number is None else number)


def _hash_or_none(node: Node, height: int) -> str | None:
    found = node.history.hash_at(height)
    return None if found is None else to_hex(found)


@method("chain_getHeader")
def header(node: Node, block: Hash | None = None) -> dict[str, Any] | None:
    """A header by block hash; null for one that is unknown."""
    found = node.header(block)
    return None if found is None else header_json(found)


@method("chain_getBlock")
def block(node: Node, block: Hash | None = None) -> dict[str, Any] | None:
    """Header and extrinsics by block hash; null for one that is unknown."""
    height = node.history.height() if block is None else node.history.height_of(block)
    found = None if height is None else node.history.block_at(height)
    return None if found is None else block_json(found)


def _follow(node: Node, session: Session | None, kind: hub.HeadKind) -> str:
    subscription = node.hub.heads(hub.require(session), kind)
    subscription.push(header_json(node.history.head()))
    return subscription.id


@method("chain_subscribeNewHeads", "chain_subscribeNewHead", "subscribe_newHead")
def subscribe_new_heads(node: Node, session: Session | None) -> str:
    """Tell every new header, beginning with the newest."""
    return _follow(node, session, "new")


@method("chain_subscribeFinalizedHeads", "chain_subscribeFinalisedHeads")
def subscribe_finalized_heads(node: Node, session: Session | None) -> str:
    """Tell every final header, beginning with the newest."""
    return _follow(node, session, "finalized")


@method("chain_subscribeAllHeads")
def subscribe_all_heads(node: Node, session: Session | None) -> str:
    """Tell every header, beginning with the newest."""
    return _follow(node, session, "all")


@method(
    "chain_unsubscribeNewHeads",
    "chain_unsubscribeNewHead",
    "unsubscribe_newHead",
    "chain_unsubscribeFinalizedHeads",
    "chain_unsubscribeFinalisedHeads",
    "chain_unsubscribeAllHeads",
)
def unsubscribe_heads(_node: Node, session: Session | None, subscription: str) -> bool:
    """Stop telling headers."""
    return hub.end(hub.require(session), subscription)
