"""`state_*`: storage, runtime calls, metadata and versions, at any height that is kept."""

from __future__ import annotations

from typing import Any, Final

from mycelia.codec import DecodeError
from mycelia.rpc import hub
from mycelia.rpc.errors import api_not_found, execution_failed, invalid_params
from mycelia.rpc.node import Node
from mycelia.rpc.registry import Hash, Hex, method
from mycelia.rpc.render import to_hex
from mycelia.rpc.session import Session
from mycelia.runtime import ApiNotFound

_PAGE: Final = 1_000
_QUERIED_KEYS: Final = 10_000
_QUERIED_BLOCKS: Final = 256
_QUERIED_VALUES: Final = 32_768
"""Of a range: keys times blocks."""
_LEGACY_METADATA: Final = 14


def _value(raw: bytes | None) -> str | None:
    return None if raw is None else to_hex(raw)


@method("state_getStorage", "state_getStorageAt")
def storage(node: Node, key: Hex, block: Hash | None = None) -> str | None:
    """Encoded value of a raw key; null if it has none, also where a default applies."""
    return _value(node.state_at(block).get(key))


@method("state_getStorageSize", "state_getStorageSizeAt")
def storage_size(node: Node, key: Hex, block: Hash | None = None) -> int | None:
    """Size of the encoded value of a raw key, in bytes."""
    value = node.state_at(block).get(key)
    return None if value is None else len(value)


@method("state_queryStorageAt")
def query_storage(node: Node, keys: list[Hex], block: Hash | None = None) -> list[dict[str, Any]]:
    """Encoded values of many raw keys, in their order."""
    if len(keys) > _QUERIED_KEYS:
        raise invalid_params(f"at most {_QUERIED_KEYS} keys at a time.")
    height = node.height_of(block)
    view = node.view_at(height)
    changes = [[to_hex(key), _value(view.get(key))] for key in keys]
    return [{"block": to_hex(node.hash_at(height)), "changes": changes}]


@method("state_queryStorage")
def query_storage_range(
    node: Node, keys: list[Hex], from_block: Hash, to_block: Hash | None = None
) -> list[dict[str, Any]]:
    """Encoded values of raw keys after a block, and after each later one where some of them changed."""
    if len(keys) > _QUERIED_KEYS // 10:
        raise invalid_params(f"at most {_QUERIED_KEYS // 10} keys at a time.")
    first, last = node.height_of(from_block), node.height_of(to_block)
    if not 0 <= last - first < _QUERIED_BLOCKS:
        raise invalid_params(f"a range of 1 to {_QUERIED_BLOCKS} blocks, found {last - first + 1}.")
    if len(keys) * (last - first + 1) > _QUERIED_VALUES:
        raise invalid_params(f"at most {_QUERIED_VALUES} values; ask for fewer keys or blocks.")
    known: dict[Hex, bytes | None] = {}
    found = []
    for height in range(first, last + 1):
        view = node.view_at(height)
        values = {key: view.get(key) for key in keys}
        changed = {k: v for k, v in values.items() if k not in known or known[k] != v}
        known = values
        if changed:
            changes = [[to_hex(key), _value(value)] for key, value in changed.items()]
            found.append({"block": to_hex(node.hash_at(height)), "changes": changes})
    return found


@method("state_getKeysPaged", "state_getKeysPagedAt")
def keys_paged(
    node: Node, prefix: Hex, count: int, start_key: Hex | None = None, block: Hash | None = None
) -> list[str]:
    """Up to `count` raw keys under a prefix that sort after `start_key`, ascending."""
    if not 0 <= count <= _PAGE:
        raise invalid_params(f"count must be at most {_PAGE}, found {count}.")
    after = start_key if start_key and start_key != prefix else None
    found = node.state_at(block).keys(prefix, after, count + 1)
    # A key equal to the prefix is not after it, for clients that start pages with the prefix.
    skipped = start_key if start_key == prefix else None
    return [to_hex(key) for key in found if key != skipped][:count]


@method("state_getKeys")
def keys(node: Node, prefix: Hex, block: Hash | None = None) -> list[str]:
    """All raw keys under a prefix, ascending; refused for more than a page holds ten times over."""
    limit = 10 * _PAGE
    found = list(node.state_at(block).keys(prefix, None, limit + 1))
    if len(found) > limit:
        raise invalid_params(f"more than {limit} keys; use state_getKeysPaged.")
    return [to_hex(key) for key in found]


@method("state_call", "state_callAt")
def call(node: Node, name: str, data: Hex, block: Hash | None = None) -> str:
    """Run a runtime API method on the state after a block; refused if it looks up too much."""
    try:
        return to_hex(node.call_api(name, data, block))
    except ApiNotFound as cause:
        raise api_not_found(name) from cause
    except DecodeError as cause:
        raise execution_failed(f"Bad input data provided to {name}: {cause}") from cause


@method("state_getMetadata")
def metadata(node: Node, block: Hash | None = None) -> str:
    """Metadata V14; later versions by `state_call` of `Metadata_metadata_at_version`."""
    return to_hex(node.runtime_at(block).metadata(_LEGACY_METADATA))


@method("state_getRuntimeVersion", "chain_getRuntimeVersion")
def runtime_version(node: Node, block: Hash | None = None) -> dict[str, Any]:
    """Which rules hold at a block."""
    version = node.runtime_at(block).version
    return {
        "specName": version.spec_name,
        "implName": version.impl_name,
        "authoringVersion": version.authoring_version,
        "specVersion": version.spec_version,
        "implVersion": version.impl_version,
        "apis": [[to_hex(bytes(name)), number] for name, number in version.apis],
        "transactionVersion": version.transaction_version,
        "stateVersion": version.system_version,
    }


@method("state_subscribeRuntimeVersion", "chain_subscribeRuntimeVersion")
def subscribe_runtime_version(node: Node, session: Session | None) -> str:
    """Tell the rules that hold now. They change with the program, hence with the connection."""
    subscription = hub.require(session).open("state_runtimeVersion", lambda _: None)
    subscription.push(runtime_version(node))
    return subscription.id


@method("state_subscribeStorage")
def subscribe_storage(node: Node, session: Session | None, keys: list[Hex]) -> str:
    """Tell the values of raw keys, now and whenever a block changes them."""
    head = node.hash_at(node.history.height())
    return node.hub.storage(hub.require(session), list(keys), head).id


@method(
    "state_unsubscribeRuntimeVersion", "chain_unsubscribeRuntimeVersion", "state_unsubscribeStorage"
)
def unsubscribe_state(_node: Node, session: Session | None, subscription: str) -> bool:
    """Stop telling."""
    return hub.end(hub.require(session), subscription)
