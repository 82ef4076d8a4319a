"""Identifiers that appear in storage, calls and events. New types only for the checker: no cost at run time."""

from typing import Final, NewType

AccountId = NewType("AccountId", bytes)
"""A public key: 32 bytes. SS58 text is for people only."""

NetUid = NewType("NetUid", int)
"""Number of a subnet; 0 is the root. Fits 16 bits."""

Uid = NewType("Uid", int)
"""Slot of a neuron inside one subnet. Fits 16 bits."""

BlockNumber = NewType("BlockNumber", int)
"""Height of a block, genesis is 0. Fits 32 bits in headers, 64 in some storage items."""

ACCOUNT_BYTES: Final = 32
ROOT_NETUID: Final = NetUid(0)
