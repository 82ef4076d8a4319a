"""How JSON becomes arguments, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from mycelia.rpc.errors import RpcError
from mycelia.rpc.registry import METHODS, Hash, Hex, lookup, method, reader


@pytest.mark.parametrize(
    ("annotation", "given", "expected"),
    [
        (Hex, "0x00ff", b"\x00\xff"),
        (Hex, "00ff", b"\x00\xff"),
        (Hex, "", b""),
        (Hash, "0x" + "11" * 32, b"\x11" * 32),
        (int, 7, 7),
        (int, "0x1f", 31),
        (str, "x", "x"),
        (list[Hex], ["0x01", "02"], [b"\x01", b"\x02"]),
        (Hash | None, None, None),
        (int | list[int] | None, [1, "0x2"], [1, 2]),
        (int | list[int] | None, 5, 5),
    ],
)
def test_values_are_read_as_annotated(annotation: Any, given: Any, expected: Any) -> None:
    assert reader(annotation)(given) == expected


@pytest.mark.parametrize(
    ("annotation", "given"),
    [
        (Hex, 5),
        (Hex, "0x0"),
        (Hex, "0xzz"),
        (Hash, "0x00"),
        (int, "7"),
        (int, 1.5),
        (int, True),
        (str, None),
        (list[Hex], "0x00"),
        (Hash | None, 0),
    ],
)
def test_other_values_are_refused(annotation: Any, given: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        reader(annotation)(given)


def test_arguments_by_position_and_by_name() -> None:
    spec = METHODS["state_getKeysPaged"]
    assert spec.arguments(["0x01", 5]) == [b"\x01", 5]
    assert spec.arguments(["0x01", 5, None, None, None]) == [b"\x01", 5, None, None]
    assert spec.arguments({"prefix": "0x01", "count": 5}) == [b"\x01", 5, None, None]
    assert METHODS["system_chain"].arguments(None) == []


@pytest.mark.parametrize(
    "params",
    [
        [],
        ["0x01"],
        ["0x01", 5, None, None, 1],
        {"prefix": "0x01", "cout": 5},
        "0x01",
        7,
        ["0x01", "x"],
    ],
)
def test_wrong_arguments_are_invalid_params(params: Any) -> None:
    with pytest.raises(RpcError) as refusal:
        METHODS["state_getKeysPaged"].arguments(params)
    assert refusal.value.code == -32602
    assert isinstance(refusal.value.data, str)


def test_unknown_methods_are_named_shortly() -> None:
    for name in ("nope", None, 5, "x" * 10_000):
        with pytest.raises(RpcError) as refusal:
            lookup(name)
        assert refusal.value.code == -32601
        assert len(refusal.value.data) < 120


def test_a_name_is_declared_once() -> None:
    with pytest.raises(TypeError, match="twice"):
        method("system_chain")(lambda _node: None)


def test_a_parameter_needs_a_known_type() -> None:
    def odd(_node: object, value: dict[str, int]) -> None: ...

    with pytest.raises(TypeError, match="cannot be an RPC parameter"):
        method("test_odd")(odd)
    assert "test_odd" not in METHODS


def test_every_method_the_clients_use_is_there_and_says_what_it_does() -> None:
    needed = {
        "state_getRuntimeVersion",
        "state_getMetadata",
        "state_call",
        "state_getStorageAt",
        "state_getStorage",
        "state_queryStorageAt",
        "state_getKeysPaged",
        "state_getKeys",
        "state_subscribeStorage",
        "state_subscribeRuntimeVersion",
        "chain_getBlockHash",
        "chain_getHead",
        "chain_getFinalizedHead",
        "chain_getHeader",
        "chain_getBlock",
        "chain_subscribeNewHeads",
        "chain_unsubscribeNewHeads",
        "chain_subscribeFinalizedHeads",
        "chain_unsubscribeFinalizedHeads",
        "chain_subscribeAllHeads",
        "account_nextIndex",
        "system_accountNextIndex",
        "rpc_methods",
        "author_submitExtrinsic",
        "author_submitAndWatchExtrinsic",
        "author_unwatchExtrinsic",
        "author_pendingExtrinsics",
        "system_chain",
        "system_name",
        "system_version",
        "system_properties",
        "system_health",
        "mycelia_seal",
        "mycelia_sealEpoch",
        "mycelia_snapshot",
        "mycelia_revert",
        "mycelia_setTime",
        "mycelia_stats",
        "payment_queryInfo",
        "payment_queryFeeDetails",
        "state_queryStorage",
        "system_chainType",
        "system_nodeRoles",
        "system_syncState",
        "system_peers",
        "system_localPeerId",
        "system_localListenAddresses",
    }
    assert needed <= METHODS.keys()
    assert all(spec.doc for spec in METHODS.values())
