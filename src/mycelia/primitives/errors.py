"""The four families of errors.

1. `DispatchError`: expected; part of the result of a call. State rolls back; never logged as a fault.
2. `InvalidTransaction` / `InvalidBlock`: refused before or around execution, with what was expected and found.
3. `Bug`: an invariant is broken. The node stops and keeps its state. Raised only with a sentence that proves it can't
   happen; never caught in the core.
4. `AppError`: people-side; a stable code, a message, a remedy.
"""

from __future__ import annotations


class DispatchError(Exception):
    """A call failed as the rules foresee; the call's changes are undone, fee and nonce are not."""


class InvalidTransaction(Exception):
    """An extrinsic that may not enter a block.

    `code` and `message` are what JSON-RPC reports; `detail` is the text clients match on, see
    `mycelia.rpc`. `custom` is the number behind "Custom error: N" where the cause has one.
    """

    code = 1010
    message = "Invalid Transaction"

    def __init__(self, detail: str, *, custom: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.custom = custom


class MalformedTransaction(InvalidTransaction):
    """The bytes are no extrinsic of this runtime."""


class BadSignature(InvalidTransaction):
    """The signature is not the signer's for these bytes on this chain."""

    def __init__(self) -> None:
        super().__init__("Transaction has a bad signature")


class StaleNonce(InvalidTransaction):
    """The nonce is used up already."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__("Transaction is outdated")
        self.expected = expected
        self.found = found


class FutureNonce(InvalidTransaction):
    """The nonce leaves a gap after the account's next one."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__("Transaction will be valid in the future")
        self.expected = expected
        self.found = found


class CannotPay(InvalidTransaction):
    """The signer cannot pay the fee."""

    def __init__(self) -> None:
        super().__init__("Inability to pay some fees (e.g. account balance too low)")


class AncientBirth(InvalidTransaction):
    """The era of a mortal extrinsic is over, or its birth block is unknown."""

    def __init__(self) -> None:
        super().__init__("Transaction has an ancient birth block")


class ExhaustsResources(InvalidTransaction):
    """The block is full; the extrinsic fits a later one."""

    def __init__(self) -> None:
        super().__init__("Transaction would exhaust the block limits")


class InvalidBlock(Exception):
    """A block that the rules refuse: says what was expected and what was found."""


class Bug(Exception):
    """An invariant does not hold. The node stops; the state stays for inspection."""


class AppError(Exception):
    """An error a person can act on.

    Args:
        code: a stable word for programs, such as `port_in_use`.
        message: what happened.
        remedy: what to do about it.
    """

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.code = code
        self.message = message
        self.remedy = remedy
