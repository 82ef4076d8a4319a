"""`mycelia_explain`: why a neuron was paid what it was paid, from the state of its epoch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final, get_type_hints

from mycelia.chain import PastEpoch, past_epoch
from mycelia.crypto import ss58_decode
from mycelia.pallets.subtensor.emission.explanation import Pot
from mycelia.pallets.subtensor.epoch import MYCELIA, YUMA2, YUMA3
from mycelia.primitives import AccountId, Alpha, NetUid, Tao, Uid
from mycelia.primitives.ids import ACCOUNT_BYTES
from mycelia.rpc.errors import invalid_params
from mycelia.rpc.node import Node
from mycelia.rpc.registry import Hash, method, read_hex
from mycelia.rpc.render import to_hex

_RULES: Final = {YUMA2: "yuma2", YUMA3: "yuma3", MYCELIA: "mycelia"}
_NETUIDS: Final = 65_535
_HEIGHTS: Final = (1 << 32) - 1
_POSITIONS: Final = 1_000
"""How many who staked are listed, of those with most."""


@method("mycelia_explain")
def explain(
    node: Node, netuid: int, neuron: str | int, block: Hash | int | None = None
) -> dict[str, Any]:
    """How a subnet's epoch went for one neuron, by uid or hotkey: from stake and weights to what was staked.

    `block` is the epoch's, by hash or height; the newest epoch for null. Amounts are decimal strings.
    Explanations may take a quarter of this process's time; beyond that they are refused as busy.
    """
    if not 0 <= netuid <= _NETUIDS:
        raise invalid_params(f"netuid must be 0 to {_NETUIDS}, found {netuid}.")
    height = node.height_of(Hash(block)) if isinstance(block, bytes) else block
    if height is not None and not 0 <= height <= _HEIGHTS:
        raise invalid_params(f"block must be a hash, or a height from 0, found {height}.")
    who = _neuron(neuron)
    with node.explaining.spent():  # a block begins anew for it
        found = past_epoch(node.store, node.history, NetUid(netuid), who, height)
    return {
        "netuid": found.netuid,
        "block": found.block,
        "block_hash": to_hex(node.hash_at(found.block)),
        "rules": _RULES[found.rules],
        "parameters": _plain(found.parameters),
        "mechanisms": _plain(found.mechanisms),
        "pay": {**_plain(found.pay), "pots": [_pot(found, pot) for pot in found.pay.pots]},
    }


def _neuron(given: str | int) -> Uid | AccountId:
    if isinstance(given, int):
        return Uid(given)
    try:
        account = read_hex(given) if given[:2] == "0x" else ss58_decode(given)
    except ValueError as cause:
        raise invalid_params(f"neuron: {given:.64} is neither a uid nor an account.") from cause
    if len(account) != ACCOUNT_BYTES:
        raise invalid_params(f"neuron: an account has {ACCOUNT_BYTES} bytes, not {len(account)}.")
    return AccountId(account)


def _pot(found: PastEpoch, pot: Pot) -> dict[str, Any]:
    before, after = pot.positions, found.stakes_after[pot.hotkey]
    largest = sorted(after, key=lambda coldkey: (-after[coldkey], coldkey))
    return {
        "hotkey": to_hex(pot.hotkey),
        "staked_rao": str(pot.staked_rao),
        "others_rao": str(pot.others_rao),
        "positions": [
            {
                "coldkey": to_hex(coldkey),
                "before_rao": str(before.get(coldkey, 0)),
                "after_rao": str(after[coldkey]),
            }
            for coldkey in largest[:_POSITIONS]
        ],
        "positions_left_out": max(0, len(largest) - _POSITIONS),
    }


def _plain(value: Any) -> Any:
    """A record as JSON: accounts as hex, amounts as decimal strings."""
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if not dataclasses.is_dataclass(value):
        return value
    hints = get_type_hints(type(value))
    return {
        field.name: _field(field.name, hints, getattr(value, field.name))
        for field in dataclasses.fields(value)
    }


def _field(name: str, hints: Mapping[str, Any], value: Any) -> Any:
    is_amount = hints[name] in (Alpha, Tao) or "_rao" in name
    return str(value) if is_amount else _plain(value)
