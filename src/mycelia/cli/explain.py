"""`mycelia explain`: what the node's `mycelia_explain` says of one neuron's epoch, in words."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any, Final

from mycelia.crypto import ss58_encode
from mycelia.primitives import AccountId
from mycelia.primitives.errors import AppError

_ANSWER_S: Final = 30.0
_ONE: Final = 1 << 32
_RAO: Final = 10**9


def asked(endpoint: str, netuid: int, neuron: str, block: int | None) -> dict[str, Any]:
    """The node's answer; `AppError` with its own words where it refuses."""
    who = int(neuron) if neuron.isdecimal() else neuron
    params = {"netuid": netuid, "neuron": who, "block": block}
    message = {"jsonrpc": "2.0", "id": 1, "method": "mycelia_explain", "params": params}
    url = endpoint.replace("ws://", "http://", 1).replace("wss://", "https://", 1)
    try:
        request = urllib.request.Request(  # noqa: S310  # the user's own node
            url, json.dumps(message).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=_ANSWER_S) as answer:  # noqa: S310  # as above
            reply = json.load(answer)
    except (OSError, ValueError) as cause:
        raise AppError(
            "node_away",
            f"{endpoint} does not answer: {getattr(cause, 'reason', cause)}.",
            "Check --endpoint, and that the network is up.",
        ) from cause
    if error := reply.get("error"):
        raise AppError("not_explained", error["message"], str(error.get("data", "")))
    result: dict[str, Any] = reply["result"]
    return result


def lines(said: dict[str, Any]) -> Iterator[str]:
    """One neuron's epoch, a step per line."""
    mechanisms = said["mechanisms"]
    yield f"subnet {said['netuid']}, uid {mechanisms[0]['uid']}, {_address(said['pay']['hotkey'])}"
    yield f"epoch in block {said['block']}, rules {said['rules']}"
    for number, why in enumerate(mechanisms):
        if len(mechanisms) > 1:
            yield f"  mechanism {number}, over {_alpha(why['emission_rao'])}"
        yield from _consensus(why)
    yield from _pay(said["pay"])


def _consensus(why: dict[str, Any]) -> Iterator[str]:
    yield f"  stake         {_share(why['stake'])} of the subnet; counts as {_share(why['active_stake'])}"
    permits = f"{_yes(why['had_permit'])} before, {_yes(why['has_permit'])} after"
    yield f"  permit        {permits}; active: {_yes(why['is_active'])}"
    for vote in why["votes"]:
        if vote["weight"]:
            yield (
                f"  vote          uid {vote['validator']}: {vote['set_u16']} of {vote['row_total']}"
                f" = {_share(vote['weight'])}, clipped to {_share(vote['clipped'])}"
            )
    rank = f"rank {_share(why['rank'])} of {_share(why['ranks_total'])}"
    yield f"  consensus     {_share(why['consensus'])}; {rank}"
    yield f"  incentive     {_share(why['incentive'])}"
    for bond in why["bonds"]:
        yield (
            f"  bond          uid {bond['miner']}: {_share(bond['held'])} ->"
            f" {_share(bond['averaged'])}, pays {_share(bond['pay'])}"
        )
    yield f"  trust         {_share(why['validator_trust'])}"
    yield f"  dividend      {_share(why['dividend'])}"


def _pay(pay: dict[str, Any]) -> Iterator[str]:
    steps = pay["validator"]
    mined, dividends = _alpha(pay["incentive_rao"]), _alpha(pay["dividend_rao"])
    yield f"  granted       {mined} for mining, {dividends} in dividends"
    if int(pay["incentive_rao"]) and not pay["miner"]:
        yield "  burned        what the subnet's owner mines"
    for part in steps["lent"]:
        yield f"  earned with   {_address(part['hotkey'])}: {_alpha(part['amount_rao'])}"
    for name in ("alpha", "root"):
        if paid := steps[name]:
            take, rest = _alpha(paid["take"]), _alpha(paid["rest"])
            yield f"  paid to {name:<5} take {take}, all who staked {rest}"
    if pay["owner"]:
        yield f"  owner's cut   {_alpha(pay['owner']['amount'])}"
    for pot in pay["pots"]:
        yield f"  staked behind {_address(pot['hotkey'])}: {_alpha(pot['staked_rao'])}"
        for position in pot["positions"]:
            gain = int(position["after_rao"]) - int(position["before_rao"])
            yield f"    {_address(position['coldkey'])} + {_alpha(gain)}"


def _share(value: int) -> str:
    return f"{value / _ONE:.6f}"


def _alpha(rao: str | int) -> str:
    whole, part = divmod(int(rao), _RAO)
    return f"{whole}.{part:09d}"


def _address(account: str) -> str:
    return ss58_encode(AccountId(bytes.fromhex(account[2:])))


def _yes(value: bool) -> str:
    return "yes" if value else "no"
