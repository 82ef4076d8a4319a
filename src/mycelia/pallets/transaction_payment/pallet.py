"""Fees: by weight and length, taken before the call and not given back when it fails.

Who unstakes and has no TAO pays with stake; every other call is refused then. Fees leave circulation. Units: rao
throughout; weights in picoseconds of the reference machine.
Source: subtensor 425, pallets/transaction-fee (500,000 ppb of the weight, 1 rao a byte).
"""

from __future__ import annotations

from typing import Protocol

from mycelia.codec import U8, U128, Enumeration, Record
from mycelia.frame import Call, Constant, Event, Pallet, State, Value, Weight
from mycelia.frame.dispatch import DispatchClass
from mycelia.primitives import AccountId, Tao

WEIGHT_FEE_PPB = 500_000
BYTE_FEE_RAO = 1
BASE_WEIGHT = 108_157_000
"""Picoseconds that every extrinsic costs before its call runs."""


def _weight_fee(picoseconds: int) -> Tao:
    """Fee for time on the reference machine, in rao, rounded down."""
    return Tao(picoseconds * WEIGHT_FEE_PPB // 10**9)


_BASE_FEE_RAO = _weight_fee(BASE_WEIGHT)


class Currency(Protocol):
    """Where fees come from."""

    def spendable(self, who: AccountId) -> Tao: ...
    def withdraw(self, who: AccountId, amount: Tao, *, keep_alive: bool = True) -> None: ...


class Sink(Protocol):
    """Is told of money that leaves circulation."""

    def recycled(self, amount: Tao) -> None: ...


class Stake(Protocol):
    """Pays for calls that unstake it, where TAO doesn't suffice."""

    def covers(self, who: AccountId, call: Call, fee: Tao) -> bool: ...
    def pay(self, who: AccountId, call: Call, fee: Tao) -> None: ...


class TransactionFeePaid(Event, index=0):
    """A fee was paid."""

    who: AccountId
    actual_fee: Tao
    tip: Tao


class FeeReleases(Enumeration, path="pallet_transaction_payment::Releases"):
    """Layouts this pallet has had."""


class V1Ancient(FeeReleases, index=0):
    pass


class V2(FeeReleases, index=1):
    pass


class RuntimeDispatchInfo(Record, path="pallet_transaction_payment::types::RuntimeDispatchInfo"):
    """What an extrinsic would cost: weight, class, fee in rao."""

    weight: Weight
    class_: DispatchClass
    partial_fee: Tao


class InclusionFee(Record, path="pallet_transaction_payment::types::InclusionFee"):
    """Parts of a fee, in rao."""

    base_fee: Tao
    len_fee: Tao
    adjusted_weight_fee: Tao


class FeeDetails(Record, path="pallet_transaction_payment::types::FeeDetails"):
    """A fee by its parts; None for extrinsics that pay none."""

    inclusion_fee: InclusionFee | None
    tip: Tao = Tao(0)


class TransactionPayment(Pallet, name="TransactionPayment"):
    """Fees."""

    events = (TransactionFeePaid,)

    operational_fee_multiplier = Constant(U8, U8(5), doc="Weight of a tip in operational priority.")

    next_fee_multiplier = Value(
        U128, default=U128(10**18), doc="Factor on weight fees, 10^18 is one."
    )
    storage_version = Value(FeeReleases, default=V2(), doc="Layout of this pallet.")

    currency: Currency
    sink: Sink
    stake: Stake

    def __init__(self, state: State, *, currency: Currency, sink: Sink, stake: Stake) -> None:
        super().__init__(state, currency=currency, sink=sink, stake=stake)

    def fee(self, weight: Weight, length_bytes: int) -> InclusionFee:
        """The fee of an extrinsic by its parts, each rounded down."""
        by_length = Tao(length_bytes * BYTE_FEE_RAO)
        return InclusionFee(_weight_fee(BASE_WEIGHT), by_length, _weight_fee(weight.ref_time))

    def total_fee(self, weight: Weight, length_bytes: int) -> Tao:
        """The whole fee of an extrinsic without tip, in rao."""
        # Added here, not from the parts: every extrinsic comes by twice.
        by_weight = _BASE_FEE_RAO + _weight_fee(weight.ref_time)
        return Tao(by_weight + length_bytes * BYTE_FEE_RAO)

    def can_pay(self, who: AccountId, call: Call, amount: Tao) -> bool:
        """Whether an account can pay for a call and stay alive; nothing can be paid by anybody."""
        return self._has(who, amount) or self.stake.covers(who, call, amount)

    def charge(self, who: AccountId, call: Call, amount: Tao) -> None:
        """Take a fee that can be paid out of circulation. The account stays alive: a fee is no way to end it."""
        if not self._has(who, amount):
            self.stake.pay(who, call, amount)
        elif amount:
            self.currency.withdraw(who, amount)
            self.sink.recycled(amount)

    def _has(self, who: AccountId, amount: Tao) -> bool:
        return amount == 0 or self.currency.spendable(who) >= amount

    def tell(self, who: AccountId, fee: Tao, tip: Tao) -> None:
        """Tell what was paid, after the call's own events."""
        self.deposit(TransactionFeePaid(who, Tao(fee + tip), tip))
