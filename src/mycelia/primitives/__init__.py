"""What both sides of the network share: ids, money, errors. Knows nothing else of the project."""

from mycelia.primitives.errors import (
    AppError,
    Bug,
    DispatchError,
    InvalidBlock,
    InvalidTransaction,
)
from mycelia.primitives.ids import AccountId, BlockNumber, NetUid, Uid
from mycelia.primitives.money import RAO_PER_TAO, Alpha, Tao

__all__ = [
    "RAO_PER_TAO",
    "AccountId",
    "Alpha",
    "AppError",
    "BlockNumber",
    "Bug",
    "DispatchError",
    "InvalidBlock",
    "InvalidTransaction",
    "NetUid",
    "Tao",
    "Uid",
]
