"""`payment_*`: what an extrinsic would cost, for clients that don't ask the runtime API themselves."""

from __future__ import annotations

from typing import Any, TypeVar

from mycelia.codec import DecodeError, scale
from mycelia.pallets.transaction_payment.pallet import FeeDetails, RuntimeDispatchInfo
from mycelia.rpc.errors import invalid_params
from mycelia.rpc.node import Node
from mycelia.rpc.registry import Hash, Hex, method

R = TypeVar("R")


def _asked(node: Node, name: str, kind: type[R], extrinsic: bytes, block: Hash | None) -> R:
    """The answer of a runtime API that takes an extrinsic and its length."""
    data = extrinsic + len(extrinsic).to_bytes(4, "little")
    try:
        answer = node.call_api(f"TransactionPaymentApi_{name}", data, block)
    except DecodeError as cause:
        raise invalid_params(f"extrinsic: {cause}") from cause
    found: R = scale(kind).decode(answer)
    return found


@method("payment_queryInfo")
def query_info(node: Node, extrinsic: Hex, block: Hash | None = None) -> dict[str, Any]:
    """Weight, class and fee of an extrinsic; its signature need not be valid."""
    info = _asked(node, "query_info", RuntimeDispatchInfo, extrinsic, block)
    return {
        "weight": {"ref_time": info.weight.ref_time, "proof_size": info.weight.proof_size},
        "class": type(info.class_).__name__.lower(),
        "partialFee": str(info.partial_fee),
    }


@method("payment_queryFeeDetails")
def query_fee_details(node: Node, extrinsic: Hex, block: Hash | None = None) -> dict[str, Any]:
    """The parts of an extrinsic's fee; null for one that pays none."""
    fee = _asked(node, "query_fee_details", FeeDetails, extrinsic, block).inclusion_fee
    parts = None
    if fee is not None:
        parts = {
            "baseFee": str(fee.base_fee),
            "lenFee": str(fee.len_fee),
            "adjustedWeightFee": str(fee.adjusted_weight_fee),
        }
    return {"inclusionFee": parts}
