"""Why the pool refuses an extrinsic that the runtime would take.

Codes and texts are what Polkadot-style clients match on.
"""

from __future__ import annotations

from mycelia.primitives import InvalidTransaction


class AlreadyImported(InvalidTransaction):
    """These very bytes are waiting already. Nothing to do: watch them by hash."""

    code = 1013
    message = "Transaction Already Imported"

    def __init__(self, hash_: bytes) -> None:
        super().__init__("0x" + hash_.hex())


class PriorityTooLow(InvalidTransaction):
    """One with this sender and nonce waits and pays as much. Raise the tip to replace it."""

    code = 1014

    def __init__(self, waiting: int, found: int) -> None:
        super().__init__(
            "The transaction has too low priority to replace another transaction "
            "already in the pool."
        )
        self.message = f"Priority is too low: ({waiting} vs {found})"


class PoolFull(InvalidTransaction):
    """The pool, or the sender's share of it, is full. Try again after a block, or raise the tip."""

    code = 1016
    message = "Immediately Dropped"

    def __init__(self) -> None:
        super().__init__("The transaction couldn't enter the pool because of the limit")
