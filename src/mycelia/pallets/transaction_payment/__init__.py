"""Fees."""

from mycelia.pallets.transaction_payment.pallet import TransactionPayment

__all__ = ["TransactionPayment"]
