"""Why children can't be set. Names and indexes are the chain's.

Source: subtensor@14bc6f9 `macros/errors.rs`.
"""

from __future__ import annotations

from mycelia.frame import Error


class NotEnoughStakeToSetChildkeys(Error, index=11):
    """The parent's own stake is below `StakeThreshold`. Add stake."""


class InvalidChild(Error, index=60):
    """A hotkey cannot be its own child."""


class DuplicateChild(Error, index=61):
    """A child is named twice. Name each once."""


class ProportionOverflow(Error, index=62):
    """The proportions add up to more than everything. Lend at most 2^64 - 1 in all."""


class TooManyChildren(Error, index=63):
    """A hotkey has at most five children on a subnet."""


class InvalidChildkeyTake(Error, index=71):
    """The take is below the subnet's least or above `MaxChildkeyTake`."""


class TxChildkeyTakeRateLimitExceeded(Error, index=72):
    """The take was changed less than `TxChildkeyTakeRateLimit` blocks ago. Wait, or lower it."""


class ChildParentInconsistency(Error, index=123):
    """A hotkey that lends to this one cannot borrow from it. Choose other children."""
