"""What calls are about: origin, weight, how they end, and the errors every pallet may meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from mycelia.codec import U8, U64, Bytes4, Compact, Enumeration, Record
from mycelia.primitives import AccountId, DispatchError


class Weight(Record, path="sp_weights::weight_v2::Weight"):
    """What a call may cost: picoseconds of the reference machine, and bytes of proof."""

    ref_time: Compact[U64]
    proof_size: Compact[U64] = U64(0)


class BadOrigin(DispatchError):
    """The origin may not make this call. Sign it with the right key, or go through Sudo."""


class TokenError(DispatchError):
    """A balance rule refused; `case` is the name in sp_runtime::TokenError."""

    def __init__(self, case: str) -> None:
        super().__init__(case)
        self.case = case


class Overflow(DispatchError):
    """A number would not fit its type. Give a smaller one."""


class Error(DispatchError):
    """One cause of failure of a pallet's calls. Subclass with `index=`; the docstring is the metadata's text."""

    index: ClassVar[int] = -1
    wire_name: ClassVar[str] = ""

    def __init_subclass__(cls, *, index: int, name: str = "") -> None:
        super().__init_subclass__()
        cls.index, cls.wire_name = index, name or cls.__name__


def ensure(condition: object, error: type[DispatchError]) -> None:
    """State what must hold; raise `error` where it does not."""
    if not condition:
        raise error


@dataclass(frozen=True)
class Origin:
    """Who makes a call: an account that signed, root, or nobody (an inherent)."""

    account: AccountId | None = None
    is_root: bool = False

    def signed(self) -> AccountId:
        """The signer; `BadOrigin` without one."""
        if self.account is None:
            raise BadOrigin
        return self.account

    def root(self) -> None:
        """`BadOrigin` unless this is root."""
        if not self.is_root:
            raise BadOrigin

    def none(self) -> None:
        """`BadOrigin` unless this is an inherent."""
        if self.account is not None or self.is_root:
            raise BadOrigin


ROOT: Final = Origin(is_root=True)
NONE: Final = Origin()


class TokenErrorCase(Enumeration, path="sp_runtime::TokenError"):
    """Balance rules that can refuse."""


for _index, _name in enumerate(
    [
        "FundsUnavailable",
        "OnlyProvider",
        "BelowMinimum",
        "CannotCreate",
        "UnknownAsset",
        "Frozen",
        "Unsupported",
        "CannotCreateHold",
        "NotExpendable",
        "Blocked",
    ]
):
    type(_name, (TokenErrorCase,), {"__doc__": None}, index=_index)


class ArithmeticCase(Enumeration, path="sp_arithmetic::ArithmeticError"):
    """Ways a number leaves its range."""


for _index, _name in enumerate(["Underflow", "Overflow", "DivisionByZero"]):
    type(_name, (ArithmeticCase,), {"__doc__": None}, index=_index)


class ModuleError(Record, path="sp_runtime::ModuleError"):
    """A pallet's own error: pallet index, error index in the first byte."""

    index: U8
    error: Bytes4


class Failure(Enumeration, path="sp_runtime::DispatchError"):
    """Why a dispatch failed, as events tell it."""


class Other(Failure, index=0):
    pass


class CannotLookup(Failure, index=1):
    pass


class BadOriginCase(Failure, index=2, name="BadOrigin"):
    pass


class Module(Failure, index=3, tuple_like=True):
    error: ModuleError


class ConsumerRemaining(Failure, index=4):
    pass


class NoProviders(Failure, index=5):
    pass


class TooManyConsumers(Failure, index=6):
    pass


class Token(Failure, index=7, tuple_like=True):
    error: TokenErrorCase


class Arithmetic(Failure, index=8, tuple_like=True):
    error: ArithmeticCase


class Outcome(Enumeration, path="Result", params=(("T", tuple[()]), ("E", Failure))):
    """Result<(), DispatchError>: how a nested call ended."""


class Succeeded(Outcome, index=0, name="Ok", tuple_like=True):
    value: tuple[()] = ()


class Failed(Outcome, index=1, name="Err", tuple_like=True):
    error: Failure


class DispatchClass(Enumeration, path="frame_support::dispatch::DispatchClass"):
    """Who pays for the block space."""


class Normal(DispatchClass, index=0):
    pass


class Operational(DispatchClass, index=1):
    pass


class Mandatory(DispatchClass, index=2):
    pass


class Pays(Enumeration, path="frame_support::dispatch::Pays"):
    """Whether the signer pays a fee."""


class PaysYes(Pays, index=0, name="Yes"):
    pass


class PaysNo(Pays, index=1, name="No"):
    pass


class DispatchInfo(Record, path="frame_system::DispatchEventInfo"):
    """What an extrinsic's result events say of its cost."""

    weight: Weight
    class_: DispatchClass
    pays_fee: Pays
