"""Shares of a common pot, and the decimal number in which they are kept.

All stake of one hotkey on one subnet is one pot of alpha. Each coldkey holds shares of it, so a
dividend raises one number instead of one per nominator. Shares are `Decimal21`: 21 significant decimal
digits and an exponent, enough that one rao moves the share of any pot and little enough that a tenth of
a rao does not.

Terms: *pot* - the alpha all holders own together; *denominator* - the sum of all shares. Every
operation drops digits beyond the 21st, hence rounds toward zero: the pot, not the holder, gains. A
holder's value may so come out one rao below what went in.

Source: subtensor@14bc6f9 `primitives/share-pool/src/lib.rs` (`SafeFloat`, `SharePool`).
Differs: who buys gets what the denominator grew by, so that all shares together never exceed it. There
the holder keeps digits that the denominator drops; once nearly all shares are sold those digits weigh,
and the rest is worth more than the pot.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from mycelia.primitives.fixed import U64_MAX

MAX_MANTISSA: Final = 10**21
MIN_MANTISSA: Final = 10**20
"""Exclusive: a mantissa other than zero lies in (10^20, 10^21]."""

DIGITS: Final = 21


class Decimal21(NamedTuple):
    """mantissa * 10^exponent, normalised."""

    mantissa: int
    exponent: int


ZERO: Final = Decimal21(0, 0)


def normalised(mantissa: int, exponent: int) -> Decimal21:
    """The number with its mantissa in (10^20, 10^21]; digits beyond that are dropped, toward zero."""
    if mantissa == 0:
        return ZERO
    while mantissa > MAX_MANTISSA:
        mantissa //= 10
        exponent += 1
    while mantissa <= MIN_MANTISSA:
        mantissa *= 10
        exponent -= 1
    return Decimal21(mantissa, exponent)


def decimal_of(amount_rao: int) -> Decimal21:
    """A whole amount, exactly; up to 10^21."""
    return normalised(amount_rao, 0)


def _aligned(a: Decimal21, b: Decimal21) -> tuple[int, int, int]:
    """Both mantissas at the larger exponent; the smaller number loses what does not fit, toward zero."""
    exponent = max(a.exponent, b.exponent)
    return (
        a.mantissa // _power_of_ten(exponent - a.exponent),
        b.mantissa // _power_of_ten(exponent - b.exponent),
        exponent,
    )


def _power_of_ten(digits: int) -> int:
    # More digits than a mantissa has would shift it to zero all the same.
    return int(10 ** min(digits, DIGITS + 1))


def add(a: Decimal21, b: Decimal21) -> Decimal21:
    """Sum, rounded toward zero."""
    if not a.mantissa:
        return b
    if not b.mantissa:
        return a
    left, right, exponent = _aligned(a, b)
    return normalised(left + right, exponent)


def subtract(a: Decimal21, b: Decimal21) -> Decimal21:
    """Difference, at least zero, rounded toward zero."""
    if not a.mantissa or not b.mantissa:
        return a
    left, right, exponent = _aligned(a, b)
    return normalised(max(0, left - right), exponent)


def mul_div(a: Decimal21, b: Decimal21, divisor: Decimal21) -> Decimal21:
    """Product of a and b over the divisor, rounded toward zero; zero for a zero divisor."""
    if not divisor.mantissa:
        return ZERO
    return normalised(
        a.mantissa * b.mantissa // divisor.mantissa, a.exponent + b.exponent - divisor.exponent
    )


def whole(value: Decimal21) -> int:
    """The whole part, saturating to unsigned 64 bits."""
    if value.exponent >= 0:
        return min(value.mantissa * _power_of_ten(value.exponent), U64_MAX)
    return min(value.mantissa // _power_of_ten(-value.exponent), U64_MAX)


class Position(NamedTuple):
    """One holder's shares beside the whole pot."""

    pot_rao: int
    denominator: Decimal21
    share: Decimal21


def value_of(position: Position) -> int:
    """What the holder's shares are worth, in rao, rounded down."""
    return whole(mul_div(decimal_of(position.pot_rao), position.share, position.denominator))


def shares_for(amount_rao: int, pot_rao: int, denominator: Decimal21) -> Decimal21:
    """The shares that `amount_rao` buys or costs at the pot's present worth.

    The first holder gets one share per rao.
    """
    if not denominator.mantissa:
        return decimal_of(amount_rao)
    return mul_div(decimal_of(amount_rao), denominator, decimal_of(pot_rao))


def deposited(position: Position, amount_rao: int) -> Position:
    """The position after the holder adds to the pot.

    Source: `SharePool::update_value_for_one`, positive update.
    """
    bought = shares_for(amount_rao, position.pot_rao, position.denominator)
    if not position.denominator.mantissa:
        return Position(position.pot_rao + amount_rao, bought, bought)
    denominator = add(position.denominator, bought)
    return Position(
        position.pot_rao + amount_rao,
        denominator,
        add(position.share, _growth(position.denominator, denominator)),
    )


def _growth(before: Decimal21, after: Decimal21) -> Decimal21:
    """What a sum grew by, rounded toward zero."""
    power = _power_of_ten(after.exponent - before.exponent)
    return normalised(after.mantissa + (-before.mantissa // power), after.exponent)


def withdrawn(position: Position, amount_rao: int) -> Position:
    """The position after the holder takes `amount_rao`, which is at most `value_of(position)`, out of the pot.

    Source: `SharePool::update_value_for_one`, negative update.
    """
    sold = shares_for(amount_rao, position.pot_rao, position.denominator)
    return Position(
        position.pot_rao - amount_rao,
        subtract(position.denominator, sold),
        subtract(position.share, sold),
    )
