"""`author_*` and nonces: handing in extrinsics and following them.

Signatures are verified here, where no block waits for it; the sealer is told only of extrinsics that passed.
"""

from __future__ import annotations

from asyncio import Future

from mycelia.crypto import ss58_decode
from mycelia.primitives.errors import MalformedTransaction
from mycelia.rpc import hub
from mycelia.rpc.errors import BAD_FORMAT, BUSY, RpcError, invalid_params
from mycelia.rpc.futures import then
from mycelia.rpc.node import Node
from mycelia.rpc.registry import Hex, method
from mycelia.rpc.render import to_hex
from mycelia.rpc.session import Session
from mycelia.runtime import Extrinsic


def _verified(node: Node, raw: bytes) -> tuple[Extrinsic, int]:
    try:
        return node.verified(raw)
    except MalformedTransaction as cause:
        raise RpcError(
            BAD_FORMAT, f"Extrinsic has invalid format: {cause.detail}", cause.detail
        ) from cause


@method("author_submitExtrinsic")
def submit(node: Node, extrinsic: Hex) -> Future[str]:
    """Let a signed extrinsic wait for a block; its hash."""
    xt, height = _verified(node, extrinsic)
    return then(node.sealer.submit(extrinsic, height), lambda _: to_hex(xt.hash))


@method("author_submitAndWatchExtrinsic")
def submit_and_watch(node: Node, session: Session | None, extrinsic: Hex) -> Future[str]:
    """Let a signed extrinsic wait for a block and tell what becomes of it."""
    session = hub.require(session)
    xt, height = _verified(node, extrinsic)
    # Before the sealer hears of it: its block may be the next thing it tells us.
    subscription = node.hub.watch(session, xt.hash)

    def accepted(status: str) -> str:
        subscription.push(status)
        return subscription.id

    return then(node.sealer.submit(extrinsic, height), accepted, subscription.end)


@method("author_unwatchExtrinsic")
def unwatch(_node: Node, session: Session | None, subscription: str) -> bool:
    """Stop telling what becomes of an extrinsic; it goes on waiting."""
    return hub.end(hub.require(session), subscription)


@method("author_pendingExtrinsics")
def pending(node: Node) -> Future[list[str]]:
    """Extrinsics that wait, oldest first, up to 4 MiB of them. One list is made at a time."""
    if node.listing is not None and not node.listing.done():
        raise RpcError(BUSY, "What waits is being listed already", "Ask again in a moment.")
    node.listing = node.sealer.pending()
    return then(node.listing, lambda raws: [to_hex(raw) for raw in raws])


@method("account_nextIndex", "system_accountNextIndex")
def next_index(node: Node, account: str) -> Future[int]:
    """The next nonce of an account, counting what waits."""
    try:
        who = ss58_decode(account)
    except ValueError as cause:
        raise invalid_params(f"account: {account!s:.64} is no SS58 address.") from cause
    return node.sealer.next_nonce(who)
