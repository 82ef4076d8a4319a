"""Who has what when a network starts: from a file, or the development accounts everyone knows the keys of.

The file is JSON: {"sudo": ADDRESS, "balances_rao": {ADDRESS: "AMOUNT", ...}}; addresses are SS58, amounts decimal text.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bittensor_core import Keypair

from mycelia.crypto import ss58_decode
from mycelia.primitives import RAO_PER_TAO, AccountId, AppError, Tao
from mycelia.runtime import GenesisConfig

_RICH: Final = ("//Alice", "//Bob", "//Charlie")
_OTHERS: Final = ("//Dave", "//Eve", "//Ferdie", "//One", "//Two", "//Three")
_ETHEREUM: Final = (
    "5Fghzk1AJt88PeFEzuRfXzbPchiBbsVGTTXcdx599VdZzkTA",
    "5GeqNhKWj1KG78VHzbmo3ZjZgUTrCuWeamdgiA114XHGdaEr",
)
"""Accounts of Ethereum's development keys; nobody here can sign for them."""
_RICH_TAO: Final = 1_000_000
_OTHERS_TAO: Final = 2_000


def development_genesis() -> GenesisConfig:
    """The accounts of the official local network; Alice operates it."""
    balances = {_public(uri): Tao(_RICH_TAO * RAO_PER_TAO) for uri in _RICH}
    balances |= {_public(uri): Tao(_OTHERS_TAO * RAO_PER_TAO) for uri in _OTHERS}
    alice = _public(_RICH[0])
    return GenesisConfig(balances=balances, sudo=alice, authorities=(alice,))


def localnet_genesis() -> GenesisConfig:
    """The official local network: its accounts, subnet 1, and subnets in every block for who pays."""
    accounts = development_genesis()
    more = {ss58_decode(address): Tao(_OTHERS_TAO * RAO_PER_TAO) for address in _ETHEREUM}
    return replace(
        accounts,
        balances={**accounts.balances, **more},
        root_owner=(_public(_RICH[0]), _public(f"{_RICH[0]}_hk")),
        has_first_subnet=True,
        has_open_creation=True,
    )


def load_genesis(path: Path) -> GenesisConfig:
    """Read a genesis file; `AppError` says what is wrong with it."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))  # Any: a parse border
        sudo = ss58_decode(content["sudo"]) if content.get("sudo") else None
        balances = {
            ss58_decode(address): Tao(int(amount))
            for address, amount in content.get("balances_rao", {}).items()
        }
    except OSError as cause:
        raise AppError(
            "genesis_unreadable", f"{path} can't be read: {cause.strerror}.", "Check the path."
        ) from cause
    except (ValueError, TypeError, KeyError, AttributeError) as cause:
        raise AppError(
            "genesis_invalid",
            f"{path} is no genesis file: {cause}.",
            'Write {"sudo": ADDRESS, "balances_rao": {ADDRESS: "AMOUNT"}}.',
        ) from cause
    return GenesisConfig(
        balances=balances, sudo=sudo, authorities=(sudo,) if sudo is not None else ()
    )


def _public(uri: str) -> AccountId:
    return AccountId(bytes(Keypair.create_from_uri(uri).public_key))
