"""Where a subnet's TAO is: on a keyless account of its own. All TAO that SubtensorModule moves passes here.

Not here: how much of it is the pool's; see `staking.pools`.
Source: subtensor@14bc6f9 `coinbase/tao.rs`.
"""

from __future__ import annotations

from mycelia.frame import ensure
from mycelia.pallets.subtensor.errors import InsufficientTaoBalance
from mycelia.pallets.subtensor.needs import Author, Currency
from mycelia.pallets.subtensor.subnets.issuance import Issuance
from mycelia.pallets.subtensor.subnets.kernel import BURN_ACCOUNT, subnet_account
from mycelia.primitives import AccountId, NetUid, Tao


class Custody:
    """Moves TAO between people and subnets. Has no state of its own."""

    def __init__(self, *, currency: Currency, issuance: Issuance, author: Author) -> None:
        self._currency, self._issuance, self._author = currency, issuance, author

    def affords(self, who: AccountId, amount: Tao) -> bool:
        """Whether the account holds the amount, the existential deposit included."""
        return amount <= self._currency.free_balance(who)

    def pay_in(self, netuid: NetUid, payer: AccountId, amount: Tao) -> Tao:
        """Take up to `amount` from the payer, who stays alive; what was taken.

        `InsufficientTaoBalance` when nothing can be taken, unless nothing is asked for.
        """
        if not amount:
            return amount
        taken = min(amount, self._currency.spendable(payer))
        ensure(taken > 0, InsufficientTaoBalance)
        self._currency.transfer(payer, subnet_account(netuid), taken)
        return taken

    def pay_out(self, netuid: NetUid, payee: AccountId, amount: Tao) -> None:
        """Give the payee TAO of the subnet.

        Too little to create an account stays where it is.
        """
        if self.reaches(payee, amount):
            self._currency.transfer(subnet_account(netuid), payee, amount, keep_alive=False)

    def pay_author(self, netuid: NetUid, amount: Tao) -> None:
        """Give a fee to whoever made the block, or burn it when nobody is named."""
        self.pay_out(netuid, self._author.author() or BURN_ACCOUNT, amount)

    def author(self) -> AccountId | None:
        """Who made the block, if that is known."""
        return self._author.author()

    def recycle(self, netuid: NetUid, amount: Tao) -> None:
        """Take TAO of the subnet out of existence."""
        if amount:
            self._currency.withdraw(subnet_account(netuid), amount, keep_alive=False)
            self._issuance.recycled(amount)

    def recycle_rest(self, netuid: NetUid) -> Tao:
        """Take all the subnet's TAO out of existence but what keeps the account alive; how much that was."""
        rest = self._currency.spendable(subnet_account(netuid))
        self.recycle(netuid, rest)
        return rest

    def held(self, netuid: NetUid) -> Tao:
        """What the subnet's account holds."""
        return self._currency.free_balance(subnet_account(netuid))

    def reaches(self, payee: AccountId, amount: Tao) -> bool:
        """Whether the payee has an account, or the amount creates one."""
        return amount > 0 and (
            amount >= self._currency.existential_deposit or self._currency.free_balance(payee) > 0
        )
