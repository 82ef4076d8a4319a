"""Runtime APIs that belong to no pallet: version, metadata, nonces, fees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from mycelia.codec import U32, U64
from mycelia.frame import ViewSpec, view
from mycelia.frame import dispatch as d
from mycelia.pallets.system.types import RuntimeVersion
from mycelia.pallets.transaction_payment.pallet import (
    FeeDetails,
    RuntimeDispatchInfo,
    TransactionPayment,
)
from mycelia.primitives import AccountId, Tao
from mycelia.runtime.absent import AbsentView
from mycelia.runtime.cost import dispatch_info
from mycelia.runtime.extrinsic import Extrinsic, OpaqueExtrinsic
from mycelia.runtime.rules import Rules


class ApiNotFound(Exception):
    """This runtime has no such API method."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Exported method {name} is not found")
        self.name = name


class Facts(Protocol):
    """What the APIs need to know of a runtime."""

    @property
    def version(self) -> RuntimeVersion: ...
    @property
    def rules(self) -> Rules: ...
    def metadata(self, version: int) -> bytes: ...
    def next_nonce(self, who: AccountId) -> int: ...
    def decode(self, raw: bytes) -> Extrinsic: ...


class CoreApis:
    """APIs every runtime has."""

    def __init__(self, runtime: Facts, payment: TransactionPayment) -> None:
        self._runtime, self._payment = runtime, payment

    @classmethod
    def specs(cls) -> tuple[ViewSpec, ...]:
        """The APIs declared here."""
        return tuple(m._view for m in vars(cls).values() if hasattr(m, "_view"))

    @view(api="Core")
    def version(self) -> RuntimeVersion:
        """Which rules these are."""
        return self._runtime.version

    @view(api="Metadata")
    def metadata(self) -> bytes:
        """Metadata 14."""
        return self._runtime.metadata(14)

    @view(api="Metadata")
    def metadata_at_version(self, version: U32) -> bytes | None:
        """Metadata of a version, or None."""
        return self._runtime.metadata(version) if version in (14, 15) else None

    @view(api="Metadata")
    def metadata_versions(self) -> tuple[U32, ...]:
        """The versions published."""
        return (U32(14), U32(15))

    @view(api="AccountNonceApi")
    def account_nonce(self, account: AccountId) -> U32:
        """The next nonce of an account, the pool not counted."""
        return U32(self._runtime.next_nonce(account))

    @view(api="TransactionPaymentApi")
    def query_info(self, uxt: OpaqueExtrinsic, len: U32) -> RuntimeDispatchInfo:  # noqa: A002  # name on the wire
        """What an extrinsic would cost; its signature need not be valid."""
        xt = self._runtime.decode(uxt)  # type: ignore[arg-type]  # the codec gives its bytes
        info = dispatch_info(xt.call)
        is_paid = isinstance(info.pays_fee, d.PaysYes)
        fee = self._payment.total_fee(info.weight, len) if is_paid else Tao(0)
        return RuntimeDispatchInfo(info.weight, info.class_, fee)

    @view(api="TransactionPaymentApi")
    def query_weight_to_fee(self, weight: d.Weight) -> Tao:
        """The part of a fee that follows from a weight."""
        return self._payment.fee(weight, 0).adjusted_weight_fee

    @view(api="TransactionPaymentApi")
    def query_length_to_fee(self, length: U32) -> Tao:
        """The part of a fee that follows from a length in bytes."""
        return self._payment.fee(d.Weight(U64(0)), length).len_fee

    @view(api="AuraApi")
    def slot_duration(self) -> U64:
        """Milliseconds between blocks."""
        return U64(self._runtime.rules.slot_ms)

    @view(api="TransactionPaymentApi")
    def query_fee_details(self, uxt: OpaqueExtrinsic, len: U32) -> FeeDetails:  # noqa: A002  # name on the wire
        """The parts of what an extrinsic would cost."""
        xt = self._runtime.decode(uxt)  # type: ignore[arg-type]  # the codec gives its bytes
        info = dispatch_info(xt.call)
        is_paid = isinstance(info.pays_fee, d.PaysYes)
        return FeeDetails(self._payment.fee(info.weight, len) if is_paid else None)


def bound_views(owners: Iterable[Any]) -> Mapping[str, tuple[ViewSpec, Callable[..., Any]]]:
    """`Api_method` -> (spec, bound function) of all views declared in these objects' classes."""
    return {
        f"{member._view.api}_{member._view.name}": (member._view, getattr(owner, name))
        for owner in owners
        for name, member in vars(type(owner)).items()
        if hasattr(member, "_view")
    }


def absent_views(
    rows: Iterable[AbsentView],
) -> Mapping[str, tuple[ViewSpec, Callable[..., Any]]]:
    """The same for methods without rules: each gives its one answer."""
    return {f"{row.api}_{row.name}": (row, _answering(row.answer)) for row in rows}


def _answering(answer: Any) -> Callable[..., Any]:
    def give(*_: Any) -> Any:
        return answer

    return give
