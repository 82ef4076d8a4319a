"""How much each account may have tried for nothing: free calls cost who sends them a signature, and us the call."""

from __future__ import annotations

from typing import Final

from mycelia.primitives import AccountId, InvalidTransaction

FREE_CALLS: Final = 256
"""Of one account, between two blocks: weights for every subnet, and again."""
_ACCOUNTS: Final = 65_536


class TooManyFreeCalls(InvalidTransaction):
    """An account's free calls are used up. Put fewer together, or try again after the next block."""

    code = 1016
    message = "Immediately Dropped"

    def __init__(self) -> None:
        super().__init__(
            f"More than {FREE_CALLS} free calls since the newest block; try again after the next."
        )


class FreeCalls:
    """Counts the free calls of accounts, whatever becomes of them, from one block to the next."""

    def __init__(self) -> None:
        self._used: dict[AccountId, int] = {}

    def use(self, who: AccountId, calls: int) -> None:
        """Count calls that are about to be tried; `TooManyFreeCalls` if they must not be."""
        used = self._used.get(who, 0) + calls
        if used > FREE_CALLS:
            raise TooManyFreeCalls
        if len(self._used) >= _ACCOUNTS:
            self._used.clear()
        self._used[who] = used

    def forget(self) -> None:
        """Count anew: there is a new block."""
        self._used.clear()
