"""When a commit may be revealed, and what it is a hash of.

Terms: *epoch* - the number of the subnet's epoch a commit was made in, an epoch that is due counted as begun.
Source: subtensor@14bc6f9 `subnets/weights.rs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mycelia.codec import U16, U64, scale
from mycelia.crypto import blake2_256
from mycelia.primitives import AccountId

MAX_UNREVEALED: Final = 10
MAX_CIPHERTEXT_BYTES: Final = 5_000

_COMMITTED: Final = scale(
    tuple[AccountId, U16, tuple[U16, ...], tuple[U16, ...], tuple[U16, ...], U64]
)


def commit_hash(
    hotkey: AccountId,
    index: int,
    uids: Sequence[int],
    values: Sequence[int],
    salt: Sequence[int],
    version: int,
) -> bytes:
    """The hash under which weights are committed; `index` is the storage index.

    Source: `get_commit_hash`
    """
    return blake2_256(_COMMITTED.encode((hotkey, index, uids, values, salt, version)))


def is_expired(epoch: int, committed: int, period: int) -> bool:
    """Whether the epoch in which the commit could be revealed is over.

    Source: `is_commit_expired`
    """
    return epoch > committed + period


def is_revealable(epoch: int, committed: int, period: int) -> bool:
    """Whether the commit can be revealed in this epoch: it is the one, `period` epochs after its own.

    Source: `is_reveal_block_range`
    """
    return epoch == committed + period
