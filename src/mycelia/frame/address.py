"""Addresses in calls and extrinsics: an enum on the wire, an account id in practice."""

from __future__ import annotations

from mycelia.codec import H160, Bytes, Bytes32, Enumeration
from mycelia.frame.dispatch import CannotLookup
from mycelia.primitives import AccountId, DispatchError


class LookupFailed(DispatchError):
    """An address that names no account here. Give the 32-byte account id."""

    case = CannotLookup()


class Address(
    Enumeration,
    path="sp_runtime::multiaddress::MultiAddress",
    params=(("AccountId", AccountId), ("AccountIndex", tuple[()])),
):
    """Who an extrinsic is from or a transfer goes to."""


class AccountAddress(Address, index=0, name="Id", tuple_like=True):
    id_: AccountId


class IndexAddress(Address, index=1, name="Index", tuple_like=True):
    index_: tuple[()]


class RawAddress(Address, index=2, name="Raw", tuple_like=True):
    raw: Bytes


class Address32(Address, index=3, tuple_like=True):
    raw: Bytes32


class Address20(Address, index=4, tuple_like=True):
    raw: H160


def account_of(address: Address) -> AccountId:
    """The account an address names; `LookupFailed` for forms this chain has no accounts for."""
    if not isinstance(address, AccountAddress):
        raise LookupFailed
    return address.id_
