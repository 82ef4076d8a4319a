"""TAO on accounts: transfers, the existential deposit, and the ways in which other rules move money.

Terms: *existential deposit* - an account with less is removed, what is left of it is burned.
Not here: minting. New TAO comes from the block emission alone.
"""

from __future__ import annotations

from typing import Protocol

from mycelia.codec import U64, Compact
from mycelia.frame import (
    Constant,
    Error,
    Event,
    Origin,
    Overflow,
    Pallet,
    State,
    TokenError,
    Value,
    Weight,
    call,
    ensure,
    invariant,
)
from mycelia.frame.address import Address, account_of
from mycelia.primitives import AccountId, Tao

EXISTENTIAL_DEPOSIT_RAO = 500


class Accounts(Protocol):
    """Where balances are kept; an account comes and goes with its balance."""

    def free_of(self, who: AccountId) -> Tao: ...
    def set_free(self, who: AccountId, free: Tao) -> None: ...
    def all_balances(self) -> list[Tao]: ...


class Sink(Protocol):
    """Is told of money that leaves circulation."""

    def recycled(self, amount: Tao) -> None: ...


class Endowed(Event, index=0):
    """An account was created with a balance."""

    account: AccountId
    free_balance: Tao


class DustLost(Event, index=1):
    """An account fell below the existential deposit and was removed."""

    account: AccountId
    amount: Tao


class Transfer(Event, index=2):
    """A transfer succeeded."""

    from_: AccountId
    to: AccountId
    amount: Tao


class BalanceSet(Event, index=3):
    """A balance was set by root."""

    who: AccountId
    free: Tao


class Deposit(Event, index=7):
    """An account received money."""

    who: AccountId
    amount: Tao


class Withdraw(Event, index=8):
    """An account paid money."""

    who: AccountId
    amount: Tao


class InsufficientBalance(Error, index=2):
    """The balance is too low for this amount. Send less, or fund the account."""


class BelowExistentialDeposit(Error, index=3, name="ExistentialDeposit"):
    """The amount is too low to create the receiving account. Send at least the existential deposit."""


class Expendability(Error, index=4):
    """The payment would remove the account. Leave the existential deposit, or allow death."""


_TRANSFER = Weight(U64(200_000_000), U64(3_593))


