"""Wallets for a network of one's own: kept in its folder, unencrypted, readable by the owner only.

With a seed every key follows from it and the wallet's name, so two runs have the same addresses.
Keys made this way are for test networks: whoever knows the seed has them all.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

import bittensor

from mycelia.primitives.errors import AppError


class WalletError(AppError):
    """A key file is missing, or does not hold a key."""


def open_wallet(folder: Path, name: str, hotkey: str = "default") -> bittensor.Wallet:
    """The wallet `name` in a folder of wallets. Raises WalletError if it has no usable hotkey."""
    wallet = bittensor.Wallet(name, hotkey, path=str(folder.expanduser()))
    try:
        # Unlocks now: a missing or damaged key must stop the process before it serves.
        _ = wallet.hotkey
    except (OSError, ValueError, bittensor.keyfiles.KeyfileError) as error:
        raise _unusable(folder, name, error) from error
    return wallet


def make_wallet(folder: Path, name: str, seed: str | None = None) -> bittensor.Wallet:
    """The wallet `name`, made if it is not there: a coldkey and a hotkey, unencrypted."""
    wallet = bittensor.Wallet(name, path=str(folder))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not wallet.coldkey_file.exists_on_device():
        cold = key_seed(seed, name, "coldkey")
        wallet.regenerate_coldkey(seed=cold, use_password=False, suppress=True)
    if not wallet.hotkey_file.exists_on_device():
        wallet.regenerate_hotkey(
            seed=key_seed(seed, name, "hotkey"), use_password=False, suppress=True
        )
    return open_wallet(folder, name)


def key_seed(seed: str | None, name: str, role: str) -> bytes:
    """32 bytes of key material: random, or from the seed of the network."""
    if seed is None:
        return secrets.token_bytes(32)
    return hashlib.blake2b(f"mycelia/{seed}/{name}/{role}".encode(), digest_size=32).digest()


def _unusable(folder: Path, name: str, error: Exception) -> WalletError:
    return WalletError(
        "wallet_unusable",
        f"The hotkey of wallet {name!r} in {folder} cannot be read: {error}.",
        "Check --wallet, --hotkey and --wallets; `btcli wallet create` makes a new one.",
    )
