"""Amounts. One TAO, like one alpha of a subnet, is 10^9 rao; every amount is a whole number of rao.

`Tao` and `Alpha` cannot be mixed for the type checker; inside kernels amounts are plain ints with `_rao` in the name.
"""

from typing import Final, NewType

Tao = NewType("Tao", int)
"""TAO, in rao. Unsigned 64 bits on the wire."""

Alpha = NewType("Alpha", int)
"""A subnet's own token, in rao of it. Unsigned 64 bits on the wire."""

RAO_PER_TAO: Final = 10**9
MAX_RAO: Final = 2**64 - 1
