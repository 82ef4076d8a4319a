"""What the tests of the unmodified SDK share: wallets over development keys, and calls that must succeed."""

from __future__ import annotations

from types import SimpleNamespace

import bittensor as bt
import bittensor_core

TAO = 10**9


def wallet(name: str, hotkey: str = "") -> bt.KeyedWallet:
    """A wallet over development keys: coldkey `//Alice`, hotkey `//Alice_hk` unless told otherwise."""
    keys = (f"//{name}", f"//{hotkey or name + '_hk'}")
    cold, hot = (bittensor_core.Keypair.create_from_uri(uri) for uri in keys)
    return SimpleNamespace(coldkey=cold, coldkeypub=cold, hotkey=hot)


async def free(client: bt.Client, who: bt.KeyedWallet) -> int:
    return (await client.balances.balance(who.coldkey.ss58_address)).rao


async def done(client: bt.Client, intent: bt.Intent, who: bt.KeyedWallet) -> bt.ExtrinsicResult:
    result = await client.execute(intent, who)
    assert result.success, result
    return result


async def refused(client: bt.Client, intent: bt.Intent, who: bt.KeyedWallet) -> str:
    """The name of the error the chain refuses the intent with."""
    result = await client.execute(intent, who)
    assert not result.success, result
    assert result.error is not None
    return result.error.name


async def raw(client: bt.Client, call, who: bt.KeyedWallet, **kw) -> bt.ExtrinsicResult:
    result = await client.submit_call(call, who, **kw)
    assert result.success, result
    return result


async def sudo(client: bt.Client, call) -> None:
    inner = await client.compose(call)
    await raw(client, bt.calls.Sudo.sudo(call=inner), wallet("Alice"))
