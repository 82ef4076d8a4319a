"""Shares of a pot: digits, and who gains what rounding leaves over."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from mycelia.pallets.subtensor.staking import shares
from mycelia.pallets.subtensor.staking.shares import Decimal21, Position

amounts = st.integers(1, 2 * 10**16)
decimals = st.builds(
    Decimal21, st.integers(shares.MIN_MANTISSA + 1, shares.MAX_MANTISSA), st.integers(-40, 0)
)


def exact(value: Decimal21) -> Fraction:
    return Fraction(value.mantissa) * Fraction(10) ** value.exponent


def test_one_is_a_mantissa_of_21_digits() -> None:
    assert shares.decimal_of(1) == (10**21, -21)
    assert shares.decimal_of(0) == shares.ZERO
    assert shares.decimal_of(2) == (2 * 10**20, -20)


@given(decimals, decimals)
def test_sums_lose_less_than_one_unit_of_the_last_digit(a: Decimal21, b: Decimal21) -> None:
    total = shares.add(a, b)
    lost = exact(a) + exact(b) - exact(total)
    assert 0 <= lost < 11 * Fraction(10) ** (total.exponent)


@given(decimals, decimals, decimals)
def test_mul_div_rounds_toward_zero(a: Decimal21, b: Decimal21, c: Decimal21) -> None:
    got = shares.mul_div(a, b, c)
    true = exact(a) * exact(b) / exact(c)
    assert 0 <= true - exact(got) < Fraction(10) ** got.exponent * 10


def test_dividing_by_zero_gives_zero() -> None:
    one = shares.decimal_of(1)
    assert shares.mul_div(one, one, shares.ZERO) == shares.ZERO


def test_the_first_deposit_gets_one_share_per_rao() -> None:
    after = shares.deposited(Position(0, shares.ZERO, shares.ZERO), 7)
    assert after == (7, shares.decimal_of(7), shares.decimal_of(7))
    assert shares.value_of(after) == 7


def test_a_dividend_goes_to_holders_by_share() -> None:
    first = shares.deposited(Position(0, shares.ZERO, shares.ZERO), 10**9)
    second = shares.deposited(Position(first.pot_rao, first.denominator, shares.ZERO), 3 * 10**9)
    pot = second.pot_rao + 4 * 10**8
    assert shares.value_of(Position(pot, second.denominator, first.share)) == 11 * 10**8
    assert shares.value_of(Position(pot, second.denominator, second.share)) == 33 * 10**8


@given(amounts, amounts, st.integers(0, 10**16))
def test_deposit_then_withdraw_never_gains(pot: int, amount: int, dividend: int) -> None:
    founder = shares.deposited(Position(0, shares.ZERO, shares.ZERO), pot)
    joined = shares.deposited(
        Position(founder.pot_rao + dividend, founder.denominator, shares.ZERO), amount
    )
    assert shares.value_of(joined) <= amount
    assert amount - shares.value_of(joined) <= 1
    left = shares.withdrawn(joined, shares.value_of(joined))
    assert left.pot_rao >= pot + dividend


@given(amounts, amounts)
def test_values_of_all_holders_never_exceed_the_pot(one: int, other: int) -> None:
    first = shares.deposited(Position(0, shares.ZERO, shares.ZERO), one)
    second = shares.deposited(Position(first.pot_rao, first.denominator, shares.ZERO), other)
    values = shares.value_of(second) + shares.value_of(
        Position(second.pot_rao, second.denominator, first.share)
    )
    assert values <= second.pot_rao


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 10**16), st.booleans()), max_size=40))
def test_shares_never_exceed_the_denominator(moves: list[tuple[int, int, bool]]) -> None:
    """Neither after dividends nor after nearly all was sold, when dropped digits would weigh most."""
    pot, denominator = 0, shares.ZERO
    held = dict.fromkeys(range(3), shares.ZERO)
    for who, amount, is_bought in moves:
        position = Position(pot, denominator, held[who])
        if is_bought:
            after = shares.deposited(position, amount)
        else:
            after = shares.withdrawn(position, max(0, shares.value_of(position) - amount % 3))
        pot, denominator = after.pot_rao + amount % 7, after.denominator
        held[who] = after.share
        assert sum(map(exact, held.values())) <= exact(denominator)
        values = (shares.value_of(Position(pot, denominator, share)) for share in held.values())
        assert sum(values) <= pot
