"""What SubtensorModule needs of other pallets."""

from __future__ import annotations

from typing import Protocol

from mycelia.primitives import AccountId, BlockNumber, NetUid, Tao


class Clock(Protocol):
    """Counts blocks."""

    def now(self) -> BlockNumber:
        """Height of the block being built."""


class Choices(Protocol):
    """Knows which rules this network chose."""

    def has_modular_epochs(self) -> bool: ...
    def is_fast(self) -> bool: ...


class Currency(Protocol):
    """Holds and moves TAO on accounts."""

    @property
    def existential_deposit(self) -> Tao: ...
    def free_balance(self, who: AccountId) -> Tao: ...
    def spendable(self, who: AccountId) -> Tao: ...
    def transfer(
        self, source: AccountId, dest: AccountId, value: Tao, *, keep_alive: bool = True
    ) -> None: ...
    def withdraw(self, who: AccountId, amount: Tao, *, keep_alive: bool = True) -> None: ...


class Author(Protocol):
    """Knows who made the block."""

    def author(self) -> AccountId | None: ...


class Trade(Protocol):
    """What a trade moved; amounts in rao of what they are paid in."""

    @property
    def paid_in(self) -> int: ...
    @property
    def paid_out(self) -> int: ...
    @property
    def fee(self) -> int: ...


class Exchange(Protocol):
    """Quotes trades against the subnets' pools. Refuses with its own errors; changes nothing."""

    def price_q64(self, netuid: NetUid) -> int: ...
    def quote_buy(
        self, netuid: NetUid, tao_rao: int, limit_price: int | None = None, *, free: bool = False
    ) -> Trade: ...
    def quote_sell(
        self, netuid: NetUid, alpha_rao: int, limit_price: int | None = None, *, free: bool = False
    ) -> Trade: ...
    def fee_of(self, netuid: NetUid, amount_rao: int) -> int: ...
    def remove_subnet(self, netuid: NetUid) -> None: ...
