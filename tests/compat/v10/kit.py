"""What the steps by the unmodified 10.x SDK share: development keys, and calls that must succeed.

Importing it connects to the node whose address is the program's first argument.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

os.environ["HOME"] = tempfile.mkdtemp(prefix="v10-home-")
sys.argv, URL = sys.argv[:1], sys.argv[1]

import bittensor as bt  # noqa: E402 - it reads HOME and the arguments when imported
from bittensor_wallet import Keypair  # noqa: E402

TAO = 10**9
PATIENCE_S = 60
TEMPO = 200
"""Blocks between two epochs: longer than what a step does in one of them."""
STEPS: list[Callable[[], None]] = []
chain = bt.Subtensor(network=URL)
made: dict[str, Any] = {}


def step(function: Callable[[], None]) -> Callable[[], None]:
    """Run it in its turn."""
    STEPS.append(function)
    return function


def wallet(name: str, hotkey: str = "") -> Any:
    """A wallet over development keys, without files."""
    cold = Keypair.create_from_uri(f"//{name}")
    hot = Keypair.create_from_uri(f"//{hotkey or name + '_hk'}")
    return SimpleNamespace(
        name=name,
        hotkey_str="default",
        coldkey=cold,
        coldkeypub=cold,
        hotkey=hot,
        hotkeypub=hot,
        unlock_coldkey=lambda: cold,
        unlock_hotkey=lambda: hot,
    )


ALICE, BOB, CHARLIE, DAVE = (wallet(name) for name in ("Alice", "Bob", "Charlie", "Dave"))


def cold(who: Any) -> str:
    """A wallet's coldkey address."""
    return str(who.coldkey.ss58_address)


def hot(who: Any) -> str:
    """A wallet's hotkey address."""
    return str(who.hotkey.ss58_address)


def free(who: Any) -> int:
    """Free balance in rao."""
    return int(chain.get_balance(cold(who)).rao)


def done(response: Any) -> Any:
    """The response of an extrinsic that must have succeeded."""
    assert response.success, (response.message, response.error)
    return response


def sudo(module: str, function: str, **params: Any) -> None:
    """Make a call as root, by Alice, and see that it did what it says."""
    inner = chain.compose_call(module, function, params)
    call = chain.compose_call("Sudo", "sudo", {"call": inner})
    done(chain.sign_and_send_extrinsic(call, ALICE, wait_for_inclusion=True))


def raw(who: Any, module: str, function: str, sign_with: str = "coldkey", **params: Any) -> Any:
    """Make a call by its name."""
    call = chain.compose_call(module, function, params)
    return chain.sign_and_send_extrinsic(
        call, who, sign_with=sign_with, wait_for_inclusion=True, wait_for_finalization=True
    )


def until(what: str, holds: Callable[[], Any]) -> None:
    """Wait for the chain to do something, for a bounded time."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"in {PATIENCE_S} s {what} did not come"
        time.sleep(0.1)


def to_next_epoch() -> None:
    """Have the blocks sealed up to the one in which the subnet's next epoch runs."""
    chain.substrate.rpc_request("mycelia_sealEpoch", [made["netuid"]])