class Balances(Pallet, name="Balances"):
    """TAO on accounts."""

    events = (Endowed, DustLost, Transfer, BalanceSet, Deposit, Withdraw)
    errors = (InsufficientBalance, BelowExistentialDeposit, Expendability)

    existential_deposit = Constant(
        Tao, Tao(EXISTENTIAL_DEPOSIT_RAO), doc="Least balance of an account, in rao."
    )

    total_issuance = Value(Tao, default=Tao(0), doc="Sum of all balances, in rao.")

    accounts: Accounts
    dust: Sink

    def __init__(self, state: State, *, accounts: Accounts, dust: Sink) -> None:
        super().__init__(state, accounts=accounts, dust=dust)

    def genesis(self, balances: dict[AccountId, Tao]) -> None:
        """Endow the first accounts."""
        for who, amount in sorted(balances.items()):
            self.accounts.set_free(who, amount)
        self.total_issuance = Tao(sum(balances.values()))

    @call(index=0, weight=_TRANSFER, emits=(Transfer, Endowed, DustLost))
    def transfer_allow_death(self, origin: Origin, dest: Address, value: Compact[Tao]) -> None:
        """Send money; the sender may be removed by it. Signed."""
        self.transfer(origin.signed(), account_of(dest), value, keep_alive=False)

    @call(index=3, weight=_TRANSFER, emits=(Transfer, Endowed))
    def transfer_keep_alive(self, origin: Origin, dest: Address, value: Compact[Tao]) -> None:
        """Send money; the sender keeps at least the existential deposit. Signed."""
        self.transfer(origin.signed(), account_of(dest), value, keep_alive=True)

    @call(index=4, weight=_TRANSFER, emits=(Transfer, Endowed))
    def transfer_all(self, origin: Origin, dest: Address, keep_alive: bool) -> None:  # on the wire
        """Send all that can be sent. Signed."""
        who = origin.signed()
        kept = EXISTENTIAL_DEPOSIT_RAO if keep_alive else 0
        value = Tao(max(0, self.free_balance(who) - kept))
        self.transfer(who, account_of(dest), value, keep_alive=keep_alive)

    @call(index=8, weight=_TRANSFER, emits=(BalanceSet,))
    def force_set_balance(self, origin: Origin, who: Address, new_free: Compact[Tao]) -> None:
        """Set a balance, minting or burning the difference. Root: for test networks."""
        origin.root()
        account = account_of(who)
        free = Tao(0) if new_free < EXISTENTIAL_DEPOSIT_RAO else new_free
        total = self.total_issuance + free - self.free_balance(account)
        ensure(total < 1 << 64, Overflow)
        self.total_issuance = Tao(total)
        self.accounts.set_free(account, free)
        self.deposit(BalanceSet(account, free))

    def free_balance(self, who: AccountId) -> Tao:
        """What an account holds, in rao."""
        return self.accounts.free_of(who)

    def spendable(self, who: AccountId) -> Tao:
        """What an account can pay and stay alive, in rao."""
        return Tao(max(0, self.free_balance(who) - EXISTENTIAL_DEPOSIT_RAO))

    def transfer(
        self, source: AccountId, dest: AccountId, value: Tao, *, keep_alive: bool = True
    ) -> None:
        """Move money between accounts; tells it. `TokenError` where a balance rule refuses."""
        # CHECK
        free = self.free_balance(source)
        if free < value:
            raise TokenError("FundsUnavailable")
        left = Tao(free - value)
        if source != dest:
            if left < EXISTENTIAL_DEPOSIT_RAO and keep_alive:
                raise TokenError("NotExpendable")
            if value < EXISTENTIAL_DEPOSIT_RAO and not self.free_balance(dest):
                raise TokenError("BelowMinimum")
            # CHANGE
            self._leave(source, left)
            self._give(dest, value)
        # TELL
        self.deposit(Transfer(source, dest, value))

    def withdraw(self, who: AccountId, amount: Tao, *, keep_alive: bool = True) -> None:
        """Take money from an account into a pool or out of circulation.

        `InsufficientBalance` when the account can't pay; the caller books where the money went.
        """
        kept = EXISTENTIAL_DEPOSIT_RAO if keep_alive else 0
        free = self.free_balance(who)
        ensure(free >= amount + kept, InsufficientBalance)
        self.total_issuance = Tao(self.total_issuance - amount)
        self._leave(who, Tao(free - amount))
        self.deposit(Withdraw(who, amount))

    def credit(self, who: AccountId, amount: Tao) -> None:
        """Give an account money that the caller took from a pool.

        Less than the existential deposit to an account that doesn't exist is refused with `BelowMinimum`.
        """
        if amount == 0:
            return
        if amount < EXISTENTIAL_DEPOSIT_RAO and not self.free_balance(who):
            raise TokenError("BelowMinimum")
        self.total_issuance = Tao(self.total_issuance + amount)
        self._give(who, amount)
        self.deposit(Deposit(who, amount))

    def _leave(self, who: AccountId, left: Tao) -> None:
        """Leave an account with a balance, or without any where that would be dust."""
        if 0 < left < EXISTENTIAL_DEPOSIT_RAO:
            self.total_issuance = Tao(self.total_issuance - left)
            self.deposit(DustLost(who, left))
            self.dust.recycled(left)
            left = Tao(0)
        self.accounts.set_free(who, left)

    def _give(self, who: AccountId, amount: Tao) -> None:
        before = self.free_balance(who)
        self.accounts.set_free(who, Tao(before + amount))
        if not before:
            self.deposit(Endowed(who, amount))

    @invariant
    def issuance_is_the_sum_of_balances(self) -> None:
        """All balances together are the issuance."""
        assert self.total_issuance == sum(self.accounts.all_balances())
